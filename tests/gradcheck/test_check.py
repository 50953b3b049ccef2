"""The gradient check itself: planted faults must not pass."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest

from backends import Array, Backend, backend_of, get_backend, namespace_of
from backprop import (
    GELU,
    Add,
    Affine,
    BatchNormalization,
    Dropout,
    GradientReport,
    Identity,
    Layer,
    LayerNormalization,
    LeakyReLU,
    MeanSquaredError,
    Mul,
    MultiLayerNet,
    Network,
    ReLU,
    Sigmoid,
    SigmoidWithLoss,
    Softmax,
    SoftmaxWithLoss,
    Tanh,
    TwoLayerNet,
    check_gradients,
)
from backprop.cli.check_subjects import checkable
from backprop.gradcheck import GATE, GradientEntry, check, promises
from backprop.gradcheck.aliasing import results_shared
from backprop.gradcheck.check import made
from backprop.gradcheck.comparison import compare
from backprop.gradcheck.rounding import rounding_changes
from backprop.gradcheck.subjects import Variable

from ..cases import CASES


class WrongSign(Tanh):
    def backward(self, dout: Array) -> Array:
        return -super().backward(dout)


class MissingTranspose(Affine):
    def backward(self, dout: Array) -> Array:
        self.backward_params(dout)
        return namespace_of(dout).matmul(dout, self.params["W"])


class MissingTerm(Sigmoid):
    def forward(self, x: Array, *, training: bool = False) -> Array:
        self.y = super().forward(x, training=training) * 1.0
        return self.y * 1.0

    def backward(self, dout: Array) -> Array:
        return dout * self.y


class IgnoresDout(Tanh):
    def backward(self, dout: Array) -> Array:
        return super().backward(dout * 0.0 + 1.0)


class MissingMean(SoftmaxWithLoss):
    def backward(self, dout: Any = 1.0) -> Array:
        return super().backward(dout) * 4.0


class LossIgnoresDout(SoftmaxWithLoss):
    def backward(self, dout: Any = 1.0) -> Array:
        return super().backward(1.0)


class BiasForgotten(Affine):
    def backward_params(self, dout: Array) -> None:
        super().backward_params(dout)
        self.grads["b"] = self.grads["b"] * 0.0


class OneEntryWrong(Tanh):
    def backward(self, dout: Array) -> Array:
        dx = super().backward(dout)
        dx[0, 0] *= 1.0 + 1e-5
        return dx


class Swapped(Mul):
    def backward(self, dout: Array) -> tuple[Array, Array]:
        return super().backward(dout)[::-1]


class HalfOfAdd(Add):
    def backward(self, dout: Array) -> tuple[Array, Array]:
        return dout, 0.5 * dout


class WritesIntoDout(ReLU):
    def backward(self, dout: Array) -> Array:
        dout[...] = super().backward(dout)
        return dout


class WritesIntoInput(ReLU):
    def forward(self, x: Array, *, training: bool = False) -> Array:
        x[...] = super().forward(x, training=training)
        return x


class AlwaysSingle(Tanh):
    def forward(self, x: Array, *, training: bool = False) -> Array:
        xp = namespace_of(x)
        return xp.astype(xp.astype(super().forward(x, training=training), xp.float32), x.dtype)


class AlwaysDouble(Tanh):
    def backward(self, dout: Array) -> Array:
        xp = namespace_of(dout)
        return xp.astype(super().backward(dout), xp.float64)


class KeepsInInference(Tanh):
    def forward(self, x: Array, *, training: bool = False) -> Array:
        return super().forward(x, training=True)


class Accumulates(Affine):
    def backward_params(self, dout: Array) -> None:
        before = self.grads.get("W")
        super().backward_params(dout)
        if before is not None:
            self.grads["W"] = self.grads["W"] + before


class OtherParamsAlone(Affine):
    def backward(self, dout: Array) -> Array:
        dx = super().backward(dout)
        super().backward_params(dout)
        return dx

    def backward_params(self, dout: Array) -> None:
        super().backward_params(dout)
        self.grads["W"] = 2.0 * self.grads["W"]


class NotANumber(Tanh):
    def backward(self, dout: Array) -> Array:
        return super().backward(dout) * float("nan")


class NotZeroAtZero(Tanh):
    def backward(self, dout: Array) -> Array:
        return super().backward(dout) + 1e-9


class NotLinear(Tanh):
    def backward(self, dout: Array) -> Array:
        return super().backward(dout) + 1e-8 * dout * dout


class DependsOnLayout(Tanh):
    def forward(self, x: Array, *, training: bool = False) -> Array:
        y = super().forward(x, training=training)
        strides = x.stride() if hasattr(x, "stride") else getattr(getattr(x, "_array", x), "strides", None)
        step = strides[-1] if hasattr(x, "stride") else strides[-1] // 8  # type: ignore[index]
        return y * (1.0 if step == 1 else 1.0 + 0.0) if not training else self._keep(y, step)

    def _keep(self, y: Array, step: int) -> Array:
        self.saved = y if step == 1 else y * 0.5
        return y


class Remembers(Tanh):
    def backward(self, dout: Array) -> Array:
        self.calls = getattr(self, "calls", 0) + 1
        return super().backward(dout) * (1.0 + 1e-9 * self.calls)


class Draws(Tanh):
    """Something else every time, which backward does not know of."""

    def forward(self, x: Array, *, training: bool = False) -> Array:
        return super().forward(x, training=training) + 1e3 * float(DRAW.random())


DRAW = np.random.default_rng(0)


class RoundsInSingle(Tanh):
    def backward(self, dout: Array) -> Array:
        dx = super().backward(dout)
        return dx if "64" in str(dx.dtype) else dx * 1.001


class OtherShapeInSingle(Tanh):
    def backward(self, dout: Array) -> Array:
        dx = super().backward(dout)
        return dx if "64" in str(dx.dtype) else namespace_of(dx).reshape(dx, (4, 3))


class SmallOneRoundsInSingle(Layer):
    """y = x + b/100, whose gradients for x and b are of very different sizes."""

    def __init__(self) -> None:
        super().__init__(b=np.ones((3, 4)))

    def forward(self, x: Array, *, training: bool = False) -> Array:
        self.saved = x if training else None
        return x + 0.01 * self.params["b"]

    def backward(self, dout: Array) -> Array:
        self.check_dout(dout, self.saved)
        self.grads["b"] = dout * (0.01 if "64" in str(dout.dtype) else 0.01002)
        return dout * 1.0

    @classmethod
    def case(cls, rng: np.random.Generator) -> Any:
        return cls(), rng.standard_normal((3, 4))


class LeavesTheBackend(Tanh):
    def backward(self, dout: Array) -> Any:
        other = get_backend("strict:device2" if backend_of(dout).name != "strict" else "cpu")
        return other.asarray(backend_of(dout).to_numpy(super().backward(dout)))


class ForgetsBias(Affine):
    def backward_params(self, dout: Array) -> None:
        super().backward_params(dout)
        del self.grads["b"]


class ReturnsNothing(Tanh):
    def backward(self, dout: Array) -> Array:
        super().backward(dout)
        return None


class WrongShape(Tanh):
    def backward(self, dout: Array) -> Array:
        return super().backward(dout)[0, :]


class Raises(Tanh):
    def backward(self, dout: Array) -> Array:
        raise ZeroDivisionError("no luck")


class RaisesInSingle(Tanh):
    def forward(self, x: Array, *, training: bool = False) -> Array:
        if "32" in str(x.dtype):
            raise TypeError("too narrow")
        return super().forward(x, training=training)


class ExtraGradient(Tanh):
    def backward(self, dout: Array) -> Array:
        self.grads["extra"] = dout * 1.0
        return super().backward(dout)


class OtherShapeInTraining(Layer):
    def forward(self, x: Array, *, training: bool = False) -> Array:
        self.saved = x if training else None
        xp = namespace_of(x)
        return xp.reshape(x * 1.0, (-1,) if training else (1, -1))

    def backward(self, dout: Array) -> Array:
        self.check_dout(dout, self.saved)
        return namespace_of(dout).reshape(dout * 1.0, self.saved.shape)

    @classmethod
    def case(cls, rng: np.random.Generator) -> Any:
        return cls(), rng.standard_normal((1, 4))


class OtherInInference(Tanh):
    def forward(self, x: Array, *, training: bool = False) -> Array:
        return super().forward(x, training=training) * (1.0 if training else 2.0)


class NeedsNoForward(Layer):
    def forward(self, x: Array, *, training: bool = False) -> Array:
        return x * 2.0

    def backward(self, dout: Array) -> Array:
        return dout * 2.0

    @classmethod
    def case(cls, rng: np.random.Generator) -> Any:
        return cls(), rng.standard_normal((3, 4))


class WritesIntoParameter(Affine):
    def backward(self, dout: Array) -> Array:
        dx = super().backward(dout)
        self.params["b"] = self.params["b"] + 1.0
        return dx


# Every faulty class, and the beginning of what the report has to say of it. The first ones have a
# wrong gradient; the others break a promise.
FAULTY: dict[Any, str] = {
    WrongSign: "WrongSign.x (3, 4): relative error 2.0e+00",
    MissingTranspose: "MissingTranspose.x (5, 4): relative error",
    MissingTerm: "MissingTerm.x (3, 4): relative error",
    IgnoresDout: "IgnoresDout.x (3, 4): relative error",
    MissingMean: "MissingMean.x (4, 3): relative error 7.5e-01",
    LossIgnoresDout: "LossIgnoresDout.x (4, 3): relative error",
    BiasForgotten: "BiasForgotten.b (3,): relative error 1.0e+00",
    OneEntryWrong: "OneEntryWrong.x (3, 4): relative error",
    Swapped: "Swapped.x (3, 4): relative error",
    HalfOfAdd: "HalfOfAdd.y (3, 4): relative error 5.0e-01",
    Accumulates: "FAILED: Accumulates.W: a second run gives another gradient",
    NotANumber: "NotANumber.x (3, 4): relative error inf",
    WritesIntoDout: "FAILED: backward changes its argument dout|FAILED: arguments: raised ValueError",
    WritesIntoInput: "FAILED: input 0 is changed|FAILED: arguments: raised ValueError",
    AlwaysSingle: "FAILED: output of AlwaysSingle: float64 with the digits of float32",
    AlwaysDouble: "FAILED: AlwaysDouble.x: float64 for float32 input",
    ExtraGradient: "FAILED: gradients for [('ExtraGradient', 'extra'), ('ExtraGradient', 'x')], expected [('E",
    OtherShapeInTraining: "FAILED: output (4,) in training but (1, 4) in inference",
    OtherInInference: "FAILED: inference gives another output than training",
    NeedsNoForward: "FAILED: backward before forward does not raise RuntimeError",
    WritesIntoParameter: "FAILED: WritesIntoParameter.b is changed",
    KeepsInInference: "FAILED: backward after inference does not raise RuntimeError",
    OtherParamsAlone: "FAILED: OtherParamsAlone.W: backward_params gives another gradient than backward",
    NotZeroAtZero: "FAILED: NotZeroAtZero.x: a gradient that is not zero for a zero dout",
    NotLinear: "FAILED: NotLinear.x: not twice the gradient for twice the dout",
    DependsOnLayout: "FAILED: DependsOnLayout.x: another gradient for a non-contiguous input",
    Remembers: "FAILED: Remembers.x: a second run gives another gradient",
    Draws: "FAILED: a second run gives another output",
    RoundsInSingle: "FAILED: RoundsInSingle.x: in float32 off by 1.0e-03 relative to float64",
    OtherShapeInSingle: "FAILED: OtherShapeInSingle.x: shape (4, 3), expected (3, 4)",
    SmallOneRoundsInSingle: "FAILED: SmallOneRoundsInSingle.b: in float32 off by 2.0e-03 relative to float64",
    LeavesTheBackend: "FAILED: LeavesTheBackend.x: left ",
    ForgetsBias: "FAILED: ForgetsBias.b: backward gives no gradient",
    ReturnsNothing: "FAILED: ReturnsNothing.x: backward gives no gradient",
    WrongShape: r"FAILED: WrongShape.x: a gradient of shape (4,), expected (3, 4)",
    Raises: "FAILED: raised ZeroDivisionError: no luck",
    RaisesInSingle: "FAILED: float32: raised TypeError: too narrow",
}


@pytest.mark.parametrize("faulty", FAULTY, ids=lambda kind: kind.__name__)
def test_planted_fault_is_caught(faulty: Any, backend: Backend, rng: np.random.Generator) -> None:
    case = faulty.case(rng)
    if faulty is MissingTranspose:  # only a square W hides it from the shapes
        case = faulty(rng.standard_normal((4, 4)), rng.standard_normal(4)), rng.standard_normal((5, 4))
    report = check_gradients(*case, device=backend)
    assert report.failed
    assert not report.passed
    failed = [line for line in str(report).splitlines() if "FAILED" in line]
    beginnings = tuple(FAULTY[faulty].split("|"))
    assert any(line.startswith(beginnings) for line in failed), failed


def test_three_numbers_show_that_they_are_rounded_and_two_do_not() -> None:
    for numbers, found in (([0.3, -0.5, 1.1, 0.0], True), ([0.3, -0.5, 0.0], False)):
        report = check_gradients(AlwaysSingle(), np.asarray([numbers]))
        rounded = "output of AlwaysSingle: float64 with the digits of float32"
        assert (rounded in report.problems) is found


def scaled(gradients: Any, factor: float) -> Any:
    return tuple(g * factor for g in gradients) if isinstance(gradients, tuple) else gradients * factor


SABOTAGE = {
    "wrong sign": lambda node, dout, backward: scaled(backward(dout), -1.0),
    "missing factor": lambda node, dout, backward: scaled(backward(dout), 3.0),
    "dout ignored": lambda node, dout, backward: backward(dout * 0.0 + 1.0),
    "dout squared": lambda node, dout, backward: backward(dout * dout),
}


@pytest.mark.parametrize("how", SABOTAGE)
@pytest.mark.parametrize("kind", checkable().values(), ids=list(checkable()))
def test_every_layer_and_loss_sabotaged(
    kind: Any, how: str, backend: Backend, rng: np.random.Generator
) -> None:
    def backward(self: Any, dout: Any = 1.0) -> Any:
        return SABOTAGE[how](self, dout, super(broken, self).backward)

    broken = type(f"Broken{kind.__name__}", (kind,), {"backward": backward})
    assert not all(entry.passed for entry in check_gradients(*broken.case(rng), device=backend).entries)  # type: ignore[attr-defined]


def test_nothing_compared_is_nothing_passed(rng: np.random.Generator) -> None:
    class NoNumber(Tanh):
        def forward(self, x: Array, *, training: bool = False) -> Array:
            return super().forward(x, training=training) * float("nan")

    report = check_gradients(*NoNumber.case(rng), elements=5)
    assert not report.passed
    assert report.entries[0].error == float("inf")
    assert "a second run gives another output" not in report.problems
    assert json.dumps(report.to_dict(), allow_nan=False)
    with pytest.raises(ValueError, match="expected elements of at least 1, got 0"):
        check_gradients(*WrongSign.case(rng), elements=0)


def test_array_without_entries() -> None:
    report = check_gradients(Tanh(), np.ones((0, 3)))
    assert report.problems == ("Tanh.x: an array without entries, (0, 3), has nothing to compare",)


def test_questions_that_make_no_sense(rng: np.random.Generator) -> None:
    x = rng.standard_normal((3, 4))
    with pytest.raises(TypeError, match=r"expected a layer, a loss or a network, got <class .*Tanh'>"):
        check_gradients(Tanh, x)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"Tanh takes x, got 2 input\(s\)"):
        check_gradients(Tanh(), x, x)
    with pytest.raises(TypeError, match=r"Add takes x and y, got 1 input\(s\)"):
        check_gradients(Add(), x)
    with pytest.raises(TypeError, match=r"SoftmaxWithLoss takes x and t, got 3 input\(s\)"):
        check_gradients(SoftmaxWithLoss(), x, x, x)
    with pytest.raises(ValueError, match="expected a step h above 0, got -0.0001"):
        check_gradients(Tanh(), x, h=-1e-4)
    with pytest.raises(TypeError, match=r"TwoLayerNet takes x and t, got 1 input\(s\)"):
        check_gradients(TwoLayerNet(4, 3, 2), x)
    with pytest.raises(ValueError, match="x and y are the inputs' names"):
        check_gradients(Layer(x=x), x)
    with pytest.raises(ValueError, match="x and y are the inputs' names"):
        check_gradients(Network([Layer(y=x)]), x, x)
    with pytest.raises(ValueError, match="expected a step h above 0, got 0"):
        check_gradients(Tanh(), x, h=0.0)


def stack(rng: np.random.Generator, *middle: Layer, loss: Any = None) -> tuple[Network, Any, Any]:
    """Layers of width 3 between two affine ones, with data."""
    first, last = (Affine(rng.standard_normal(shape), np.zeros(shape[1])) for shape in ((4, 3), (3, 2)))
    return Network([first, *middle, last], loss), rng.standard_normal((5, 4)), rng.integers(0, 2, 5)


def verdicts(report: GradientReport) -> dict[str, str]:
    return {f"{entry.layer}.{entry.parameter}": entry.verdict for entry in report.entries}


def test_fault_in_a_network_is_localized(backend: Backend, rng: np.random.Generator) -> None:
    """What lies below the wrong layer has a wrong gradient, and is not to blame."""
    report = check_gradients(*stack(rng, WrongSign()), device=backend)
    assert verdicts(report) == {
        "Affine1.W": "wrong above", "Affine1.b": "wrong above", "Affine1.x": "passed",
        "WrongSign1.x": "FAILED",
        "Affine2.W": "passed", "Affine2.b": "passed", "Affine2.x": "passed", "SoftmaxWithLoss.x": "passed",
        "input.x": "wrong above",
    }  # fmt: skip
    assert report.culprit == "WrongSign1"
    assert str(report).endswith("first wrong, going backward: WrongSign1")


@pytest.mark.only("numpy")
def test_a_subject_is_checked_where_that_is_asked_for(backend: Backend, rng: np.random.Generator) -> None:
    for case in (stack(rng, Tanh()), Affine.case(rng), SoftmaxWithLoss.case(rng)):
        for device, name, place in ((None, "numpy", "cpu"), ("strict:device2", "strict", "device2")):
            report = check_gradients(*case, device=device)
            assert report.passed, f"\n{report}"
            assert (report.backend, report.device) == (name, place)
    x = get_backend("strict:device2").asarray(rng.standard_normal((3, 4)))
    assert check_gradients(Tanh(), x).device == "device2"
    assert check_gradients(Tanh(), np.ones((3, 4))).device == "cpu"
    affine = Affine(x, get_backend("strict:device2").asarray(np.zeros(4)))
    assert check_gradients(affine, rng.standard_normal((2, 3))).device == "device2"


def test_the_first_wrong_of_two(rng: np.random.Generator) -> None:
    report = check_gradients(*stack(rng, WrongSign(), Tanh(), OneEntryWrong()))
    assert report.culprit == "OneEntryWrong1"
    found = verdicts(report)
    assert (found["WrongSign1.x"], found["Tanh1.x"], found["OneEntryWrong1.x"]) == (
        "FAILED",
        "passed",
        "FAILED",
    )


def test_faults_that_undo_each_other(rng: np.random.Generator) -> None:
    """All parameters and the input have right gradients; two layers have not."""
    report = check_gradients(*stack(rng, WrongSign(), WrongSign()))
    wrong = [name for name, verdict in verdicts(report).items() if verdict != "passed"]
    assert wrong == ["WrongSign1.x", "WrongSign2.x"]
    assert report.culprit == "WrongSign2"


def test_a_wrong_parameter_is_its_layers_fault_alone(rng: np.random.Generator) -> None:
    report = check_gradients(*stack(rng, BiasForgotten(rng.standard_normal((3, 3)), np.zeros(3)), Tanh()))
    assert [name for name, verdict in verdicts(report).items() if verdict != "passed"] == ["BiasForgotten1.b"]
    assert report.culprit == "BiasForgotten1"


def test_a_wrong_loss_and_a_wrong_bottom(rng: np.random.Generator) -> None:
    report = check_gradients(*stack(rng, Tanh(), loss=MissingMean()))
    assert report.culprit == "MissingMean"
    assert verdicts(report)["MissingMean.x"] == "FAILED"
    assert {v for name, v in verdicts(report).items() if name[-1] in "Wb"} == {"wrong above"}
    network = Network([WrongSign(), Affine(rng.standard_normal((4, 3)), np.zeros(3))])
    report = check_gradients(network, rng.standard_normal((5, 4)), rng.integers(0, 3, 5))
    assert report.culprit == "WrongSign1"
    assert [name for name, v in verdicts(report).items() if v != "passed"] == ["WrongSign1.x", "input.x"]


def test_a_layer_that_raises_is_named(rng: np.random.Generator) -> None:
    report = check_gradients(*stack(rng, Raises(), Tanh()))
    assert report.problems == ("raised ZeroDivisionError: no luck",)
    assert report.culprit == "Raises1"
    assert report.failed


@pytest.mark.parametrize("kind", [WrongShape, LeavesTheBackend])
def test_a_layer_whose_dx_is_none_for_what_is_below_is_named(
    kind: Any, backend: Backend, rng: np.random.Generator
) -> None:
    report = check_gradients(*stack(rng, Tanh(), kind(), Tanh()), device=backend)
    assert report.culprit == f"{kind.__name__}1"
    assert report.failed


def test_fault_in_a_networks_own_backward_is_named(rng: np.random.Generator) -> None:
    class Upside(Network):
        def backward(self, dout: Any = 1.0) -> Array:
            return super().backward(-dout)

    network, x, t = stack(rng, Tanh())
    network.__class__ = Upside
    report = check_gradients(network, x, t)
    assert "every layer is right by itself: the network's own backward is wrong" in report.problems
    assert report.culprit is None


def test_fault_in_a_networks_own_backward_is_caught(rng: np.random.Generator) -> None:
    class WrongBottom(Network):
        def backward_params(self, dout: Any = 1.0) -> None:
            super().backward_params(-dout)

    layers = [Affine(rng.standard_normal((4, 3)), np.zeros(3))]
    report = check_gradients(WrongBottom(layers), rng.standard_normal((5, 4)), rng.integers(0, 3, 5))
    assert all(entry.passed for entry in report.entries)
    assert any("backward_params" in problem for problem in report.problems)
    assert not report.passed


def test_kinks_are_stepped_around(backend: Backend) -> None:
    """They are counted, and a fault at such an entry is found as at any other."""
    x = np.asarray([[1.0, 1e-6, -2e-7, -1.0]])
    report = check_gradients(ReLU(), x, device=backend)
    assert report.entries[0].kinks == 2
    assert report.passed, f"\n{report}"

    class Wrong(ReLU):
        def backward(self, dout: Array) -> Array:
            return super().backward(dout) * (1.0 + 1e-5)

    assert check_gradients(Wrong(), x[:, 1:3], device=backend).entries[0].verdict == "FAILED"


def test_a_kink_without_a_region_is_stepped_around(backend: Backend) -> None:
    class Quiet(ReLU):
        def region(self, x: Array) -> None:  # type: ignore[override]
            return None

    assert check_gradients(Quiet(), np.asarray([[1.0, 1e-6, -2e-7, -1.0]]), device=backend).passed
    exactly = check_gradients(Quiet(), np.asarray([[1.0, 0.0]]), device=backend)
    assert exactly.entries[0].verdict == "unresolved"


def test_what_differences_cannot_tell(backend: Backend) -> None:
    """Exactly at a kink: neither passed nor failed, with what would tell."""
    report = check_gradients(ReLU(), np.asarray([[1.0, 0.0, -1.0]]), device=backend)
    (entry,) = report.entries
    assert (entry.verdict, entry.kinks, entry.unresolved, entry.compared) == ("unresolved", 1, 1, 3)
    assert "1 of 3 entries unresolved: the function is not smooth there" in str(report)
    assert "other inputs would tell" in str(report)
    assert not report.passed
    assert not report.failed
    assert report.to_dict()["entries"][0]["passed"] is False

    class Hidden(Layer):
        """An x that stands beside 1e12."""

        def forward(self, x: Array, *, training: bool = False) -> Array:
            self.saved = x if training else None
            return x + 1e12

        def backward(self, dout: Array) -> Array:
            return dout * 1.0

    report = check_gradients(Hidden(), np.asarray([[1.0, -2.0]]), device=backend)
    assert report.entries[0].verdict == "unresolved"
    assert "another scale would tell" in report.entries[0].reason


def test_kinks_are_those_of_training() -> None:
    """A column is centred by its own mean in training, and by that of what was before in inference."""
    affine = Affine(np.asarray([[1.0, -1.0]]), np.zeros(2))
    network = Network([BatchNormalization(np.ones(1), np.zeros(1)), ReLU(), affine])
    x = np.asarray([[4.0], [6.0], [5.0 + 1e-6], [5.0 - 1e-6]])
    report = check_gradients(network, x, np.asarray([0, 1, 1, 0]))
    kinks = {f"{entry.layer}.{entry.parameter}": entry.kinks for entry in report.entries}
    assert report.passed, f"\n{report}"
    assert (kinks["input.x"], kinks["BatchNormalization1.beta"], kinks["Affine1.W"]) == (4, 1, 0)


@pytest.mark.parametrize("shape", [(), (4,), (2, 3)])
def test_layouts_of_any_number_of_dimensions(shape: tuple[int, ...], rng: np.random.Generator) -> None:
    x = np.asarray(rng.standard_normal(shape))
    assert check_gradients(Tanh(), x).passed
    if shape:
        assert "DependsOnLayout.x: another gradient" in str(check_gradients(DependsOnLayout(), x))


def test_kinks_inside_a_network(rng: np.random.Generator) -> None:
    W = np.ones((2, 1))
    network = Network(
        [Affine(W, np.asarray([-3.0])), ReLU(), Affine(rng.standard_normal((1, 2)), np.zeros(2))]
    )
    report = check_gradients(network, np.asarray([[1.0, 2.0]]), np.asarray([0]))
    assert (report.entries[0].kinks, report.entries[0].verdict) == (2, "unresolved")
    assert report.culprit is None
    near = check_gradients(network, np.asarray([[1.0, 2.0 + 1e-6]]), np.asarray([0]))
    assert near.entries[0].kinks == 2
    assert near.passed, f"\n{near}"


SCALES = (0.003, 0.03, 1.0, 300.0, 1e5)
SCALED: dict[str, Callable[[np.random.Generator, float], Any]] = {
    "Affine": lambda rng, s: (
        Affine(rng.standard_normal((4, 3)), rng.standard_normal(3)),
        s * rng.standard_normal((5, 4)),
    ),
    "BatchNormalization": lambda rng, s: (
        BatchNormalization(np.ones(3), np.zeros(3)),
        s * rng.standard_normal((6, 3)),
    ),
    "BatchNormalization, far from 0": lambda rng, s: (
        BatchNormalization(np.ones(3), np.zeros(3)),
        s + rng.standard_normal((6, 3)),
    ),
    "LayerNormalization": lambda rng, s: (
        LayerNormalization(np.ones(4), np.zeros(4)),
        s * rng.standard_normal((5, 4)),
    ),
    "MeanSquaredError": lambda rng, s: (
        MeanSquaredError(),
        s * rng.standard_normal((5, 2)),
        s * rng.standard_normal((5, 2)),
    ),
    "MeanSquaredError, at 0": lambda rng, s: (MeanSquaredError(), np.full((5, 2), s), np.full((5, 2), s)),
    "SoftmaxWithLoss": lambda rng, s: (
        SoftmaxWithLoss(),
        s * rng.standard_normal((5, 4)),
        rng.integers(0, 4, 5),
    ),
    "Tanh": lambda rng, s: (Tanh(), s * rng.standard_normal((5, 4))),
    "GELU": lambda rng, s: (GELU(), s * rng.standard_normal((5, 4))),
}


UNRESOLVABLE = {(name, scale) for name in ("Tanh", "SoftmaxWithLoss", "GELU") for scale in SCALES} | {
    ("BatchNormalization, far from 0", 1e5)
}
"""Saturated, or rounded so much in the sums of the variance that differences may not tell."""


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("name", SCALED)
def test_no_false_alarm_at_any_scale(name: str, scale: float, backend: Backend) -> None:
    for seed in range(3):
        report = check_gradients(*SCALED[name](np.random.default_rng(seed), scale), device=backend)
        assert not report.failed, f"\n{report}"
        assert report.passed or (name, scale) in UNRESOLVABLE, f"\n{report}"


def test_narrow_bend_in_a_wide_array(backend: Backend) -> None:
    """A row that is constant is steep over 1e-3, where the steps that suit the other row are 1 long."""
    x = np.asarray([[1e5, -2e5, 3e5], [0.0, 0.0, 0.0]])
    report = check_gradients(LayerNormalization(np.ones(3), np.zeros(3)), x, device=backend)
    assert not report.failed, f"\n{report}"


@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "gelu", "relu"])
def test_batch_normalization_in_a_network(activation: str, backend: Backend) -> None:
    for seed in range(3):
        rng = np.random.default_rng(seed)
        network = MultiLayerNet(
            6, [12, 12], 3, activation, "xavier", use_batchnorm=True, dtype="float64", rng=seed
        )
        report = check_gradients(
            network, rng.standard_normal((8, 6)), rng.integers(0, 3, 8), device=backend, elements=30
        )
        assert report.passed, f"\n{report}"


def random_network(rng: np.random.Generator) -> tuple[Network, np.ndarray, np.ndarray]:
    """Any layers with numbers of any usual size; data of scale 1."""

    def array(*shape: int) -> np.ndarray:
        return rng.standard_normal(shape) * float(rng.choice([0.01, 0.3, 1.0, 3.0]))

    n, width = int(rng.integers(2, 9)), int(rng.integers(2, 7))
    layers: list[Layer] = []
    shape = (n, width)
    for _ in range(rng.integers(1, 4)):
        out = int(rng.integers(2, 7))
        layers.append(Affine(array(width, out), array(out) * float(rng.integers(0, 2))))
        width = out
        kind = rng.choice(["batch", "layer", "none", "none"])
        if kind != "none":
            normalization = BatchNormalization if kind == "batch" else LayerNormalization
            layers.append(normalization(array(width), array(width)))
        activations = [ReLU, Sigmoid, Tanh, GELU, LeakyReLU, Identity, Softmax]
        layers.append(activations[rng.integers(len(activations))]())
        if rng.random() < 0.2:
            layers.append(Dropout(0.3, seed=int(rng.integers(99))))
    classes = int(rng.integers(2, 5))
    layers.append(Affine(array(width, classes), array(classes)))
    loss, t = [
        (SoftmaxWithLoss(), rng.integers(0, classes, n)),
        (SigmoidWithLoss(), rng.integers(0, 2, (n, classes))),
        (MeanSquaredError(), rng.standard_normal((n, classes))),
    ][rng.integers(3)]
    return Network(layers, loss, weight_decay=float(rng.choice([0.0, 0.01]))), rng.standard_normal(shape), t


def test_no_false_alarm_in_random_networks() -> None:
    """`TEST_NETWORKS` of them, by turns at nine scales from 1e-3 to 1e5."""
    verdicts = {"passed": 0, "unresolved": 0}
    for seed in range(int(os.environ.get("TEST_NETWORKS", "36"))):
        network, x, t = random_network(np.random.default_rng(seed))
        report = check_gradients(network, 10.0 ** (seed % 9 - 3) * x, t, rng=seed)
        assert not report.failed, f"seed {seed}: {network}\n{report}"
        for entry in report.entries:
            verdicts[entry.verdict] += 1
    assert verdicts["unresolved"] < 0.1 * verdicts["passed"], verdicts


# What once was a false alarm: sums that cancel in backward (492, 715), underflow (664), a loss of exactly
# 0 (871), float32 where float64 is at its end (969, 1515), a bend narrower than the steps (1241, 1385).
@pytest.mark.parametrize("seed", [492, 664, 715, 871, 969, 1241, 1385, 1515])
def test_no_false_alarm_again(seed: int) -> None:
    network, x, t = random_network(np.random.default_rng(seed))
    report = check_gradients(network, 10.0 ** (seed % 9 - 3) * x, t, rng=seed)
    assert not report.failed, f"{network}\n{report}"


def test_noise_is_no_proof_of_zero(rng: np.random.Generator) -> None:
    """Of an f that is nothing but noise, nothing is passed."""
    report = check_gradients(Draws(), rng.standard_normal((3, 4)))
    assert report.entries[0].verdict != "passed"
    network, x, _ = stack(rng, Draws(), loss=MeanSquaredError())
    report = check_gradients(network, x, rng.standard_normal((5, 2)))
    assert {entry.verdict for entry in report.entries if entry.layer == "Affine1"} != {"passed"}


@pytest.mark.parametrize("name", CASES)
def test_one_entry_wrong_by_a_hundred_thousandth(name: str, backend: Backend) -> None:
    """In the largest entry of every array, and in another one that is not tiny beside it."""
    rng = np.random.default_rng(1)
    node, *inputs = CASES[name](rng)
    subject = made(node, inputs, backend, 0, "float64")
    for slot, gradient in subject.gradients().items():
        values = np.array(backend.to_numpy(gradient), order="C")
        largest = int(np.abs(values).argmax())
        others = np.flatnonzero(np.abs(values) > 0.03 * np.abs(values).max())
        wrong = list({largest, int(rng.choice(others))})
        values.reshape(-1)[wrong] *= 1.0 + 1e-5
        found = compare(Variable(subject, slot), values, rng)
        assert (found.verdict, found.wrong) == ("FAILED", len(wrong)), str(found)
        assert np.ravel_multi_index(found.index, values.shape) in wrong
        assert found.error == pytest.approx(1e-5, rel=0.1)


def test_a_step_of_ones_own(rng: np.random.Generator) -> None:
    """Plain central differences, as the book's; their own error is estimated all the same."""
    x = np.asarray([[0.5, -1.0]])
    report = check_gradients(Tanh(), x, h=1e-2)
    (entry,) = report.entries
    expected = (np.tanh(x + 1e-2) - np.tanh(x - 1e-2)) / 2e-2 / (1.0 - np.tanh(x) ** 2) - 1.0
    assert entry.error == pytest.approx(np.abs(expected).max(), rel=1e-3)
    assert entry.verdict == "unresolved"
    assert check_gradients(Tanh(), x, h=1e-4).passed


