"""Settings from a checkpoint: of a run that is resumed, or that another one starts from."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from backprop import TwoLayerNet
from backprop.cli import main
from backprop.cli.merge import merge_settings
from backprop.cli.settings import TrainSettings
from backprop.saving import run_folder
from backprop.saving.checkpoint import (
    read_checkpoint,
    read_contents,
    write_checkpoint,
)
from backprop.saving.network import save_network

from ..commands import fails
from .runs import MLP, TRAIN, epochs, params, train

pytestmark = pytest.mark.usefixtures("folder")


def in_a_process(*words: str, **variables: str) -> tuple[dict[str, Any], str]:
    """The first object of the command's output, and its stderr."""
    env = {key: value for key, value in os.environ.items() if not key.endswith("_NUM_THREADS")}
    command = [sys.executable, "-m", "backprop", "train", *words, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={**env, **variables})
    return json.loads(done.stdout.splitlines()[0]), done.stderr


def with_threads(path: Path, threads: Any) -> None:
    checkpoint = read_checkpoint(path)
    checkpoint.description["machine"]["threads"] = threads
    write_checkpoint(path, checkpoint)


def test_a_resumed_run_has_the_threads_that_it_had() -> None:
    in_a_process(*TRAIN[1:], "--epochs", "1", "--out", "here")
    (path,) = run_folder.checkpoints(Path("here"))
    assert read_contents(path).description["machine"]["threads"] == 1
    for variables in ({}, {"OPENBLAS_NUM_THREADS": "2"}):
        start, err = in_a_process(
            "--resume", str(path), "--epochs", "2", "--out", f"to{len(variables)}", **variables
        )
        assert (start["threads"], err) == (1, "")
    with_threads(path, 2)
    assert in_a_process("--resume", str(path), "--epochs", "2", "--out", "two")[0]["threads"] == 2
    start, err = in_a_process("--resume", str(path), "--epochs", "2", "--out", "flag", "--threads", "1")
    assert start["threads"] == 1
    assert err.startswith(f"backprop: warning: {path}: the resumed run may differ from ")
    assert err.endswith("an uninterrupted one: threads 1 here, 2 there\n")
    for threads in ("2", 0, True):
        with_threads(path, threads)
        start, err = in_a_process("--resume", str(path), "--epochs", "2", "--out", f"odd{threads}")
        assert start["threads"] == 1
        assert f"threads 1 here, {threads} there" in err or threads is True


def test_resume_of_a_folder_or_of_the_latest_run(capsys: pytest.CaptureFixture[str]) -> None:
    train("--epochs", "2")
    train("--epochs", "1", "--net", "mlp")
    for words in (["--resume"], ["--resume", "runs/mlp-1"]):
        capsys.readouterr()
        assert main(["train", *words, "--epochs", "3", "--json"]) == 0
        start = json.loads(capsys.readouterr().out.splitlines()[0])
        assert start["network"].startswith("MultiLayerNet(")
        assert start["out"] == "runs/mlp-1"
    assert len(epochs("runs/mlp-1")) == 3
    run = read_contents(run_folder.checkpoints(Path("runs/mlp-1"))[-1]).description["run"]
    assert [part.split()[:2] for part in run["command"].split(" && ")] == [["backprop", "train"]] * 2


def test_a_resumed_run_keeps_its_settings(capsys: pytest.CaptureFixture[str]) -> None:
    train("--epochs", "2", "--out", "here", "--lr", "0.2")
    err = fails(capsys, "train", "--resume", "here", "--lr", "0.3", status=2)
    assert "--lr 0.3: the run of here/checkpoint-00000014.safetensors goes on with --lr 0.2" in err
    err = fails(capsys, "train", "--resume", "here", "--dropout", "0.3", status=2)
    assert "goes on without --dropout" in err
    assert main(["train", "--resume", "here", "--lr", "0.2", "--epochs", "3", "--keep", "1"]) == 0


def test_what_cannot_be_resumed(capsys: pytest.CaptureFixture[str]) -> None:
    assert "there is no checkpoint in runs/" in fails(capsys, "train", "--resume")
    assert "--resume no: no such file" in fails(capsys, "train", "--resume", "no")
    Path("empty").mkdir()
    assert "no checkpoint in this folder" in fails(capsys, "train", "--resume", "empty")
    train("--epochs", "2", "--out", "here")
    older, last = run_folder.checkpoints(Path("here"))
    last.write_bytes(last.read_bytes()[:-1])
    err = fails(capsys, "train", "--resume", "here")
    assert "it is damaged" in err
    assert f"another one of the run: --resume {older}" in err


