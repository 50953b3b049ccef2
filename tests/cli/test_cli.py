"""The command line, as a shell sees it."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backprop.cli import main
from backprop.cli.check_subjects import checkable

SHORT = ["train", "--device", "cpu", "--iters", "700"]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs are kept in the current folder, and reports take their time."""
    monkeypatch.chdir(tmp_path_factory.mktemp("cwd"))
    monkeypatch.setenv("BACKPROP_NO_REPORT", "1")


@pytest.fixture
def small(tmp_path: Path) -> str:
    """A data set that trains in no time."""
    rng = np.random.default_rng(0)
    t_train, t_test = rng.integers(0, 3, 300), rng.integers(0, 3, 60)
    x_train, x_test = (rng.standard_normal((len(t), 4)) + 3.0 * np.eye(3, 4)[t] for t in (t_train, t_test))
    path = tmp_path / "small.npz"
    np.savez(path, x_train=x_train.astype("f"), t_train=t_train, x_test=x_test.astype("f"), t_test=t_test)
    return str(path)


def backprop(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "backprop", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, **options)  # type: ignore[call-overload,no-any-return]


def fails(capsys: pytest.CaptureFixture[str], *arguments: str, status: int = 1) -> str:
    """The one line on stderr of a command that fails."""
    assert main(arguments) == status
    out, err = capsys.readouterr()
    assert err.count("\n") == 1
    assert err.startswith("backprop: error: ")
    assert "Traceback" not in out + err
    return err