def test_the_error_of_a_plain_difference_is_told() -> None:
    """(x³)′ at 1 is 3, the central difference 3 + h²."""
    report = check_gradients(lambda x: (x**3).sum(), lambda x: 3.0 * x**2, np.asarray([1.0]), h=1e-2)
    (entry,) = report.entries
    assert entry.numerical == pytest.approx(3.0 + 1e-4, rel=1e-10)
    assert entry.error == pytest.approx(1e-4 / 3.0001, rel=1e-6)
    assert entry.uncertainty == pytest.approx(1e-4 / 3.0001, rel=1e-3)
    assert (entry.index, entry.compared, entry.kinks, entry.verdict) == ((0,), 1, 0, "unresolved")
    (entry,) = check_gradients(lambda x: (x**3).sum(), lambda x: 3.0 * x**2, np.asarray([1.0])).entries
    assert entry.error < 1e-10  # at the first step the central difference is off by 3e-9


def test_a_gradient_that_is_zero_but_for_rounding_is_off_by_little() -> None:
    x = np.asarray([2.0, -2.0])
    report = check_gradients(lambda x: 8.0 + (0.0 * x).sum(), lambda x: np.full(2, 1e-16), x)
    (entry,) = report.entries
    assert report.passed, f"\n{report}"
    assert entry.error == pytest.approx(1e-16 * 2.0 / 8.0, rel=1e-6)