def test_the_run_that_may_be_meant_is_named_to_go_on_or_to_start_from(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for n in (1, 2, 3, 4):
        train("--epochs", "1", "--quiet")
        os.utime(f"runs/two-layer-{n}", (n, n))
    capsys.readouterr()
    latest = " or ".join(str(Path("runs", f"two-layer-{n}")) for n in (4, 3, 2))
    for option in ("--resume", "--from"):
        assert f"; did you mean {Path('runs', 'two-layer-1')}?" in fails(
            capsys, *TRAIN, option, "two-layer-1"
        )
        assert f"; did you mean {latest}? (1 more there)" in fails(capsys, *TRAIN, option, "runs")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"command": "check"}, "unknown option 'command'"),
        ({"out": "elsewhere"}, "out is no setting of a run"),
        ({"resume": "x"}, "resume is no setting of a run"),
        ({"evil": 1}, "unknown option 'evil'"),
        ({"batch_size": "abc"}, "batch_size: expected a whole number of at least 1, got 'abc'"),
        ({"batch_size": [1]}, "batch_size: expected one number or text"),
        ([], "it has no settings of a run"),
    ],
)
def test_settings_in_a_checkpoint_are_taken_as_flags_are(
    settings: Any, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    train("--epochs", "1", "--out", "here")
    (path,) = run_folder.checkpoints(Path("here"))
    checkpoint = read_checkpoint(path)
    checkpoint.description["run"]["settings"] = settings
    write_checkpoint(path, checkpoint)
    assert message in fails(capsys, "train", "--resume", "here")


def of_time(folder: str, seconds: float | None) -> None:
    """Make the run say that it was saved then; without a time, as those of old."""
    for path in run_folder.checkpoints(Path(folder)):
        checkpoint = read_checkpoint(path)
        checkpoint.description["run"].update(saved=seconds)
        if seconds is None:
            del checkpoint.description["run"]["saved"]
        write_checkpoint(path, checkpoint)


def resumed_alone(capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    assert main(["train", "--resume", "--json"]) == 0
    return str(json.loads(capsys.readouterr().out.splitlines()[0])["out"])


def test_the_latest_run_is_the_one_that_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    """Modification times are those of copies, and of files that were touched."""
    for _ in range(3):
        train("--epochs", "1")
    for n, seconds in (("3", 100.0), ("1", 300.0), ("2", 200.0)):  # written, and so modified, in this order
        of_time(f"runs/two-layer-{n}", seconds)
    assert resumed_alone(capsys) == "runs/two-layer-1"
    for n in "123":
        of_time(f"runs/two-layer-{n}", None)
    train("--epochs", "2", "--out", "runs/longer")
    of_time("runs/longer", None)
    of_time("runs/two-layer-3", None)
    assert resumed_alone(capsys) == "runs/longer"  # of those that do not say, the one with the most steps
    of_time("runs/two-layer-2", 1.0)
    assert resumed_alone(capsys) == "runs/two-layer-2"


def test_the_latest_run_with_a_damaged_checkpoint_is_still_the_latest(
    capsys: pytest.CaptureFixture[str],
) -> None:
    train("--epochs", "2")
    train("--epochs", "2")
    run_folder.checkpoints(Path("runs/two-layer-2"))[-1].write_bytes(b"damaged")
    os.mkdir("runs/more")
    Path("runs/more/checkpoint-00000007.safetensors").write_bytes(b"damaged")
    err = fails(capsys, "train", "--resume")
    assert "runs/two-layer-2/checkpoint-00000014.safetensors is not a readable checkpoint" in err
    assert "another one of the run: --resume runs/two-layer-2/checkpoint-00000007.safetensors" in err


def test_from_a_run_with_other_settings(capsys: pytest.CaptureFixture[str]) -> None:
    train(*MLP[:4], "--epochs", "2", "--out", "here")
    capsys.readouterr()
    train("--from", "here", "--epochs", "1", "--lr", "0", "--optimizer", "sgd", "--out", "there")
    out = capsys.readouterr().out
    assert f"weights of {Path('here/checkpoint-00000014.safetensors').resolve()}, step 14\n" in out
    assert params("there") == params("here")
    description = read_contents(run_folder.checkpoints(Path("there"))[-1]).description
    assert description["started_from"] == 14
    assert (description["run"]["settings"]["net"], description["training"]["step"]) == ("mlp", 7)
    assert description["run"]["settings"]["layers"] == "4-8-8-3"


def test_from_a_network_that_a_program_has_saved(capsys: pytest.CaptureFixture[str]) -> None:
    save_network("mine.safetensors", TwoLayerNet(4, 7, 3, rng=1, dtype="float64"))
    train("--from", "mine.safetensors", "--epochs", "1")
    assert capsys.readouterr().out.startswith("Network(Affine1 · Relu1 · Affine2")
    (folder,) = Path("runs").iterdir()
    assert folder.name == "network-1"
    train("--resume", str(folder), "--epochs", "2")
    description = read_contents(run_folder.checkpoints(folder)[-1]).description
    assert (description["network"]["dtype"], "net" in description["run"]["settings"]) == ("float64", False)


def test_what_from_cannot_start_from(capsys: pytest.CaptureFixture[str]) -> None:
    train("--hidden", "6", "--epochs", "1", "--out", "here")
    says = fails(capsys, *TRAIN, "--from", "here", "--hidden", "5", status=2)
    assert "--hidden 5: --from here has a network already; give no --hidden" in says
    train("--from", "here", "--hidden", "6", "--epochs", "1", "--no-save")
    assert "nowhere: no such file" in fails(capsys, *TRAIN, "--from", "nowhere")
    for sizes, says in (((5, 6, 3), "expected input"), ((4, 6, 2), "it has 2 outputs for 3 classes")):
        save_network("other.safetensors", TwoLayerNet(*sizes))
        assert says in fails(capsys, *TRAIN, "--from", "other.safetensors", status=2)
    assert not Path("runs").exists()
    Path("damaged.safetensors").write_bytes(b"no")
    assert "damaged.safetensors" in fails(capsys, *TRAIN, "--from", "damaged.safetensors")


def test_from_takes_network_dtype_and_data_and_nothing_else() -> None:
    train(*MLP, "--dtype", "float64", "--epochs", "1", "--lr", "0.3", "--seed", "4", "--out", "here")
    settings = merge_settings({"start_from": "here", "epochs": 2}, "")
    assert settings.data == os.path.abspath("small.npz")
    assert settings.start_from == os.path.abspath("here/checkpoint-00000007.safetensors")
    expected = TrainSettings(
        net="mlp", layers="4-8-8-3", batch_norm="synchronized", dropout=0.2, dtype="float64", epochs=2, no_report=True,
        data=settings.data, start_from=settings.start_from,
    )  # fmt: skip
    assert settings == expected
