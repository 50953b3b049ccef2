"""`backprop check`."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

from backends import Backend
from backprop.cli import main
from backprop.cli.check_subjects import checkable

from ..commands import fails

pytestmark = pytest.mark.usefixtures("elsewhere")


def test_check_one_layer(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--layer", "affine"]) == 0
    out = capsys.readouterr().out
    assert out.count(" passed\n") == 3
    assert "3 gradients: 3 passed, 0 FAILED; largest relative error" in out
    assert "No other faults: arguments unchanged, results not shared" in out
    assert "\x1b" not in out


def test_check_by_the_book_s_spelling(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--layer", "Pooling", "--json"]) == 0
    (report,) = json.loads(capsys.readouterr().out)["reports"]
    assert report["subject"] == "MaxPooling"


def test_check_all_layers_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--layer", "all", "--device", "strict", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["passed"] is True
    assert [report["subject"] for report in found["reports"]] == list(checkable())
    assert {report["backend"] for report in found["reports"]} == {"strict"}


def test_check_the_books_network(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--net", "two-layer", "--elements", "20", "--json"]) == 0
    (report,) = json.loads(capsys.readouterr().out)["reports"]
    shapes = {f"{entry['layer']}.{entry['parameter']}": entry["shape"] for entry in report["entries"]}
    assert shapes == {
        "Affine1.W": [784, 50], "Affine1.b": [50], "Relu1.x": [3, 50], "Affine2.W": [50, 10],
        "Affine2.b": [10], "Affine2.x": [3, 50], "SoftmaxWithLoss.x": [3, 10], "input.x": [3, 784],
    }  # fmt: skip
    assert all(entry["passed"] and entry["verdict"] == "passed" for entry in report["entries"])


def test_check_every_network(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--net", "all", "--elements", "4", "--json"]) == 0
    reports = json.loads(capsys.readouterr().out)["reports"]
    assert [r["subject"] for r in reports] == ["TwoLayerNet", "MultiLayerNet", "SimpleConvNet", "DeepConvNet"]


MODULE = """
import numpy as np
from backprop import Affine, Layer, Network, ReLU, Tanh

class Good(Tanh):
    pass

class Wrong(Tanh):
    def backward(self, dout):
        return -super().backward(dout)

class Crashes(Tanh):
    def backward(self, dout):
        raise RuntimeError("not today")

class Unmade(Tanh):
    def __init__(self):
        self.k = 1

class NoForward(Layer):
    @classmethod
    def case(cls, rng):
        return cls(), rng.standard_normal((2, 3))

class NoCase(Network):
    pass

class Net(Network):
    @classmethod
    def case(cls, rng):
        layers = [Affine(rng.standard_normal((3, 2)), np.zeros(2)), Tanh()]
        return cls(layers), rng.standard_normal((4, 3)), rng.integers(0, 2, 4)

class Empty(Tanh):
    @classmethod
    def case(cls, rng):
        return ()

class Listed(Tanh):
    @classmethod
    def case(cls, rng):
        return [cls(), rng.standard_normal(3)]

class NoMethod(Tanh):
    def case(self, rng):
        return self, rng.standard_normal(3)

class AtAKink(ReLU):
    @classmethod
    def case(cls, rng):
        return cls(), np.asarray([[1.0, 0.0]])

class Below(Network):
    @classmethod
    def case(cls, rng):
        layers = [Affine(rng.standard_normal((3, 2)), np.zeros(2)), Wrong(), Tanh()]
        return cls(layers), rng.standard_normal((4, 3)), rng.integers(0, 2, 4)

class NoLayer:
    def forward(self, x):
        return x * x

class Neither:
    pass

class BookStyle:
    def __init__(self, W, b):
        self.W, self.b, self.x, self.dW, self.db = W, b, None, None, None

    def forward(self, x):
        self.x = x
        return np.dot(x, self.W) + self.b

    def backward(self, dout):
        self.dW = np.dot(self.x.T, dout)
        self.db = np.sum(dout, axis=0)
        return np.dot(dout, self.W.T)

class BookStyleWithCase(BookStyle):
    @classmethod
    def case(cls, rng):
        return cls(rng.standard_normal((4, 3)), rng.standard_normal(3)), rng.standard_normal((5, 4))