def test_the_worst_entry_is_told(rng: np.random.Generator) -> None:
    x = rng.uniform(1.0, 2.0, (3, 4))
    wrong = np.ones((3, 4))
    wrong[1, 2], wrong[2, 0] = 1.5, 1.1
    report = check_gradients(lambda x: (x**2).sum(), lambda x: 2.0 * x * wrong, x)
    (entry,) = report.entries
    assert (entry.index, entry.wrong, entry.compared, entry.shape) == ((1, 2), 2, 12, (3, 4))
    assert entry.analytic == pytest.approx(3.0 * x[1, 2])
    assert entry.numerical == pytest.approx(2.0 * x[1, 2])
    assert entry.error == pytest.approx(1 / 3)


def test_a_gradient_whose_rounding_cannot_be_tried_is_compared(
    monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator
) -> None:
    def fail(*_: Any) -> Any:
        raise ArithmeticError("no luck")

    monkeypatch.setattr(check, "rounding_changes", fail)
    assert check_gradients(*Tanh.case(rng)).passed
    assert check_gradients(*WrongSign.case(rng)).entries[0].verdict == "FAILED"


def test_the_gate_is_what_a_gradient_may_be_off() -> None:
    x = np.asarray([1.0, 2.0])

    def check_with(**options: float) -> Any:
        return check_gradients(lambda x: (x**2).sum(), lambda x: 2.0 * x * (1.0 + 1e-6), x, **options)

    assert check_with().failed
    assert check_with(gate=9e-7).failed
    assert check_with(gate=1.1e-6).passed
    assert (check_with().gate, check_with(gate=1e-3).gate) == (GATE, 1e-3)