def usage(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    return capsys.readouterr().err


def test_help_and_version_import_no_numpy() -> None:
    code = (
        "import sys; from backprop.cli import main\n"
        "try: main(['{}'])\n"
        "except SystemExit: print('numpy' in sys.modules, 'rich' in sys.modules)"
    )
    for option in ("--help", "--version"):
        done = subprocess.run(
            [sys.executable, "-c", code.format(option)], capture_output=True, text=True, check=True
        )
        assert done.stdout.splitlines()[-1] == "False False"


def test_train_prints_what_runs_where(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(SHORT) == 0
    out, err = capsys.readouterr()
    assert err == ""
    lines = out.splitlines()
    assert lines[0] == "TwoLayerNet(Affine1 · Relu1 · Affine2 · SoftmaxWithLoss): 39,760 parameters, float32"
    assert lines[1].startswith(f"device cpu: numpy {np.__version__}, ")
    assert lines[2] == "data mnist: 60,000 to train on, 10,000 to test on"
    assert lines[3] == "700 steps, batches of 100 without replacement, SGD lr 0.1, seed 0"
    assert lines[4] == "run runs/two-layer-1"
    assert lines[6].split() == ["epoch", "step", "loss", "train", "accuracy", "test", "accuracy"]
    assert [line.split()[:2] for line in lines[7:9]] == [["1", "600"], ["2", "700"]]
    assert float(lines[8].split()[-1]) > 0.9
    assert lines[-2].startswith("test accuracy 0.9")
    assert "steps/s" in lines[-2]
    assert lines[-1] == "checkpoint runs/two-layer-1/checkpoint-00000700.safetensors"


def test_train_json_is_one_object_a_line(small: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        main(["train", "--device", "cpu", "--data", small, "--epochs", "5", "--batch-size", "50", "--json"])
        == 0
    )
    out, err = capsys.readouterr()
    assert err == ""
    events = [json.loads(line) for line in out.splitlines()]
    assert [event["event"] for event in events] == ["start", *["epoch"] * 5, "end"]
    start, end = events[0], events[-1]
    assert (start["parameters"], start["steps"], start["data"], start["dtype"]) == (
        403,
        30,
        "small",
        "float32",
    )
    assert end["step"] == 30
    assert end["test_accuracy"] == events[-2]["test_accuracy"] > 0.7


def test_train_is_reproducible(small: str, capsys: pytest.CaptureFixture[str]) -> None:
    def losses(*more: str) -> list[float]:
        main(["train", "--device", "cpu", "--data", small, "--epochs", "2", "--json", *more])
        return [json.loads(line)["loss"] for line in capsys.readouterr().out.splitlines()[1:-1]]

    assert losses() == losses()
    assert losses("--seed", "1") != losses()
    assert losses("--sampling", "with-replacement") != losses()
    assert losses("--dtype", "float64") != losses()
    assert losses("--dtype", "float64") == pytest.approx(losses(), rel=1e-5)


def test_threads(small: str) -> None:
    environment = {key: value for key, value in os.environ.items() if not key.endswith("_NUM_THREADS")}

    def threads(*options: str, **variables: str) -> int:
        arguments = ("train", "--device", "cpu", "--data", small, "--iters", "1", "--json", *options)
        done = backprop(*arguments, env={**environment, **variables})
        return int(json.loads(done.stdout.splitlines()[0])["threads"])

    most = threads("--threads", "64")  # as many as there are processors
    assert threads() == 1
    assert threads("--threads", "2") == min(2, most)
    assert threads(OMP_NUM_THREADS="2") == min(2, most)
    assert threads("--hidden", "100_000") == most


def test_quiet_prints_the_folder_and_the_last_line_only(
    small: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["train", "--device", "cpu", "--data", small, "--epochs", "2", "--quiet"]
    assert main(words) == main([*words, "--no-save"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    lines = out.splitlines()
    assert lines[0] == "run runs/two-layer-1"
    assert [line.startswith("test accuracy 0.") for line in lines] == [False, True, True]


@pytest.mark.parametrize("place", ["fresh", "unwritable"])
@pytest.mark.parametrize("option", ["--quiet", "--json"])
def test_matplotlib_says_nothing(place: str, option: str, small: str, tmp_path: Path) -> None:
    """Neither that it builds a cache, which it says here at once and not after 5 s, nor that it cannot."""
    code = (
        "import threading as t, sys; Timer = t.Timer; t.Timer = lambda s, f: Timer(0, f)\n"
        "from backprop.cli import main; sys.exit(main())"
    )
    folder = {"fresh": str(tmp_path / "new"), "unwritable": os.devnull}[place]
    environment = {**os.environ, "MPLCONFIGDIR": folder, "BACKPROP_NO_REPORT": "0", "HOME": os.devnull}

    def trained(*words: str) -> subprocess.CompletedProcess[str]:
        train = ["train", "--device", "cpu", "--data", small, "--epochs", "1", *words]
        command = [sys.executable, "-c", code, *train]
        return subprocess.run(command, capture_output=True, text=True, env=environment, check=True)

    done = trained(option)
    assert done.stderr == ""
    assert Path("runs/two-layer-1/report.html").read_text("utf-8").count("<svg") > 2
    if option == "--json":
        assert [json.loads(line)["event"] for line in done.stdout.splitlines()] == ["start", "epoch", "end"]
    if place == "unwritable" and option == "--quiet":
        assert "Matplotlib" in trained("--debug").stderr


def test_train_on_another_backend(small: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--device", "strict", "--data", small, "--epochs", "2"]) == 0
    assert "device device1: strict" in capsys.readouterr().out


@pytest.mark.parametrize("number", ["0", "-1", "2.5", "many"])
@pytest.mark.parametrize("option", ["--hidden", "--iters", "--epochs", "--batch-size", "--threads"])
def test_invalid_numbers(option: str, number: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert f"argument {option}: expected a whole number of at least 1, got '{number}'" in usage(
        capsys, "train", option, number
    )


@pytest.mark.parametrize("rate", ["nan", "-1", "inf", "fast"])
def test_wrong_rate(rate: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert "expected a finite number of at least 0" in usage(capsys, "train", "--lr", rate)


@pytest.mark.parametrize("norm", ["0", "-1"])
def test_wrong_norm(norm: str, capsys: pytest.CaptureFixture[str]) -> None:
    error = f"argument --clip-norm: expected a finite number above 0, got '{norm}'"
    assert error in usage(capsys, "train", "--clip-norm", norm)


def test_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert "not allowed with argument" in usage(capsys, "train", "--iters", "1", "--epochs", "1")
    assert "see backprop train --help" in usage(capsys, "train", "--lr")
    for word, near in (("trian", "train"), ("chek", "check")):
        assert f"did you mean {near}?" in usage(capsys, word)
    assert "unrecognized arguments: --epohcs 3; did you mean --epochs?" in usage(
        capsys, "train", "--epohcs", "3"
    )
    assert usage(capsys, "train", "--epochs", "0").count("\n") == 1
    assert main([]) == 0
    assert "train a network" in capsys.readouterr().out
    assert "invalid choice: 'sorted'" in usage(capsys, "train", "--sampling", "sorted")


def test_errors_in_one_line(small: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "unknown device 'tpu': expected one of auto, cpu, gpu" in fails(
        capsys, "train", "--device", "tpu", status=2
    )
    assert "nowhere: no such file or folder" in fails(capsys, "train", "--device", "cpu", "--data", "nowhere")
    (tmp_path / "empty").mkdir()
    assert "no file train-images-idx3-ubyte" in fails(
        capsys, "train", "--device", "cpu", "--data", str(tmp_path / "empty")
    )
    message = fails(capsys, "train", "--device", "cpu", "--data", small, "--batch-size", "301")
    assert "expected a batch size from 1 to the 300 samples there are, got 301" in message


def test_gpu_that_is_missing(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backends.cupy.backend.cuda_version", lambda: None)
    monkeypatch.setattr("backends.registry._opened", {})
    message = fails(capsys, "train", "--device", "gpu")
    assert (
        "backend 'cupy' cannot be used: no NVIDIA driver was found on this machine; install the driver"
        in message
    )


def test_unreadable_data(
    small: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("zipfile.ZipFile.__init__", refuse)
    assert "small.npz: cannot be read (Permission denied)" in fails(
        capsys, "train", "--device", "cpu", "--data", small
    )


def test_debug_shows_the_traceback() -> None:
    done = backprop("train", "--data", "nowhere", "--debug")
    assert done.returncode == 1
    assert "Traceback" in done.stderr


def test_divergence_has_its_own_status(small: str) -> None:
    done = backprop("train", "--device", "cpu", "--data", small, "--lr", "1e30", "--epochs", "3")
    assert done.returncode == 3
    assert done.stderr.startswith("backprop: error: training diverged at step ")
    assert "Affine" in done.stderr
    assert done.stderr.count("\n") == 1


def test_warnings_in_one_line(small: str, tmp_path: Path) -> None:
    with np.load(small) as arrays:
        large = {name: value * 1e3 if name[0] == "x" else value for name, value in arrays.items()}
    data = str(tmp_path / "large.npz")
    np.savez(data, **large)
    done = backprop("train", "--device", "cpu", "--data", data, "--lr", "1e-9", "--epochs", "2")
    assert done.returncode == 0
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("backprop: warning: the inputs are large, from ")


def test_the_digits_of_float64_data_are_no_matter_for_a_command(small: str, tmp_path: Path) -> None:
    with np.load(small) as arrays:
        doubled = {name: value.astype(float) if name[0] == "x" else value for name, value in arrays.items()}
    data, run = str(tmp_path / "double.npz"), str(tmp_path / "run")
    np.savez(data, **doubled)
    for words in (
        ["train", "--device", "cpu", "--data", data, "--epochs", "2", "--out", run],
        ["evaluate", run],
        ["predict", run, "--input", data],
    ):
        done = backprop(*words)
        assert (done.returncode, done.stderr) == (0, "")


def test_interrupt() -> None:
    command = [sys.executable, "-m", "backprop", "train", "--device", "cpu", "--iters", "1000000"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        while not process.stdout.readline().startswith("    1"):
            pass
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.startswith("backprop: interrupted after step ")
    assert err.count("\n") == 1


def test_closed_pipe(small: str) -> None:
    command = f"{sys.executable} -m backprop train --device cpu --data {small} --epochs 1000000 | head -n 2"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=120, check=True)
    assert done.stderr.startswith("backprop: nobody reads the output; stopped after step ")
    assert done.stderr.count("\n") == 1
    assert done.stdout.count("\n") == 2


def on_a_terminal(*arguments: str, **environment: str) -> tuple[str, str]:
    """stdout, and what a terminal on stderr receives."""
    leader, follower = pty.openpty()
    env = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "100", **environment}
    command = [sys.executable, "-m", "backprop", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=follower, env=env, text=True) as process:
        os.close(follower)
        seen = b""
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            try:
                chunk = os.read(leader, 65536)
            except OSError:
                break
            if not chunk:
                break
            seen += chunk
        assert process.stdout is not None
        out = process.stdout.read()
    os.close(leader)
    assert process.returncode == 0
    return out, seen.decode()


def test_live_line_goes_to_the_terminal_and_rows_to_stdout() -> None:
    out, err = on_a_terminal("train", "--device", "cpu", "--iters", "3000")
    assert "step " in err
    assert "/3,000" in err
    assert "loss " in err
    assert "steps/s" in err
    assert "\x1b" not in out
    assert out.splitlines()[-2].startswith("test accuracy")
    out, err = on_a_terminal("train", "--device", "cpu", "--iters", "1200", "--quiet")
    assert err == ""


def test_no_color_is_honoured() -> None:
    _, coloured = on_a_terminal("train", "--device", "cpu", "--iters", "1200")
    _, plain = on_a_terminal("train", "--device", "cpu", "--iters", "1200", NO_COLOR="1")
    assert "\x1b[38;" in coloured or "\x1b[3" in coloured
    assert "\x1b[38;" not in plain
    assert "\x1b[35m" not in plain


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


@pytest.fixture
def pictures(tmp_path: Path) -> str:
    """Images 12×12 whose brighter half tells the class."""
    rng = np.random.default_rng(0)
    t_train, t_test = rng.integers(0, 2, 80), rng.integers(0, 2, 20)

    def images(t: np.ndarray) -> np.ndarray:
        x = rng.integers(0, 60, (len(t), 12, 12))
        x[t == 0, :6] += 150
        x[t == 1, 6:] += 150
        return x.astype(np.uint8)

    path = tmp_path / "pictures.npz"
    np.savez(path, x_train=images(t_train), t_train=t_train, x_test=images(t_test), t_test=t_test)
    return str(path)


def first_event(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    """What a run says of itself; it must end well."""
    assert main(["train", "--device", "cpu", "--json", *arguments]) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert events[-1]["event"] == "end"
    start: dict[str, Any] = events[0]
    return start


@pytest.mark.parametrize(
    ("options", "network"),
    [
        (["--net", "mlp"], "MultiLayerNet(Affine1 · Relu1 · Affine2 · Relu2 · Affine3 · SoftmaxWithLoss)"),
        (["--net", "Two-Layer"], "TwoLayerNet(Affine1 · Relu1 · Affine2 · SoftmaxWithLoss)"),
        (
            ["--net", "MLP", "--activation", "Tanh"],
            "MultiLayerNet(Affine1 · Tanh1 · Affine2 · Tanh2 · Affine3 · SoftmaxWithLoss)",
        ),
        (
            [
                "--net",
                "mlp",
                "--layers",
                "144-9-2",
                "--activation",
                "tanh",
                "--batch-norm",
                "--dropout",
                "0.1",
            ],
            "MultiLayerNet(Affine1 · BatchNorm1 · Tanh1 · Dropout1 · Affine2 · SoftmaxWithLoss)",
        ),
        (
            ["--net", "simple-conv", "--init", "he"],
            "SimpleConvNet(Conv1 with Relu1 and Pool1 · Affine1 · Relu2 · Affine2 · SoftmaxWithLoss)",
        ),
        (
            ["--net", "deep-conv", "--dropout", "0", "--hidden", "7"],
            "DeepConvNet(Conv1 · Relu1 · Conv2 with Relu2 and Pool1 · Conv3 · Relu3 · Conv4 with Relu4 and Pool2 · Conv5 · Relu5 · Conv6 with Relu6 and Pool3 · Affine1 · Relu7 · "
            "Affine2 · SoftmaxWithLoss)",
        ),
    ],
)
def test_train_every_network(
    options: list[str], network: str, pictures: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run = ["--data", pictures, "--epochs", "2", "--batch-size", "20", "--optimizer", "adam", *options]
    assert first_event(capsys, *run)["network"] == network


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (["--optimizer", "sgd"], {"optimizer": "SGD", "lr": 0.1}),
        (["--optimizer", "Adam"], {"optimizer": "Adam", "lr": 0.001}),
        (
            ["--optimizer", "momentum", "--clip-norm", "2"],
            {"optimizer": "Momentum", "lr": 0.01, "clip_norm": 2.0},
        ),
        (["--optimizer", "adamw", "--weight-decay", "0.1", "--lr", "0.5"], {"optimizer": "AdamW", "lr": 0.5}),
        (
            ["--schedule", "cosine:0.01", "--warm-up", "3"],
            {"schedule": "cosine:0.01", "warm_up": 3, "lr": 0.1},
        ),
        (["--schedule", "step:5:0.5"], {"schedule": "step:5:0.5", "lr": 0.1}),
        (["--schedule", "Cosine:1E-4", "--optimizer", "ADAM"], {"schedule": "cosine:1e-4", "lr": 0.001}),
        (["--weight-decay", "0.01"], {"weight_decay": 0.01}),
    ],
)
def test_train_with_every_optimizer(
    options: list[str], found: dict[str, Any], small: str, capsys: pytest.CaptureFixture[str]
) -> None:
    start = first_event(capsys, "--data", small, "--epochs", "2", *options)
    assert {key: start[key] for key in found} == found


def test_what_is_unusual_is_said(small: str, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--optimizer", "nesterov", "--schedule", "step:9", "--warm-up", "2", "--weight-decay", "0.01"]
    assert (
        main(["train", "--device", "cpu", "--data", small, "--epochs", "1", *options, "--clip-norm", "3"])
        == 0
    )
    line = capsys.readouterr().out.splitlines()[3]
    assert line.endswith(
        "Nesterov lr 0.01, schedule step:9, warm-up 2, weight decay 0.01, norm at most 3.0, seed 0"
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--net", "mpl"],
            "unknown network 'mpl': expected one of deep-conv, mlp, simple-conv, two-layer; did you mean mlp",
        ),
        (["--optimizer", "adem"], "unknown optimizer 'adem': expected one of adagrad, adam, "),
        (["--net", "mlp", "--activation", "rleu"], "unknown activation 'rleu'"),
        (["--init", "hee"], "unknown initial values 'hee': expected a number or one of he, "),
        (["--net", "mlp", "--layers", "5-3"], "--layers 5-3: the data has 4 numbers a sample and 3 classes"),
        (["--net", "mlp", "--layers", "4-x-3"], "--layers: expected widths such as 4-100-100-3, got '4-x-3'"),
        (["--dropout", "0.5"], "--dropout is for --net mlp and deep-conv, not for two-layer"),
        (
            ["--net", "mlp", "--hidden", "3"],
            "--hidden is for --net two-layer and simple-conv and deep-conv, not for mlp",
        ),
        (["--net", "mlp", "--dropout", "1"], "Dropout: expected a ratio from 0 to below 1, got 1.0"),
        (["--net", "simple-conv"], "expected images (H, W) or (C, H, W) for this network, got samples (4,)"),
        (
            ["--schedule", "linear"],
            "--schedule linear: no such schedule; expected constant, cosine, cosine:LOWEST",
        ),
        (
            ["--schedule", "step:0"],
            "--schedule step:0: Step: expected every to be a whole number of at least 1",
        ),
        (
            ["--schedule", "cosine:0.2"],
            "--schedule cosine:0.2: Cosine: expected lowest to be at most lr, 0.1, got 0.2",
        ),
        (["--schedule", "cosine:x"], "--schedule cosine:x: could not convert string to float"),
    ],
)
def test_a_network_that_cannot_be(
    options: list[str], message: str, small: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status = 1 if message.startswith(("expected images", "Dropout: ")) else 2
    assert message in fails(capsys, "train", "--device", "cpu", "--data", small, *options, status=status)


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

class NoLayerWithCase:
    forward = backward = lambda self, x: x

    @classmethod
    def case(cls, rng):
        return cls(), rng.standard_normal(3)

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
        ("NoLayer", "NoLayer is not a layer: derive it from backprop.layers.Layer"),
        ("NoLayerWithCase", "NoLayerWithCase is no Layer: derive it from backprop.layers.Layer"),
        ("no_case", "no_case.case = lambda rng: (no_case, its_gradient, rng.standard_normal(3))"),
        ("Listed", "case must return a tuple such as (layer, x), got a list"),
    ):
        assert message in fails(capsys, "check", f"{own_module}:{name}")
    for subject in (".own:Good", "own/module:Good", "own.py"):
        assert f"code/my_module.py:MyLayer, got {subject!r}" in fails(capsys, "check", subject, status=2)
    assert "unknown layer 'Relo': expected all or one of Add, " in fails(
        capsys, "check", "--layer", "Relo", status=2
    )


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


def test_devices(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["devices"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["numpy", "cupy", "torch", "strict"]
    assert lines[0] == f"numpy   usable    {np.__version__} on cpu"
    assert all(line.split()[1] == "usable" or ";" in line for line in lines)
    assert main(["devices", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["usable"] is True


def test_precision_is_for_a_gpu(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUPY_TF32", "0")
    error = fails(capsys, "train", "--device", "cpu", "--precision", "tf32", "--iters", "1", status=2)
    assert "--precision tf32 is for a GPU (--device gpu), but the device is cpu" in error


def test_no_capture_trains_alike(capsys: pytest.CaptureFixture[str], small: str) -> None:
    results = []
    for options in ([], ["--no-capture"]):
        assert main(["train", "--device", "cpu", "--data", small, "--epochs", "3", "--json", *options]) == 0
        lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert lines[0]["capture"] is not bool(options)
        results.append([(line["loss"], line["test_accuracy"]) for line in lines if line["event"] == "epoch"])
    assert results[0] == results[1]