class NoTranspose(BookStyleWithCase):
    def backward(self, dout):
        super().backward(dout)
        return np.dot(dout, self.W)

class Forgetful(BookStyleWithCase):
    def backward(self, dout):
        self.db = np.sum(dout, axis=0)
        return np.dot(dout, self.W.T)

class WrongSigns(BookStyleWithCase):
    def backward(self, dout):
        return -super().backward(dout)

def made():
    rng = np.random.default_rng(0)
    return BookStyle(rng.standard_normal((4, 3)), rng.standard_normal(3)), rng.standard_normal((5, 4))

def nothing():
    pass

def square(x):
    return x * x

def square_gradient(x, dout):
    return 2 * x * dout

square.case = lambda rng: (square, square_gradient, rng.standard_normal(3))

def cube(x):
    return (x**3).sum()

cube.case = lambda rng: (cube, lambda x: 3.01 * x**2, rng.standard_normal(3))

def no_case(x):
    return x

number = 3
"""


@pytest.fixture
def own_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    name = f"own_{tmp_path.name}"
    (tmp_path / f"{name}.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    return name


def test_check_the_users_own(own_module: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", f"{own_module}:Good", f"{own_module}:Net"]) == 0
    assert main(["check", f"{own_module}:Wrong"]) == 1
    out = capsys.readouterr().out
    assert "FAILED" in out
    assert "1 gradient: 0 passed, 1 FAILED" in out
    assert "FAILED Wrong: Wrong.x (3, 4): relative error 2.0e+00 at" in out
    assert "No other faults: arguments unchanged" in out


def test_check_of_what_raises(own_module: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What was not looked at is not said to be right."""
    assert main(["check", f"{own_module}:Crashes"]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "FAILED Crashes: raised RuntimeError: not today",
        "No gradient could be compared.",
        "1 other fault: see FAILED above.",
        "Not checked for Crashes, whose fault ended the check: arguments unchanged, results not shared, shapes, "
        "dtypes and devices preserved, same results for the same input.",
        "FAILED: Crashes.",
    ]
    assert main(["check", f"{own_module}:Crashes", f"{own_module}:Good"]) == 1
    assert "1 gradient: 1 passed, 0 FAILED; largest" in capsys.readouterr().out
    message = "Unmade cannot be checked: its __init__ does not call super().__init__(); call it there first"
    assert fails(capsys, "check", f"{own_module}:Unmade") == f"backprop: error: {message}\n"
    message = "backprop: error: NoForward cannot be checked: NotImplementedError: NoForward has no forward"
    assert message in fails(capsys, "check", f"{own_module}:NoForward")