def test_the_cost(rng: np.random.Generator) -> None:
    """Less than twice the two evaluations of a central difference."""
    report = check_gradients(*stack(rng, Tanh(), Affine(rng.standard_normal((3, 3)), np.zeros(3)), Tanh()))
    compared = sum(entry.compared for entry in report.entries)
    assert report.evaluations <= 3 * compared + 6 * len(report.entries)


def test_some_elements_of_a_large_network(rng: np.random.Generator) -> None:
    network = TwoLayerNet(300, 20, 5, weight_init_std=1.0, rng=rng)
    report = check_gradients(network, rng.standard_normal((3, 300)), rng.integers(0, 5, 3), elements=10)
    assert report.passed, f"\n{report}"
    assert {entry.compared for entry in report.entries} == {10, 5}


def test_subject_is_not_changed(rng: np.random.Generator) -> None:
    affine, x = Affine.case(rng)
    before = affine.params["W"].copy()
    check_gradients(affine, x)
    np.testing.assert_array_equal(affine.params["W"], before)
    assert affine.grads == {}


def test_report_is_data(rng: np.random.Generator) -> None:
    report = check_gradients(*Affine.case(rng))
    data = json.loads(json.dumps(report.to_dict()))
    assert data["passed"] is True
    assert data["entries"][0]["parameter"] == "W"
    assert "Affine.W (4, 3): relative error" in str(report)


