"""The command line, as a shell sees it."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from backprop.cli import main

from ..commands import backprop, fails

pytestmark = pytest.mark.usefixtures("elsewhere")


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
    assert "expected a batch size from 1 to the 300 samples given, got 301" in message


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
        assert any(line.startswith("    1") for line in iter(process.stdout.readline, ""))
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.startswith("backprop: interrupted after step ")
    assert err.count("\n") == 1


def test_closed_pipe(small: str) -> None:
    command = f"{sys.executable} -m backprop train --device cpu --data {small} --epochs 1000000 | head -n 2"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=120, check=True)
    assert done.stderr.startswith("backprop: the output was closed; stopped after step ")
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