def test_check_a_function(own_module: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", f"{own_module}:square"]) == 0
    assert "square.x" in capsys.readouterr().out
    assert main(["check", f"{own_module}:cube"]) == 1
    assert "FAILED cube: cube.x (3,): relative error 3.3e-03" in capsys.readouterr().out


def test_check_names_the_first_wrong_layer(own_module: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", f"{own_module}:Below"]) == 1
    out = capsys.readouterr().out
    assert "Below: first wrong, going backward: Wrong1" in out
    assert out.count(" wrong above\n") == 3
    assert "Wrong above: the layer is right, but the gradient from above is wrong." in out


def test_check_that_cannot_tell(own_module: str, capsys: pytest.CaptureFixture[str]) -> None:
    """It is said, and is a failure for those who ask for it."""
    assert main(["check", f"{own_module}:AtAKink"]) == 0
    out = capsys.readouterr().out
    assert "1 gradient: 0 passed, 0 FAILED, 1 unresolved" in out
    assert "1 of 2 entries unresolved: the function is not smooth there" in out
    assert "Unresolved: the differences cannot tell right from wrong; see above for what would." in out
    assert main(["check", f"{own_module}:AtAKink", "--strict", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["passed"], found["failed"]) == (False, False)


def test_check_at_eighty_columns(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The shapes give way; names, numbers and verdicts stand whole."""
    monkeypatch.setattr("backprop.cli.check_report.width", lambda: 80)
    monkeypatch.setenv("NO_COLOR", "1")
    assert main(["check", "--layer", "all", "--net", "deep-conv", "--elements", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    rows = [line for line in lines if line.rstrip().endswith("passed") and "gradients:" not in line]
    assert len(rows) > 60
    number = r"-?\d\.\d{4}e[+-]\d\d"
    for row in rows:
        assert len(row) <= 80
        assert re.search(rf"\w+\.[\w.]+ +{number} +{number} +\de[+-]\d\d +\de[+-]\d\d +passed *$", row), row


def test_check_of_what_cannot_be_checked(own_module: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert "no module 'nowhere'" in fails(capsys, "check", "nowhere:Layer", status=2)
    assert "expected MODULE:NAME" in fails(capsys, "check", "nowhere", status=2)
    for name in ("number", "Missing"):
        assert f"has no layer, loss, network or function {name!r}" in fails(
            capsys, "check", f"{own_module}:{name}", status=2
        )
    for name, message in (
        ("NoCase", "add a classmethod case(cls, rng) that returns (network, x, t)"),
        ("NoMethod", "add a classmethod case(cls, rng) that returns (layer, x)"),
        ("Empty", "case must return a tuple such as (layer, x), got an empty one"),
        ("NoLayer", "NoLayer is not a layer: it has no backward; a layer has forward(self, x) and backward"),
        ("Neither", "Neither is not a layer: it has no forward and no backward"),
        ("BookStyle", "add a classmethod case(cls, rng) that returns (layer, x)"),
        ("no_case", "no_case.case = lambda rng: (no_case, its_gradient, rng.standard_normal(3))"),
        ("nothing", "case must return a tuple such as (layer, x), got a NoneType"),
        ("Listed", "case must return a tuple such as (layer, x), got a list"),
    ):
        assert message in fails(capsys, "check", f"{own_module}:{name}")
    for subject in (".own:Good", "own/module:Good", "own.py"):
        assert f"code/my_module.py:MyLayer, got {subject!r}" in fails(capsys, "check", subject, status=2)
    assert "unknown layer 'Relo': expected all or one of Add, " in fails(
        capsys, "check", "--layer", "Relo", status=2
    )


def test_check_of_layers_in_the_book_s_style(
    own_module: str, capsys: pytest.CaptureFixture[str], backend: Backend
) -> None:
    on = ("--device", backend.name)
    if backend.name in ("strict", "torch", "jax"):
        arguments = "check", f"{own_module}:BookStyleWithCase", *on
        if backend.name == "jax":  # NumPy's functions take its arrays, and return their own
            assert main(arguments) == 1
            found = capsys.readouterr().out
        else:
            found = fails(capsys, *arguments)
        assert (
            "NumPy's functions and methods are for NumPy's arrays; for any library's, use xp = namespace_of(x)"
            in found
        )
        return
    for name in ("BookStyleWithCase", "made"):
        assert main(["check", f"{own_module}:{name}", *on]) == 0
        found = capsys.readouterr().out
        assert "3 gradients: 3 passed" in found
        assert re.search(r"^BookStyle(WithCase)?\.W +4×3 .*passed", found, re.MULTILINE)
    for name, complaint in (
        ("NoTranspose", "(in backward of NoTranspose (NoTranspose))"),
        ("Forgetful", "Forgetful: backward does not set self.dW, the gradient of self.W"),
        ("WrongSigns", "FAILED WrongSigns: WrongSigns.x (5, 4): relative error 2.0e+00"),
    ):
        assert main(["check", f"{own_module}:{name}", *on]) == 1
        assert complaint in capsys.readouterr().out


def test_check_of_what_is_in_a_file(
    own_module: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "deeper"
    folder.mkdir()
    (folder / f"{own_module}_beside.py").write_text(MODULE)
    (folder / f"{own_module}_file.py").write_text(f"from {own_module}_beside import square")
    monkeypatch.setattr(sys, "path", sys.path[:])
    assert main(["check", f"deeper/{own_module}_file.py:square"]) == 0
    assert "square" in capsys.readouterr().out
    assert "there is no file gone.py" in fails(capsys, "check", "gone.py:Good", status=2)
    Path("deeper/json.py").write_text("square = 1")
    assert "Python has another module json" in fails(capsys, "check", "deeper/json.py:square", status=2)