ENTRY = GradientEntry(
    layer="Affine1", parameter="W", shape=(2, 3), analytic=0.5, numerical=1 / 3, error=1 / 3, uncertainty=1e-9,
    index=(1, 2), compared=6, kinks=0, wrong=0, unresolved=0, verdict="passed",
)  # fmt: skip


def test_lines_of_a_report() -> None:
    line = (
        "Affine1.W (2, 3): relative error 3.3e-01 at (1, 2), analytic 0.5, numerical 0.3333333333 ± 1.0e-09"
    )
    assert str(ENTRY) == f"{line}: passed"
    full = replace(ENTRY, kinks=3, wrong=2, unresolved=1, reason="not smooth", verdict="FAILED")
    told = "2 of 6 entries wrong, 3 kinks, 1 of 6 entries unresolved: not smooth"
    assert str(full) == f"{line}, {told}: FAILED"
    report = GradientReport("Net", "numpy", "cpu", 1e-7, (ENTRY, full), ("it is odd",), 9, "Affine1")
    assert str(report).splitlines() == [
        str(ENTRY),
        str(full),
        "FAILED: it is odd",
        "first wrong, going backward: Affine1",
    ]
    assert (report.passed, report.failed) == (False, True)


@pytest.mark.parametrize(
    ("verdicts", "problems", "passed", "failed"),
    [
        (["passed", "passed"], (), True, False),
        (["passed", "passed"], ("odd",), False, True),
        (["passed", "FAILED"], (), False, True),
        (["passed", "unresolved"], (), False, False),
        (["passed", "wrong above"], (), False, True),
        ([], (), False, True),
    ],
)
def test_verdict_of_a_report(verdicts: list[str], problems: Any, passed: bool, failed: bool) -> None:
    entries = tuple(replace(ENTRY, verdict=verdict) for verdict in verdicts)
    report = GradientReport("Net", "numpy", "cpu", 1e-7, entries, problems)
    assert (report.passed, report.failed) == (passed, failed)
    data = report.to_dict()
    assert (data["passed"], data["failed"]) == (passed, failed)
    assert [entry["passed"] for entry in data["entries"]] == [verdict == "passed" for verdict in verdicts]


def test_a_report_as_data_has_no_infinities() -> None:
    entry = replace(ENTRY, error=math.inf, numerical=math.nan)
    data = GradientReport("Net", "numpy", "cpu", 1e-7, (entry,), ("odd",), 9, "Affine1").to_dict()
    assert data == {
        "subject": "Net", "backend": "numpy", "device": "cpu", "gate": 1e-7, "problems": ("odd",),
        "evaluations": 9, "culprit": "Affine1", "cut_short": False, "passed": False, "failed": True,
        "entries": [{**asdict(ENTRY), "error": None, "numerical": None, "passed": True}],
    }  # fmt: skip


def test_what_an_evaluation_is(rng: np.random.Generator) -> None:
    """Six for the noise of an array, three for each of its entries."""
    report = check_gradients(*Affine.case(rng), h=1e-4)
    assert report.evaluations == sum(6 + 3 * entry.compared for entry in report.entries)
    network, x, t = stack(rng, Tanh())
    report = check_gradients(network, x, t, h=1e-4)
    assert report.evaluations == sum(6 + 3 * entry.compared for entry in report.entries)


def test_users_layer_with_a_parameter_of_its_own(backend: Backend) -> None:
    class Scale(Layer):
        def forward(self, x: Array, *, training: bool = False) -> Array:
            self.saved = x if training else None
            return x * self.params["a"]

        def backward(self, dout: Array) -> Array:
            self.grads["a"] = namespace_of(dout).sum(dout * self.saved, axis=0)
            return dout * self.params["a"]

    report = check_gradients(
        Scale(a=np.asarray([2.0, 3.0])), np.asarray([[1.0, -2.0], [0.5, 4.0]]), device=backend
    )
    assert report.passed, f"\n{report}"


class KeepsResult(Tanh):
    def forward(self, x: Array, *, training: bool = False) -> Array:
        y = namespace_of(x).tanh(x)
        self.saved = y if training else None
        return y

    def backward(self, dout: Array) -> Array:
        return dout * (1.0 - self.saved * self.saved)


class ReturnsItsArgument(Layer):
    def forward(self, x: Array, *, training: bool = False) -> Array:
        self.saved = True if training else None
        return x if training else x * 1.0

    def backward(self, dout: Array) -> Array:
        assert self.saved
        return dout * 1.0


class ReturnsItsArgumentInInference(Layer):
    def forward(self, x: Array, *, training: bool = False) -> Array:
        self.saved = True if training else None
        return x * 1.0 if training else namespace_of(x).reshape(x, x.shape)

    def backward(self, dout: Array) -> Array:
        assert self.saved
        return dout * 1.0


class ReturnsDout(ReturnsItsArgument):
    def forward(self, x: Array, *, training: bool = False) -> Array:
        return super().forward(x, training=training) * 1.0

    def backward(self, dout: Array) -> Array:
        return namespace_of(dout).reshape(dout, dout.shape)


class OneMemoryTwice(Add):
    def forward(self, x: Array, y: Array, *, training: bool = False) -> Array:
        self.saved = True if training else None
        return x + y

    def backward(self, dout: Array) -> tuple[Array, Array]:
        assert self.saved
        dx = dout * 1.0
        return dx, dx


class DoutAsGradient(Layer):
    """y = x + b for a b of x's shape."""

    def forward(self, x: Array, *, training: bool = False) -> Array:
        self.saved = True if training else None
        return x + self.params["b"]

    def backward(self, dout: Array) -> Array:
        assert self.saved
        self.grads["b"] = dout
        return dout * 1.0


class ReturnsParameter(DoutAsGradient):
    """y = b: the parameter itself."""

    def forward(self, x: Array, *, training: bool = False) -> Array:
        self.saved = True if training else None
        return self.params["b"]

    def backward(self, dout: Array) -> Array:
        assert self.saved
        self.grads["b"] = dout * 1.0
        return dout * 0.0


class KeepsDx(Tanh):
    """Hands out a dx that it keeps for the next time."""

    def backward(self, dout: Array) -> Array:
        dx = super().backward(dout)
        if "dx" not in self.constants:
            self.constants["dx"] = dx
        return self.constants["dx"]


SHARED: dict[Any, str] = {
    KeepsResult: "writing over y, which is the caller's, changes the gradient of x",
    ReturnsItsArgument: "writing over y, which is the caller's, changes x",
    ReturnsItsArgumentInInference: "writing over y of an inference, which is the caller's, changes x",
    ReturnsDout: "writing over the gradient of x, which is the caller's, changes dout",
    OneMemoryTwice: "writing over the gradient of x, which is the caller's, changes the gradient of y",
    DoutAsGradient: "writing over the gradient of b, which is the caller's, changes dout",
    ReturnsParameter: "writing over y, which is the caller's, changes b",
    KeepsDx: "writing over results, which is the caller's, changes the gradient of x in the next run",
}


@pytest.mark.parametrize("kind", SHARED, ids=lambda kind: kind.__name__)
def test_shared_memory_is_found(kind: Any, backend: Backend, rng: np.random.Generator) -> None:
    x = rng.standard_normal((3, 4))
    inputs = (x, rng.standard_normal((3, 4))) if kind is OneMemoryTwice else (x,)
    params = {"b": rng.standard_normal((3, 4))} if issubclass(kind, DoutAsGradient) else {}
    report = check_gradients(kind(**params), *inputs, device=backend)
    assert SHARED[kind] in report.problems, f"\n{report}"
    assert all(entry.passed for entry in report.entries)
    assert report.failed


def test_shared_memory_in_a_network_is_found(backend: Backend, rng: np.random.Generator) -> None:
    report = check_gradients(*stack(rng, KeepsResult()), device=backend)
    assert f"KeepsResult1: {SHARED[KeepsResult]}" in report.problems


@pytest.mark.parametrize("name", CASES)
def test_results_belong_to_the_caller(name: str, backend: Backend) -> None:
    node, *inputs = CASES[name](np.random.default_rng(0))
    assert list(results_shared(made(node, inputs, backend, 0, "float64"), backend)) == []


class ReturnsX(Network):
    def forward(self, x: Array, *, training: bool = False) -> Array:
        return super().forward(x, training=True) if training else namespace_of(x).reshape(x, x.shape)


class ReturnsXAsDx(Network):
    def forward(self, x: Array, *, training: bool = False) -> Array:
        self.kept = x
        return super().forward(x, training=training)

    def backward(self, dout: Any = 1.0) -> Array:
        super().backward(dout)
        return self.kept


class ReturnsParameterAsDx(Network):
    def backward(self, dout: Any = 1.0) -> Array:
        super().backward(dout)
        return self.params["b1"]


@pytest.mark.parametrize(
    ("kind", "problem"),
    [
        (ReturnsX, "writing over y of an inference, which is the caller's, changes x"),
        (ReturnsXAsDx, "writing over dx, which is the caller's, changes x"),
        (ReturnsParameterAsDx, "writing over dx, which is the caller's, changes b1"),
        (Network, None),
    ],
)
def test_results_of_a_network_are_the_callers(
    kind: Any, problem: str | None, backend: Backend, rng: np.random.Generator
) -> None:
    inputs = [rng.standard_normal((5, 3)), rng.integers(0, 3, 5)]
    network = kind([Affine(rng.standard_normal((3, 3)), np.ones(3))])
    subject = made(network, inputs, backend, 0, "float64")
    assert list(results_shared(subject, backend)) == ([problem] if problem else [])


OF_NODES = {
    "_arguments_kept": ["arguments"],
    "_layout_ignored": ["layout"],
    "_repeats": ["repetition"],
    "_zero_in_zero_out": ["zero"],
    "_kind_kept": ["float64", "float32"],
    "_float32_agrees": ["precision"],
    "_inference_agrees": ["inference"],
    "results_shared": ["memory"],
    "_needs_forward": ["order"],
    "_computes_in_float64": ["digits"],
    "_params_alone_agree": ["bottom"],
}


@pytest.mark.parametrize("promise", OF_NODES)
def test_a_promise_that_cannot_be_tried_is_named(
    promise: str, monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator
) -> None:
    def fail(*_: Any) -> Any:
        raise ArithmeticError("no luck")

    monkeypatch.setattr(promises, promise, fail)
    expected = tuple(f"{name}: raised ArithmeticError: no luck" for name in OF_NODES[promise])
    of_layers, of_nodes = (
        promise == "_params_alone_agree",
        promise in ("_needs_forward", "_computes_in_float64"),
    )
    assert check_gradients(*Affine.case(rng)).problems == expected
    assert check_gradients(*SoftmaxWithLoss.case(rng)).problems == (() if of_layers else expected)
    assert check_gradients(*stack(rng, Tanh())).problems == (() if of_nodes else expected)


@pytest.mark.parametrize("in_place", [True, False])
def test_what_was_varied_is_as_it_was(in_place: bool, backend: Backend, rng: np.random.Generator) -> None:
    subject = made(*stackable(rng), backend, 0, "float64")
    subject.gradients()
    slot = ("Affine1", "W")
    variable: Any = Variable(subject, slot)
    variable._in_place = variable._in_place and in_place
    before, whole = variable.values.copy(), subject.terms()

    def now() -> np.ndarray:
        return np.array(backend.to_numpy(subject.get(slot)))

    assert not np.array_equal(variable.entry(5, 9.0), whole)
    np.testing.assert_array_equal(now(), before)
    assert not np.array_equal(variable.whole(before + 1.0), whole)
    np.testing.assert_array_equal(now(), before)
    np.testing.assert_array_equal(variable.whole(before), whole)
    seen: list[np.ndarray] = []

    def fail(*_: Any) -> Any:
        seen.append(now())
        raise KeyError("f")

    subject.terms = fail  # type: ignore[method-assign]
    for use in (lambda: variable.entry(5, 9.0), lambda: variable.whole(before + 1.0)):
        with pytest.raises(KeyError):
            use()
        np.testing.assert_array_equal(now(), before)
    changed = before.copy()
    changed.reshape(-1)[5] = 9.0
    np.testing.assert_array_equal(seen, [changed, before + 1.0])


def stackable(rng: np.random.Generator) -> tuple[Network, list[np.ndarray]]:
    network, *inputs = stack(rng, Tanh())
    return network, inputs


def test_what_rounding_changes_of_a_gradient(backend: Backend, rng: np.random.Generator) -> None:
    """Of dy/dx = a no more than a rounds, of dy/da = Σ x as much as the largest sum does."""
    W, x = rng.uniform(1.0, 2.0, (3, 2)), rng.uniform(1.0, 2.0, (4, 3))
    subject = made(Affine(W, np.zeros(2)), [x], backend, 0, "float64")
    changes = rounding_changes(subject, 1e-6)
    dout = subject.dout  # type: ignore[union-attr]
    of_x = np.abs(dout) @ np.abs(W).T
    assert 0.1e-6 * of_x.max() < changes["Affine", "x"] <= 1.001e-6 * of_x.max()
    of_W = np.abs(x).T @ np.abs(dout)
    assert 0.1e-6 * of_W.max() < changes["Affine", "W"] <= 1.001e-6 * of_W.max()
    assert changes["Affine", "b"] == 0.0
    assert rounding_changes(subject, 1e-6) == changes
    np.testing.assert_array_equal(backend.to_numpy(subject.get(("Affine", "W"))), W)
    np.testing.assert_array_equal(backend.to_numpy(subject.get(("Affine", "x"))), x)


def test_between_the_layers_of_a_network_all_is_rounded(rng: np.random.Generator) -> None:
    network, inputs = stackable(rng)
    subject = made(network, inputs, get_backend("cpu"), 0, "float64")
    seen: list[tuple[int, ...]] = []

    def doubled(array: Array) -> Array:
        seen.append(array.shape)
        return array * 1.0

    exact, same = subject.gradients(), subject.gradients_with(doubled)
    assert seen == [(5, 3), (5, 3), (5, 2), (5, 2), (5, 3), (5, 3)]
    for slot, values in exact.items():
        np.testing.assert_array_equal(values, same[slot])


def test_class_without_case() -> None:
    with pytest.raises(NotImplementedError, match=r"Layer has no case to check: add a classmethod case"):
        Layer.case(np.random.default_rng(0))


@pytest.mark.parametrize("scale", [1e155, 1e170, 1e200, 1e300])
@pytest.mark.parametrize("wrong", [0.0, 2.0])
def test_differences_that_overflow_pass_nothing(scale: float, wrong: float) -> None:
    x = np.asarray([1.0, -2.0])
    report = check_gradients(lambda x: scale * (x * x).sum(), lambda x: wrong * 2.0 * scale * x, x)
    assert not report.passed
