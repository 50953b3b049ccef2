"""Runs that are kept: folders, resuming, early stopping, and where the settings come from."""

from __future__ import annotations

import argparse
import errno
import json
import os
import shutil
import subprocess
import sys
import time
import tomllib
import tracemalloc
import zlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from backprop import Network, TwoLayerNet
from backprop.cli import main
from backprop.cli.train import _Keeper, _mean_steps, _split
from backprop.datasets import Dataset, data_digest, held_back, load_dataset, split
from backprop.datasets.split import of_seed
from backprop.files import TEMPORARY, WriteError, reason
from backprop.saving import run_folder
from backprop.saving.checkpoint import (
    Checkpoint,
    CheckpointError,
    read_checkpoint,
    read_contents,
    read_description,
    write_checkpoint,
)
from backprop.saving.history import history_of
from backprop.saving.network import load_network, save_network
from backprop.saving.run_data import trained_part
from backprop.schedules import Cosine
from backprop.training.epoch import Epoch

from ..datasets.test_datasets import idx

TRAIN = ["train", "--device", "cpu", "--data", "small.npz", "--batch-size", "30"]
MLP = ["--net", "mlp", "--layers", "4-8-8-3", "--batch-norm", "--dropout", "0.2", "--optimizer", "adam"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder with a small data set; no report, which takes its time."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BACKPROP_NO_REPORT", "1")
    rng = np.random.default_rng(0)
    t_train, t_test = rng.integers(0, 3, 200), rng.integers(0, 3, 50)
    x_train, x_test = (rng.standard_normal((len(t), 4)) + 2.0 * np.eye(3, 4)[t] for t in (t_train, t_test))
    np.savez(
        "small.npz", x_train=x_train.astype("f"), t_train=t_train, x_test=x_test.astype("f"), t_test=t_test
    )
    return tmp_path


def train(*words: str, status: int = 0) -> None:
    assert main([*TRAIN, *words]) == status


def fails(capsys: pytest.CaptureFixture[str], *words: str, status: int = 1) -> str:
    capsys.readouterr()
    assert main([*words]) == status
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert err.startswith("backprop: error: ")
    return err


def arrays(path: Path) -> dict[str, tuple[Any, ...]]:
    return {
        name: (value.dtype.str, value.shape, value.tobytes())
        for name, value in read_checkpoint(path).arrays.items()
        if name != "history.seconds"
    }


def history(folder: str | Path) -> list[dict[str, Any]]:
    return [
        {k: v for k, v in line.items() if k != "seconds"} for line in run_folder.read_history(Path(folder))
    ]


def epochs(folder: str | Path) -> list[dict[str, Any]]:
    return [line for line in run_folder.read_history(Path(folder)) if line["event"] == "epoch"]


def test_what_a_run_keeps() -> None:
    train("--epochs", "5", "--lr", "0.3")
    kept = Path("runs/two-layer-1")
    assert sorted(path.name for path in kept.iterdir()) == [
        "checkpoint-00000028.safetensors",
        "checkpoint-00000035.safetensors",
        "config.toml",
        "history.jsonl",
        "lock",
    ]
    lines = epochs(kept)
    assert [(line["event"], line["epoch"], line["step"]) for line in lines] == [
        ("epoch", i, 7 * i) for i in range(1, 6)
    ]
    contents = read_contents(kept / "checkpoint-00000035.safetensors")
    run = contents.description["run"]
    assert run["command"] == "backprop " + " ".join([*TRAIN, "--epochs", "5", "--lr", "0.3"])
    assert (run["settings"]["lr"], run["settings"]["epochs"]) == (0.3, 5)
    assert {"event": "epoch", **known(contents.description["last"])} == lines[-1]
    checkpoint = read_checkpoint(kept / "checkpoint-00000035.safetensors")
    assert checkpoint.arrays["history.step"].tolist() == [7, 14, 21, 28, 35]


def test_every_run_has_a_folder_of_its_own() -> None:
    Path("runs/two-layer-7").mkdir(parents=True)
    Path("runs/two-layer-x").mkdir()
    train("--epochs", "1")
    train("--epochs", "1", "--net", "mlp")
    assert {path.name for path in Path("runs").iterdir()} == {
        "two-layer-7", "two-layer-x", "two-layer-8", "mlp-1",
    }  # fmt: skip


def test_no_save_keeps_nothing() -> None:
    train("--epochs", "2", "--no-save")
    train("--epochs", "2", "--no-save", "--validation", "0.2", "--save-every", "3", "--log-every", "2")
    assert os.listdir() == ["small.npz"]


def test_save_every_and_keep() -> None:
    train("--iters", "11", "--out", "here", "--save-every", "2", "--keep", "3")
    names = [path.name[-20:-12] for path in run_folder.checkpoints(Path("here"))]
    assert names == ["00000008", "00000010", "00000011"]


def test_a_run_resumed_from_an_earlier_step_goes_its_own_way() -> None:
    train("--iters", "12", "--out", "here", "--save-every", "4", "--keep", "3")
    first = run_folder.checkpoints(Path("here"))[0]
    assert main(["train", "--resume", str(first), "--iters", "7", "--save-every", "6", "--keep", "1"]) == 0
    (last,) = run_folder.checkpoints(Path("here"))
    assert last.name == "checkpoint-00000007.safetensors"
    assert [line["step"] for line in run_folder.read_history(Path("here"))] == [*range(1, 8), 7]


def test_lines_within_an_epoch() -> None:
    train("--iters", "16", "--out", "here", "--log-every", "3")
    lines = [(line["event"], line["step"]) for line in run_folder.read_history(Path("here"))]
    assert lines == [
        ("steps", 1), ("steps", 3), ("steps", 6), ("epoch", 7), ("steps", 10), ("steps", 13), ("epoch", 14),
        ("epoch", 16),
    ]  # fmt: skip


@pytest.mark.parametrize("kind", [[], ["--sampling", "with-replacement"]])
def test_a_line_within_an_epoch_is_the_mean_over_its_steps(kind: list[str]) -> None:
    train("--iters", "12", "--out", "single", "--log-every", "1", *kind)
    train("--iters", "12", "--out", "means", "--log-every", "4", *kind)
    single = {line["step"]: line for line in history("single") if line["event"] == "steps"}
    means = [line for line in history("means") if line["event"] == "steps"]
    assert [(line["step"], line["mean_of"]) for line in means] == [(1, 1), (4, 4), (11, 4)]
    for line in means:
        steps = range(line["step"] - line["mean_of"] + 1, line["step"] + 1)
        for what in ("loss", "accuracy"):
            assert line[what] == pytest.approx(np.mean([single[step][what] for step in steps]), rel=1e-6)
    whole = epochs("single")[0]
    assert whole["loss"] == pytest.approx(np.mean([single[step]["loss"] for step in range(1, 8)]), rel=1e-6)


def test_the_last_batch_counts_as_many_samples_as_it_has() -> None:
    train("--iters", "7", "--out", "here", "--log-every", "7")
    last = [line for line in history("here") if line["step"] == 7]
    assert [line["event"] for line in last] == ["steps", "epoch"]
    assert (last[0]["loss"], last[0]["accuracy"]) == (last[1]["loss"], last[1]["accuracy"])


@pytest.mark.parametrize(
    ("per_epoch", "total", "steps", "lines"),
    [
        (600, 10_000, 100, 100), (600, 600, 6, 100), (600, 60, 1, 60), (600, 250, 3, 83), (7, 35, 1, 35),
        (469, 2345, 24, 95), (600, 35_000, 300, 116), (600, 59_400, 300, 198), (600, 60_000, 60_000, 0),
        (1, 10_000, 10_000, 0), (10_000, 10_000, 100, 100),
    ],
)  # fmt: skip
def test_a_run_has_about_a_hundred_lines_or_epochs(
    per_epoch: int, total: int, steps: int, lines: int
) -> None:
    training: Any = SimpleNamespace(per_epoch=per_epoch, total=total)
    assert _mean_steps(training) == steps
    whole, rest = divmod(total, per_epoch)
    assert whole * (per_epoch // steps) + rest // steps == lines


@pytest.mark.filterwarnings("ignore:after step 150 the network is no better than guessing")
@pytest.mark.parametrize("step", [1, 3, 7, 8, 17])
def test_a_resumed_run_has_the_same_lines_by_default(step: int) -> None:
    train(*MLP, "--iters", "150", "--batch-size", "2", "--out", "whole")
    train(
        *MLP,
        "--iters",
        "150",
        "--batch-size",
        "2",
        "--out",
        "parts",
        "--save-every",
        str(step),
        "--keep",
        "99",
    )
    checkpoint = run_folder.checkpoints(Path("parts"))[len(run_folder.checkpoints(Path("parts"))) // 2 - 1]
    assert main(["train", "--resume", str(checkpoint)]) == 0
    assert history("parts") == history("whole")
    assert [line["mean_of"] for line in history("whole") if line["event"] == "steps"][:2] == [1, 2]


def test_a_run_that_is_not_kept_reads_no_means(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Epoch, "means", None)
    train("--epochs", "2", "--no-save")


def of_a_test(folder: str) -> list[dict[str, Any]]:
    return [line for line in history(folder) if line["event"] == "test"]


def test_the_test_result_of_a_validated_run_is_kept(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    train("--validation", "0.3", "--epochs", "3", "--lr", "0.5", "--out", "here", "--json")
    end = json.loads(capsys.readouterr().out.splitlines()[-1])
    (first,) = of_a_test("here")
    best = read_description(Path("here/best.safetensors"))["training"]["step"]
    assert (first["test_accuracy"], first["epoch"], first["step"]) == (
        end["test_accuracy"],
        end["epoch"],
        best,
    )
    assert main(["evaluate", "here", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["loss"] == pytest.approx(first["test_loss"], rel=1e-5)

    assert main(["train", "--resume", "here"]) == 0
    assert of_a_test("here") == [first]
    with monkeypatch.context() as patch:  # as if it were killed at its end
        patch.setattr(_Keeper, "tested", lambda *_: None)
        assert main(["train", "--resume", "here", "--epochs", "6"]) == 0
    assert of_a_test("here") == []
    assert main(["train", "--resume", "here"]) == 0
    (second,) = of_a_test("here")
    assert second["step"] > first["step"]


def test_a_run_without_validation_data_has_its_test_results_in_its_epochs() -> None:
    train("--epochs", "2", "--out", "here")
    assert of_a_test("here") == []
    assert all("test_loss" in line for line in epochs("here"))


def test_a_test_loss_that_is_not_finite_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Network, "evaluate", lambda *_: (float("inf"), 0.5))
    train("--validation", "0.3", "--epochs", "1", "--out", "here")
    assert [(line["test_loss"], line["test_accuracy"]) for line in of_a_test("here")] == [(None, 0.5)]


@pytest.mark.parametrize("step", [1, 6, 7, 8, 17])
def test_a_resumed_run_is_the_same_run(step: int, capsys: pytest.CaptureFixture[str]) -> None:
    length = [*MLP, "--iters", "24", "--schedule", "cosine", "--log-every", "3"]
    train(*length, "--out", "whole")
    train(*length, "--out", "parts", "--save-every", str(step), "--keep", "99")
    checkpoint = Path(f"parts/checkpoint-{step:08d}.safetensors")
    assert main(["train", "--resume", str(checkpoint)]) == 0
    assert f"resumed at step {step}" in capsys.readouterr().out
    last = "checkpoint-00000024.safetensors"
    assert arrays(Path("parts") / last) == arrays(Path("whole") / last)
    ours, whole = history("parts"), history("whole")
    assert [line for line in ours if line["event"] == "epoch"] == [w for w in whole if w["event"] == "epoch"]
    assert ours == whole


PARTS = {
    "once": (10, 24),
    "often": (3, 5, 10, 24),
    "at an end": (14, 24),
    "to a part": (10, 17),
}
KINDS = {
    "every epoch": [],
    "every fourth step": ["--save-every", "4"],
    "validation": ["--validation", "0.3", "--patience", "9"],
    "validation, every third step": ["--validation", "0.3", "--save-every", "3"],
    "with replacement": ["--sampling", "with-replacement", "--schedule", "step:5:0.5", "--warm-up", "4"],
}


@pytest.mark.parametrize("parts", PARTS.values(), ids=PARTS)
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_a_run_that_ended_within_an_epoch_is_resumed_to_more_steps(
    kind: list[str], parts: tuple[int, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    words = [*MLP, *kind, "--lr", "0.1", "--log-every", "3"]
    train(*words, "--iters", str(parts[-1]), "--out", "whole")
    end = capsys.readouterr().out.splitlines()[-2]
    train(*words, "--iters", str(parts[0]), "--out", "parts")
    for steps in parts[1:]:
        assert main(["train", "--resume", "parts", "--iters", str(steps)]) == 0
    assert capsys.readouterr().out.splitlines()[-2].partition(",")[0] == end.partition(",")[0]
    assert history("parts") == history("whole")
    names = [sorted(path.name for path in Path(name).iterdir()) for name in ("parts", "whole")]
    assert BEST_NAMES.intersection(names[0]) == BEST_NAMES.intersection(names[1])
    last = f"checkpoint-{parts[-1]:08d}.safetensors"
    for name in (last, *BEST_NAMES.intersection(names[0])):
        assert arrays(Path("parts") / name) == arrays(Path("whole") / name)


BEST_NAMES = {run_folder.BEST, run_folder.BEST_WHOLE}


EVALUATE = Network.evaluate_validated


def losses_of_validation(values: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    """Make these the losses of the evaluations, from the first one on."""
    left = iter(values)

    def evaluated(self: Network, *args: Any, **options: Any) -> Any:
        return next(left, 9.0), EVALUATE(self, *args, **options)[1]

    monkeypatch.setattr(Network, "evaluate_validated", evaluated)


def test_the_best_before_a_part_of_an_epoch_is_the_best_again(monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["--validation", "0.3", "--keep", "99"]  # an epoch is 5 steps
    losses_of_validation([0.5, 0.6, 0.1, 0.7, 0.8], monkeypatch)
    train(*words, "--iters", "12", "--out", "here")
    first, part = (arrays(Path(f"here/checkpoint-000000{step}.safetensors")) for step in ("05", "12"))
    assert arrays(Path("here/best.safetensors")) == part
    assert arrays(Path("here/best-whole.safetensors")) == first
    assert main(["train", "--resume", "here", "--out", "there"]) == 0
    assert arrays(Path("there/best-whole.safetensors")) == first
    for name in ("here", "there"):
        losses_of_validation([0.7, 0.8], monkeypatch)
        assert main(["train", "--resume", name, "--iters", "20"]) == 0
        assert arrays(Path(name) / "best.safetensors") == first
        assert not Path(name, "best-whole.safetensors").exists()


def test_the_first_epoch_s_part_is_not_the_best_of_what_follows(monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["--validation", "0.3", "--keep", "99", "--save-every", "1"]
    losses_of_validation([0.1, 0.7, 0.8], monkeypatch)
    train(*words, "--iters", "3", "--out", "here")
    save, there = run_folder.save, []

    def saving(folder: Path, *args: Any) -> Path:
        there.append(Path(folder, "best.safetensors").exists())
        return save(folder, *args)

    monkeypatch.setattr(run_folder, "save", saving)
    assert main(["train", "--resume", "here", "--iters", "10"]) == 0
    assert there[:2] == [False, False]  # at the steps 4 and 5
    best = arrays(Path("here/best.safetensors"))
    assert best["params.W1"] == arrays(Path("here/checkpoint-00000005.safetensors"))["params.W1"]


@pytest.mark.filterwarnings("always::UserWarning")
def test_a_stretched_schedule_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    train("--iters", "10", "--schedule", "cosine", "--lr", "0.2", "--out", "here")
    assert main(["train", "--resume", "here"]) == 0
    assert capsys.readouterr().err == ""
    assert main(["train", "--resume", "here", "--iters", "20"]) == 0
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("backprop: warning: here/checkpoint-00000010.safetensors: what is resumed ")
    assert "Cosine(lr=0.2, steps=20, lowest=0.0)" in line
    assert "Cosine(lr=0.2, steps=10, lowest=0.0)" in line
    assert line.endswith(f"; the rate of step 11 is {Cosine(0.2, 20)(11):.6g}")


def in_a_process(*words: str, **variables: str) -> tuple[dict[str, Any], str]:
    """The first object of the command's output, and its stderr."""
    env = {key: value for key, value in os.environ.items() if not key.endswith("_NUM_THREADS")}
    command = [sys.executable, "-m", "backprop", "train", *words, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={**env, **variables})
    return json.loads(done.stdout.splitlines()[0]), done.stderr


def known(metrics: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in metrics.items() if value is not None}


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
    assert err.startswith(f"backprop: warning: {path}: what is resumed ")
    assert err.endswith("a run without a break: threads 1 here, 2 there\n")
    for threads in ("2", 0, True):
        with_threads(path, threads)
        start, err = in_a_process("--resume", str(path), "--epochs", "2", "--out", f"odd{threads}")
        assert start["threads"] == 1
        assert f"threads 1 here, {threads} there" in err or threads is True


DATA_CHANGES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "a byte of one sample": lambda d: d["x_train"].view("u1").reshape(-1).__setitem__(8 * 4 * 4 + 5, 77),
    "a byte of one sample to test on": lambda d: d["x_test"].view("u1").reshape(-1).__setitem__(21, 77),
    "a label": lambda d: d["t_test"].__setitem__(3, (d["t_test"][3] + 1) % 3),
    "the shape": lambda d: d.update(
        x_train=d["x_train"].reshape(200, 2, 2), x_test=d["x_test"].reshape(50, 2, 2)
    ),
}


@pytest.mark.parametrize("change", DATA_CHANGES.values(), ids=DATA_CHANGES)
def test_other_data_are_refused(change: Callable[[Any], Any], capsys: pytest.CaptureFixture[str]) -> None:
    train("--epochs", "1", "--out", "here")
    with np.load("small.npz") as data:
        arrays = dict(data)
    change(arrays)
    np.savez("small.npz", **arrays)
    err = fails(capsys, "train", "--resume", "here", "--epochs", "2")
    told = "is of a run on other data than small is now: say by --data where its data are"
    assert told in err
    assert told in fails(capsys, "evaluate", "here")
    assert main(["report", "here"]) == 0
    page = Path("here", run_folder.REPORT).read_text()
    assert "There is no diagnosis of the network: the run was on other data than small is now." in page


def test_the_digest_is_of_values_shapes_and_dtypes() -> None:
    x, t = np.arange(12.0).reshape(3, 4), np.asarray([0, 1, 2])
    digest = data_digest(Dataset("a", x, t, x[:0], t[:0]))
    assert data_digest(Dataset("b", np.asfortranarray(x), t, x[:0], t[:0])) == digest
    others = [
        (x.astype(">f8"), t, x[:0]),
        (x, t, x[:0, :0]),
        (x[:, ::-1], t, x[:0]),
        (x.reshape(3, 2, 2), t, x[:0]),
    ]
    assert len({data_digest(Dataset("a", a, b, c, t[:0])) for a, b, c in others} | {digest}) == 5


def test_the_same_data_at_another_place(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train("--epochs", "1", "--out", "here")
    (folder / "elsewhere").mkdir()
    os.rename("small.npz", "elsewhere/other.npz")
    err = fails(capsys, "train", "--resume", "here", "--epochs", "2")
    assert "small.npz: no such file or folder" in err
    assert "if the run's data are elsewhere now, say where by --data" in err
    assert main(["train", "--resume", "here", "--epochs", "2", "--data", "elsewhere/other.npz"]) == 0
    assert main(["train", "--resume", "here", "--epochs", "3"]) == 0


def as_format_1(path: Path, crc: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Write the file as it was before: the history in the description, a checksum of some of the data."""
    checkpoint = read_checkpoint(path)
    description, found = checkpoint.description, history_of(checkpoint)
    description.update(history=[asdict(metrics) for metrics in found], data={"name": "small", "crc32": crc})
    for new in ("machine", "last"):
        description.pop(new, None)
    kept = {name: array for name, array in checkpoint.arrays.items() if not name.startswith("history.")}
    with monkeypatch.context() as patch:
        patch.setattr("backprop.saving.checkpoint.FORMAT", 1)
        write_checkpoint(path, Checkpoint(description, kept))


@pytest.mark.filterwarnings("always::UserWarning")
def test_a_run_of_format_1(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["--validation", "0.3", "--lr", "1.0"]
    train(*words, "--epochs", "4", "--out", "whole")
    train(*words, "--epochs", "2", "--out", "old")
    best, last = Path("old/best.safetensors"), run_folder.checkpoints(Path("old"))[-1]
    for path in (best, last):
        as_format_1(path, 123, monkeypatch)
    err = fails(capsys, "train", "--resume", "old", "--epochs", "4")
    assert "is of a run on other data than small is now" in err
    with np.load("small.npz") as data:
        parts = (data["t_train"], data["t_test"], data["x_train"][::100], data["x_test"][::100])
        crc = zlib.crc32(b"".join(part.tobytes() for part in parts))
    for path in (best, last):
        as_format_1(path, crc, monkeypatch)
    assert main(["inspect", str(last), "--json"]) == 0
    assert [m["step"] for m in json.loads(capsys.readouterr().out)["history"]] == [5, 10]
    assert main(["inspect", str(last)]) == 0
    assert "\nepoch 2   loss " in capsys.readouterr().out
    assert main(["train", "--resume", "old", "--epochs", "4"]) == 0
    assert "it does not say on what machine it was computed" in capsys.readouterr().err
    assert history("old") == history("whole")
    for name in ("best.safetensors", "checkpoint-00000020.safetensors"):
        assert arrays(Path("old") / name) == arrays(Path("whole") / name)


def test_inspect_shows_the_history(capsys: pytest.CaptureFixture[str]) -> None:
    train("--epochs", "3", "--out", "here")
    capsys.readouterr()
    assert main(["inspect", "here", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    lines = epochs("here")
    assert [{"event": "epoch", **known(metrics)} for metrics in shown["history"]] == lines
    assert main(["inspect", "here"]) == 0
    out = capsys.readouterr().out
    assert (
        f"\nepoch 3   loss {lines[-1]['loss']:.4f}, accuracy held out {lines[-1]['test_accuracy']:.4f}\n"
        in out
    )
    assert f"\nmachine   backend numpy {np.__version__}, device cpu, " in out
    assert "history." not in out


def test_the_history_is_on_the_disk_before_the_checkpoint_that_follows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each time a checkpoint takes its place, all lines before its step have been flushed.

    Its own step may still end an epoch, whose line the training writes meanwhile.
    """
    flushed: dict[int, bytes] = {}
    placed: list[str] = []
    fsync, replace = os.fsync, os.replace

    def flushing(handle: int) -> None:
        fsync(handle)
        with suppress(OSError):  # a folder
            flushed[os.fstat(handle).st_ino] = os.pread(handle, 10**7, 0)

    def replacing(source: str, target: Path) -> None:
        if target.suffix == ".safetensors":
            description = read_contents(source).description
            on_disk = flushed[os.stat("here/history.jsonl").st_ino].splitlines()
            for line in Path("here/history.jsonl").read_bytes().splitlines():
                assert line in on_disk or json.loads(line)["step"] >= description["training"]["step"]
            if description["last"] is not None:
                assert {"event": "epoch", **known(description["last"])} in map(json.loads, on_disk)
            placed.append(target.name)
        replace(source, target)

    monkeypatch.setattr(os, "fsync", flushing)
    monkeypatch.setattr(os, "replace", replacing)
    train("--validation", "0.3", "--epochs", "3", "--out", "here", "--log-every", "2")
    assert main(["train", "--resume", "here", "--iters", "17", "--save-every", "1"]) == 0
    assert placed.count("best.safetensors") >= 1
    assert [name for name in placed if name != "best.safetensors"][:3] == [
        f"checkpoint-{step:08d}.safetensors" for step in (5, 10, 15)
    ]


@pytest.mark.parametrize("kind", ["ahead", "behind", "gone", "cut off", "deep"])
def test_a_history_that_is_not_where_its_checkpoint_is(kind: str) -> None:
    train("--epochs", "2", "--out", "here", "--log-every", "3")
    train("--epochs", "4", "--out", "whole", "--log-every", "3")
    path, ours = Path("here/history.jsonl"), Path("here/history.jsonl").read_text()
    lines = ours.splitlines(keepends=True)
    text = {
        "ahead": ours
        + '{"event": "steps", "step": 15}\n{"event": "epoch", "epoch": 3, "step": 21, "loss": 9.0}\n',
        "behind": "".join(line for line in lines if '"epoch": 2' not in line),
        "gone": None,
        "cut off": ours + lines[-1][:20],
        "deep": ours + "[" * 10**5 + "\n",
    }[kind]
    path.unlink() if text is None else path.write_text(text)
    assert main(["train", "--resume", "here", "--epochs", "4"]) == 0
    kept = [
        line for line in history("whole") if kind != "gone" or line["event"] == "epoch" or line["step"] > 14
    ]
    assert history("here") == kept


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


def test_a_finished_run_has_nothing_left_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    train("--epochs", "2", "--out", "here")
    before = capsys.readouterr().out.splitlines()[-2].partition(",")[0]
    assert main(["train", "--resume", "here"]) == 0
    assert capsys.readouterr().out.splitlines()[-2].startswith(before)


def test_a_resumed_run_keeps_its_settings(capsys: pytest.CaptureFixture[str]) -> None:
    train("--epochs", "2", "--out", "here", "--lr", "0.2")
    err = fails(capsys, "train", "--resume", "here", "--lr", "0.3", status=2)
    assert "--lr 0.3: the run of here/checkpoint-00000014.safetensors goes on with --lr 0.2" in err
    err = fails(capsys, "train", "--resume", "here", "--dropout", "0.3", status=2)
    assert "goes on without --dropout" in err
    assert main(["train", "--resume", "here", "--lr", "0.2", "--epochs", "3", "--keep", "1"]) == 0


def test_a_resumed_run_wants_its_data(capsys: pytest.CaptureFixture[str]) -> None:
    train("--epochs", "2", "--out", "here")
    with np.load("small.npz") as data:
        changed = dict(data)
    changed["t_train"] = np.roll(changed["t_train"], 1)
    np.savez("small.npz", **changed)
    assert "is of a run on other data than small is now" in fails(capsys, "train", "--resume", "here")


def test_a_folder_with_a_run_is_not_written_over(capsys: pytest.CaptureFixture[str]) -> None:
    train("--epochs", "1", "--out", "here")
    before = sorted(os.listdir("here"))
    err = fails(capsys, *TRAIN, "--out", "here")
    assert "here has a run already, checkpoint-00000007.safetensors: go on with it by --resume here" in err
    assert sorted(os.listdir("here")) == before


def test_what_cannot_be_resumed(capsys: pytest.CaptureFixture[str]) -> None:
    assert "there is no checkpoint in runs/" in fails(capsys, "train", "--resume")
    assert "--resume no: there is no such file" in fails(capsys, "train", "--resume", "no")
    Path("empty").mkdir()
    assert "there is no checkpoint in this folder" in fails(capsys, "train", "--resume", "empty")
    train("--epochs", "2", "--out", "here")
    older, last = run_folder.checkpoints(Path("here"))
    last.write_bytes(last.read_bytes()[:-1])
    err = fails(capsys, "train", "--resume", "here")
    assert "it has been damaged" in err
    assert f"another one of the run: --resume {older}" in err


CURES = "; give another folder with --out DIR, or keep nothing with --no-save\n"


@pytest.mark.parametrize("kind", ["a file", "no parent", "below a file", "read-only"])
def test_a_folder_that_cannot_take_the_run(
    kind: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("locked").mkdir(mode=0o500)
    locked = "/sys/run" if os.access("locked", os.W_OK) else "locked"  # there not even root may write
    out, why = {
        "a file": ("small.npz", "it is a file"),
        "no parent": ("no/where", "there is no folder no"),
        "below a file": ("small.npz/run", "small.npz is no folder"),
        "read-only": (locked, ""),
    }[kind]
    err = fails(capsys, *TRAIN, "--out", out)
    assert err.startswith(f"backprop: error: {out} cannot take the run: {why}")
    assert err.endswith(CURES)
    assert "Errno" not in err


def test_runs_that_cannot_be_made(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("runs").touch()
    said = "backprop: error: runs cannot take the run: "
    assert fails(capsys, *TRAIN) == f"{said}it is a file{CURES}"
    Path("runs").unlink()
    Path("runs").symlink_to("nowhere")
    assert fails(capsys, *TRAIN) == f"{said}it is no folder{CURES}"
    Path("runs").unlink()
    for number in (errno.EROFS, errno.EACCES, errno.ENOSPC):
        error = OSError(number, os.strerror(number))
        with monkeypatch.context() as patched:
            patched.setattr(os, "mkdir", refusing(error))
            assert fails(capsys, *TRAIN) == f"{said}{reason(error)}{CURES}"
    train("--epochs", "1", "--no-save")


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="asks Linux which file is written")
@pytest.mark.parametrize("name", [run_folder.LOCK, run_folder.CONFIG, run_folder.HISTORY])
def test_a_disk_that_is_full_at_the_start(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new file may still be made, but nothing be written into it."""
    full, write, fsync = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), os.write, os.fsync

    def of_it(handle: int) -> bool:
        return name in os.readlink(f"/proc/self/fd/{handle}")

    monkeypatch.setattr(os, "write", lambda h, data: refusing(full)() if of_it(h) else write(h, data))
    monkeypatch.setattr(os, "fsync", lambda h: refusing(full)() if of_it(h) else fsync(h))
    err = fails(capsys, *TRAIN, "--epochs", "1", "--out", "here")
    assert err.startswith(f"backprop: error: here/{name} cannot be written: no space left on device")
    assert err.endswith(CURES)


def test_a_disk_that_is_full_later(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    train("--epochs", "1", "--out", "here")
    monkeypatch.setattr(
        "backprop.saving.run_folder.write_checkpoint", refusing(WriteError(Path("x"), OSError(28, "Full"), 9))
    )
    err = fails(capsys, "train", "--resume", "here", "--epochs", "3")
    said = "backprop: error: x cannot be written: full; it needs 9 bytes; make room, then go on with: "
    assert err == f"{said}backprop train --resume here\n"


def test_a_second_process_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    Path("here").mkdir()
    holder = "import backprop.saving.run_folder as r, pathlib\nwith r.locked(pathlib.Path('here')): print(1, flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", holder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        err = fails(capsys, *TRAIN, "--out", "here")
        assert f"here is in use by process {process.pid} on " in err
        process.kill()
    train("--epochs", "1", "--out", "here")


def test_stale_temporaries_are_swept() -> None:
    Path("here").mkdir()
    stale = Path(f"here/.checkpoint-00000007.safetensors-x{TEMPORARY}")
    stale.touch()
    train("--epochs", "1", "--out", "here")
    assert not stale.exists()


def test_validation_keeps_the_best_and_stops_early(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--validation", "0.3", "--patience", "3", "--lr", "1.0", "--net", "mlp", "--layers", "4-64-3"]
    train(*words, "--epochs", "200", "--out", "here", "--json")
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert (events[0]["train_samples"], events[0]["validation_samples"]) == (140, 60)
    epochs = [event for event in events if event["event"] == "epoch"]
    losses = [epoch["validation_loss"] for epoch in epochs]
    best = 1 + losses.index(min(losses))
    assert len(epochs) == best + 3 < 200
    assert "test_loss" not in epochs[0]
    assert [event["text"] for event in events if event["event"] == "note"] == [
        f"stopped early: no epoch since {best} was better by its loss on the validation data",
        f"best on the validation data: epoch {best}",
    ]
    assert read_contents(Path("here/best.safetensors")).description["training"]["step"] == 5 * best
    assert events[-1]["epoch"] == best
    assert events[-1]["checkpoint"] == "here/best.safetensors"
    assert main(["evaluate", "here", "--data", "small.npz", "--json"]) == 0
    evaluated = json.loads(capsys.readouterr().out)
    assert evaluated["accuracy"] == events[-1]["test_accuracy"]


VALIDATED = ["--validation", "0.3", "--lr", "1.0", "--net", "mlp", "--layers", "4-64-3", "--epochs", "12"]


def test_the_best_of_what_is_not_kept_is_tested(capsys: pytest.CaptureFixture[str]) -> None:
    def end(*words: str) -> dict[str, Any]:
        capsys.readouterr()
        train(*VALIDATED, "--json", *words)
        return {
            key: value
            for key, value in json.loads(capsys.readouterr().out.splitlines()[-1]).items()
            if key in ("epoch", "test_accuracy", "step")
        }

    kept = end("--out", "here")
    assert kept["epoch"] < 12
    assert end("--no-save") == kept
    assert end("--out", "there", "--save-every", "7") == kept
    here, there = (arrays(run_folder.checkpoints(Path(name))[-1]) for name in ("here", "there"))
    assert here == there  # the last network, not the best one


def test_what_is_best_after_a_resume_from_before_it(capsys: pytest.CaptureFixture[str]) -> None:
    train(*VALIDATED, "--out", "here", "--keep", "99")
    best = arrays(Path("here/best.safetensors"))
    first = run_folder.checkpoints(Path("here"))[0]
    capsys.readouterr()
    assert main(["train", "--resume", str(first), "--epochs", "1"]) == 0
    assert "best on the validation data: epoch 1" in capsys.readouterr().out
    assert arrays(Path("here/best.safetensors")) == arrays(first) != best
    assert main(["train", "--resume", str(first)]) == 0
    assert arrays(Path("here/best.safetensors")) == best


def test_what_a_run_without_checkpoints_has_left_is_not_gone_on_with() -> None:
    Path("here").mkdir()
    Path("here/history.jsonl").write_text('{"event": "epoch", "step": 7}\n')
    train("--epochs", "1", "--out", "here")
    assert len(epochs("here")) == 1


def test_a_folder_with_a_best_checkpoint_alone_has_a_run(capsys: pytest.CaptureFixture[str]) -> None:
    train(*VALIDATED, "--out", "here")
    for path in run_folder.checkpoints(Path("here")):
        path.unlink()
    best = Path("here/best.safetensors").read_bytes()
    assert "here has a run already, best.safetensors" in fails(capsys, *TRAIN, "--out", "here")
    assert Path("here/best.safetensors").read_bytes() == best


def test_files_of_ones_own_are_left_alone() -> None:
    train("--epochs", "3", "--out", "here")
    mine = Path("here/checkpoint-good.safetensors")
    mine.write_bytes(b"mine")
    assert main(["train", "--resume", "here", "--epochs", "5"]) == 0
    assert mine.read_bytes() == b"mine"


def test_resume_into_another_folder(capsys: pytest.CaptureFixture[str]) -> None:
    train(*VALIDATED, "--out", "here")
    before = capsys.readouterr().out.splitlines()[-3]
    for words in (["--out", "there"], ["--no-save"]):
        assert main(["train", "--resume", "here", "--epochs", "12", *words]) == 0
        out = capsys.readouterr().out
        assert before.partition(",")[0] in out
    assert arrays(Path("there/best.safetensors")) == arrays(Path("here/best.safetensors"))
    assert len(run_folder.checkpoints(Path("there"))) == 1


def test_a_resumed_run_that_has_stopped_early_stays_so(capsys: pytest.CaptureFixture[str]) -> None:
    train(*VALIDATED[:-1], "200", "--patience", "3", "--out", "here")
    before = history("here")
    assert main(["train", "--resume", "here"]) == 0
    out = capsys.readouterr().out
    assert "this run was stopped early before: no epoch since" in out
    assert "to go on, give more --patience than 3" in out
    assert history("here") == before
    assert main(["train", "--resume", "here", "--patience", "5"]) == 0
    assert "this run was stopped early before" not in capsys.readouterr().out
    assert len(history("here")) > len(before)


@pytest.mark.parametrize(
    "words", [("predict", "--input", "small.npz"), ("evaluate",), ("inspect",), ("report",)]
)
def test_a_run_that_may_be_meant_is_named(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    train("--epochs", "1", "--quiet")
    capsys.readouterr()
    meant = str(Path("runs", "two-layer-1"))
    command, *more = words
    for name in ("two-layer-1", "runs"):
        assert f"; did you mean {meant}?" in fails(capsys, command, name, *more)
    assert "did you mean" not in fails(capsys, command, "two-layer-9", *more)


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


def test_a_kill_between_the_best_and_its_checkpoint(capsys: pytest.CaptureFixture[str]) -> None:
    def accuracy(*words: str) -> str:
        capsys.readouterr()
        assert main(["train", *words]) == 0
        return next(
            line for line in capsys.readouterr().out.splitlines() if line.startswith("test accuracy")
        )[:20]

    train(*VALIDATED, "--out", "whole", "--keep", "99")
    whole = accuracy("--resume", "whole")
    best = read_contents(Path("whole/best.safetensors")).description["training"]["step"]
    before = Path(f"whole/checkpoint-{best - 5:08d}.safetensors")
    assert accuracy("--resume", str(before)) == whole


@pytest.mark.filterwarnings("always::UserWarning")
def test_a_damaged_history_or_best_does_not_keep_from_resuming(capsys: pytest.CaptureFixture[str]) -> None:
    train(*VALIDATED[:-1], "2", "--out", "here")
    with open("here/history.jsonl", "ab") as file:
        file.write(b'{"event": "steps"}\n5\n\xff\n{"event": "epo')
    Path("here/best.safetensors").write_bytes(b"no")
    capsys.readouterr()
    assert main(["train", "--resume", "here", "--epochs", "3"]) == 0
    assert "best.safetensors is not a checkpoint" in capsys.readouterr().err
    assert [line["epoch"] for line in epochs("here")] == [1, 2, 3]


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


def test_validation_data_are_the_seed_s(capsys: pytest.CaptureFixture[str]) -> None:
    def loss(*words: str) -> float:
        capsys.readouterr()
        train("--epochs", "1", "--no-save", "--json", "--validation", "0.3", *words)
        return float(json.loads(capsys.readouterr().out.splitlines()[1])["validation_loss"])

    assert loss() == loss() != loss("--seed", "1")


def test_patience_needs_validation(capsys: pytest.CaptureFixture[str]) -> None:
    assert "give --validation" in fails(capsys, *TRAIN, "--patience", "2", status=2)
    assert "of 200 training samples a share of 0.001 is 0" in fails(
        capsys, *TRAIN, "--validation", "0.001", status=2
    )


def test_flag_beats_environment_beats_file(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def start(*words: str) -> dict[str, Any]:
        capsys.readouterr()
        assert main(["train", "--no-save", "--json", *words]) == 0
        return json.loads(capsys.readouterr().out.splitlines()[0])  # type: ignore[no-any-return]

    Path("run.toml").write_text(
        'device = "cpu"\ndata = "small.npz"\nepochs = 2\nbatch_size = 20\nlr = 0.3\nno-capture = true\nseed = 1\n'
    )
    read = start("--config", "run.toml")
    assert (read["batch_size"], read["lr"], read["steps"], read["capture"]) == (20, 0.3, 20, False)
    monkeypatch.setenv("BACKPROP_CONFIG", "run.toml")
    monkeypatch.setenv("BACKPROP_LR", "0.4")
    monkeypatch.setenv("BACKPROP_NO_CAPTURE", "false")
    read = start("--batch-size", "40", "--iters", "7")
    assert (read["batch_size"], read["lr"], read["steps"], read["capture"]) == (40, 0.4, 7, True)


def test_two_lengths_in_one_place(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("run.toml").write_text("iters = 3\nepochs = 2\n")
    assert "run.toml: give epochs or iters, not both" in fails(
        capsys, *TRAIN, "--config", "run.toml", status=2
    )
    monkeypatch.setenv("BACKPROP_ITERS", "3")
    monkeypatch.setenv("BACKPROP_EPOCHS", "2")
    assert "give epochs or iters, not both" in fails(capsys, *TRAIN, status=2)


def test_variables_that_are_empty_or_false(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("OUT", ""), ("RESUME", ""), ("BATCH_NORM", "false")):
        monkeypatch.setenv(f"BACKPROP_{name}", value)
    train("--epochs", "1")
    assert main(["train", "--resume", "runs/two-layer-1", "--epochs", "2"]) == 0


def test_names_that_need_escapes() -> None:
    os.rename("small.npz", '😀 "a\\b".npz')
    words = ["train", "--device", "cpu", "--data", '😀 "a\\b".npz', "--epochs", "1"]
    assert main([*words, "--out", "first"]) == 0
    assert main(["train", "--config", "first/config.toml", "--out", "second"]) == 0


def test_the_settings_of_a_run_can_be_fed_back() -> None:
    train(*MLP, "--epochs", "2", "--out", "first", "--weight-decay", "1e-3", "--schedule", "step:5:0.5")
    assert tomllib.loads(Path("first/config.toml").read_text())["weight-decay"] == 1e-3
    assert main(["train", "--config", "first/config.toml", "--out", "second"]) == 0
    assert history("first") == history("second")
    assert Path("first/config.toml").read_text() == Path("second/config.toml").read_text()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("lrr = 1", "run.toml: lrr: unknown option 'lrr': expected one of .*did you mean lr"),
        ("lr = -1", "run.toml: lr: expected a finite number of at least 0, got '-1'"),
        ("lr = [1]", r"run.toml: lr: expected one number or text, got \[1\]"),
        ("no-capture = 3", "run.toml: no-capture: expected true or false, got 3"),
        ('sampling = "all"', "run.toml: sampling: expected one of without-replacement, with-replacement"),
        ('resume = "x"', "run.toml: resume cannot stand in a file"),
        ("lr 1", "--config run.toml: it is no TOML file"),
        ("lr = \udc80", "--config run.toml: it is no TOML file"),
    ],
)
def test_wrong_files(text: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("run.toml").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("BACKPROP_NO_REPORT")
        err = fails(capsys, *TRAIN, "--config", "run.toml", status=2)
    assert __import__("re").search(message, err)


def test_wrong_variables(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BACKPROP_BATCHSIZE", "3")
    assert "BACKPROP_BATCHSIZE: unknown option 'batchsize'" in fails(capsys, *TRAIN, status=2)
    monkeypatch.delenv("BACKPROP_BATCHSIZE")
    monkeypatch.setenv("BACKPROP_BATCH_SIZE", "0")
    err = fails(capsys, "train", status=2)
    assert "BACKPROP_BATCH_SIZE: expected a whole number of at least 1, got '0'" in err
    monkeypatch.delenv("BACKPROP_BATCH_SIZE")
    assert "no.toml" in fails(capsys, *TRAIN, "--config", "no.toml")


def test_help_imports_no_numpy_with_settings_from_elsewhere() -> None:
    train("--epochs", "1", "--out", "here")
    code = (
        "import sys; from backprop.cli.configuration import checkpoint_of, run_of\n"
        "from backprop.cli.parser import build_parser\n"
        "actions = {a.dest: a for a in build_parser()[1]._actions}\n"
        "print(run_of(checkpoint_of('here'), actions)[0]['epochs'], 'numpy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1", "False"]


@pytest.mark.filterwarnings("always:validation")
def test_a_split_keeps_every_class_and_says_which_is_scarce(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(0)
    t = np.repeat([0, 1, 2], [30, 28, 2])
    x = rng.random((60, 4)).astype("f")
    np.savez("rare.npz", x_train=x, t_train=t, x_test=x, t_test=t)
    for seed in range(4):
        words = ["--epochs", "1", "--batch-size", "10", "--validation", "0.5", "--seed", str(seed)]
        assert main(["train", "--data", "rare.npz", "--no-save", *words]) == 0
        told = capsys.readouterr()
        assert "class 2 has 1 to train on and 1 to validate on" in told.err
        assert "30 to train on, 30 to validate on" in told.out


ESCAPES = "\x1b]52;c;aGk=\x07\x1b[2J"
"""What writes into a terminal's clipboard and clears its screen."""


def without_a_place(name: str) -> Path:
    """A run whose file of this name is a link to a file of somebody else, which is returned."""
    train("--epochs", "1", "--out", "here")
    victim, path = Path("victim"), Path("here", name)
    victim.write_text("precious\n")
    path.unlink(missing_ok=True)
    path.symlink_to(victim.resolve())
    return victim


@pytest.mark.parametrize(
    "name", [run_folder.REPORT, run_folder.CONFIG, run_folder.HISTORY, "checkpoint-00000014.safetensors"]
)
def test_a_link_in_a_run_folder_gives_way(name: str) -> None:
    victim = without_a_place(name)
    if name == run_folder.REPORT:
        assert main(["report", "here"]) == 0
    else:
        first = "here/checkpoint-00000007.safetensors"
        assert main(["train", "--resume", first, "--epochs", "2"]) == 0
    assert not Path("here", name).is_symlink()
    assert victim.read_text() == "precious\n"


def test_a_lock_that_is_a_link_is_not_written(capsys: pytest.CaptureFixture[str]) -> None:
    victim = without_a_place(run_folder.LOCK)
    err = fails(capsys, "train", "--resume", "here", "--epochs", "2")
    assert "here/lock cannot be written: it is a link, which is not written through; put a file in" in err
    Path("here/lock").unlink()
    os.link(victim, "here/lock")
    err = fails(capsys, "train", "--resume", "here", "--epochs", "2")
    assert "here/lock cannot be written: it has another name, a hard link; put a copy in its place" in err
    assert victim.read_text() == "precious\n"


@pytest.mark.skipif(os.name != "posix", reason="FIFOs as POSIX has them")
def test_nothing_waits_for_a_fifo() -> None:
    train("--epochs", "1", "--out", "here")
    (last,) = run_folder.checkpoints(Path("here"))
    commands = (
        ["inspect"],
        ["evaluate", "--data", "small.npz"],
        ["report"],
        ["train", "--epochs", "2", "--resume"],
    )
    names, refused = (
        (last.name, run_folder.BEST, run_folder.HISTORY, run_folder.LOCK, run_folder.CONFIG),
        set(),
    )
    for name in names:
        before = Path("here", name).read_bytes() if Path("here", name).exists() else None
        Path("here", name).unlink(missing_ok=True)
        os.mkfifo(Path("here", name))
        for words in commands:
            command = [sys.executable, "-m", "backprop", *words, "here"]
            done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
            assert "Traceback" not in done.stderr
            if done.returncode:
                refused.add(name)
                assert f"here/{name} " in done.stderr
                assert "it is a FIFO; expected a file" in done.stderr
        Path("here", name).unlink(missing_ok=True)
        if before is not None:
            Path("here", name).write_bytes(before)
    assert refused == set(names)


LINES = {
    "a text for a number": '{"event": "epoch", "step": 7, "loss": "x"}',
    "a list for a number": '{"event": "epoch", "step": 7, "loss": []}',
    "no number": '{"event": "epoch", "step": 7, "loss": NaN}',
    "infinite": '{"event": "epoch", "step": 7, "loss": 1e999}',
    "huge": f'{{"event": "epoch", "step": 7, "epoch": 1{"0" * 50}}}',
    "a truth for a step": '{"event": "epoch", "step": true}',
    "no event": '{"step": 7}',
    "another event": '{"event": "lunch", "step": 7}',
    "a list for an event": '{"event": [], "step": 7}',
    "long": f'{{"event": "epoch", "step": 7, "loss": {"1" * 2000}}}',
    "deep": "[" * 10**5,
    "a list": "[1]",
    "no text": "\udcff",
}


@pytest.mark.parametrize("line", LINES.values(), ids=LINES)
def test_a_line_of_the_history_that_is_none_is_left_out(line: str) -> None:
    whole = '{"event": "epoch", "step": 7, "loss": 0.5, "test_accuracy": null}'
    Path(run_folder.HISTORY).write_bytes(f"{whole}\n{line}\n{whole}\n".encode("utf-8", "surrogateescape"))
    assert run_folder.read_history(Path()) == [json.loads(whole)] * 2


def test_of_a_line_of_the_history_the_metrics_are_kept() -> None:
    Path(run_folder.HISTORY).write_text('{"event": "steps", "step": 7, "loss": 0.5, "more": {"a": [1]}}\n')
    assert run_folder.read_history(Path()) == [{"event": "steps", "step": 7, "loss": 0.5}]


def test_a_history_that_is_too_large_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    run_folder.write_history(Path(), [{"event": "steps", "step": 7}])
    monkeypatch.setattr(run_folder, "LARGEST_HISTORY", 10)
    with pytest.raises(
        OSError, match="history.jsonl cannot be used: it has 30 bytes; expected at most 10; move it"
    ):
        run_folder.read_history(Path())


def test_a_file_of_settings_that_is_too_large_is_not_read(capsys: pytest.CaptureFixture[str]) -> None:
    """A key of 60 kB takes 3 GB."""
    Path("run.toml").write_text("a." * 30_000 + "a = 1")
    assert "run.toml cannot be used: it has 60,005 bytes; expected at most 16,384" in fails(
        capsys, *TRAIN, "--config", "run.toml"
    )
    Path("run.toml").write_text("lr = " + "[" * 10_000)
    err = fails(capsys, *TRAIN, "--config", "run.toml", status=2)
    assert "--config run.toml: it is no TOML file" in err


@pytest.mark.filterwarnings("always::UserWarning")
@pytest.mark.skipif(os.name != "posix", reason="locks as POSIX has them")
@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_said(
    number: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fcntl.flock", refusing(OSError(number, os.strerror(number))))
    train("--epochs", "1", "--out", "here")
    err = capsys.readouterr().err
    assert err == (
        f"backprop: warning: here: its file system has no locks ({reason(OSError(number, os.strerror(number)))}); let no second process "
        "train there\n"
    )
    assert len(run_folder.checkpoints(Path("here"))) == 1


def refusing(error: OSError) -> Callable[..., Any]:
    def refuse(*_: Any) -> None:
        raise error

    return refuse


@pytest.mark.skipif(os.name != "posix", reason="locks as POSIX has them")
def test_other_errors_of_a_lock_are_told_apart(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    train("--epochs", "1", "--out", "here")
    Path("here/lock").write_text(f"process {ESCAPES}")
    monkeypatch.setattr("fcntl.flock", refusing(BlockingIOError(errno.EAGAIN, "busy")))
    err = fails(capsys, "train", "--resume", "here", "--epochs", "2")
    assert "here is in use by process \\x1b]52;c;aGk=\\x07\\x1b[2J" in err
    monkeypatch.setattr("fcntl.flock", refusing(OSError(errno.EIO, "Input/output error")))
    err = fails(capsys, "train", "--resume", "here", "--epochs", "2")
    assert "here/lock cannot be locked: input/output error" in err


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


def test_a_checkpoint_says_when_it_was_saved() -> None:
    before = time.time()
    train("--epochs", "2", "--out", "here")
    first, last = (
        read_contents(path).description["run"]["saved"] for path in run_folder.checkpoints(Path("here"))
    )
    assert before <= first <= last <= time.time()


def test_the_latest_run_with_a_damaged_checkpoint_is_still_the_latest(
    capsys: pytest.CaptureFixture[str],
) -> None:
    train("--epochs", "2")
    train("--epochs", "2")
    run_folder.checkpoints(Path("runs/two-layer-2"))[-1].write_bytes(b"damaged")
    os.mkdir("runs/more")
    Path("runs/more/checkpoint-00000007.safetensors").write_bytes(b"damaged")
    err = fails(capsys, "train", "--resume")
    assert "runs/two-layer-2/checkpoint-00000014.safetensors is not a checkpoint" in err
    assert "another one of the run: --resume runs/two-layer-2/checkpoint-00000007.safetensors" in err


def test_the_description_is_read_without_the_arrays(tmp_path: Path) -> None:
    train("--epochs", "1", "--out", "here")
    (path,) = run_folder.checkpoints(Path("here"))
    expected = read_contents(path).description
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    assert read_description(path) == expected
    with pytest.raises(CheckpointError, match="has been damaged"):
        read_contents(path)


def replaced_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the checkpoint be replaced by a later one after it has been found, as by a running process."""
    trained, left = run_folder.trained, [1]

    def found(name: Any) -> Path:
        path = trained(name)
        if left and path != Path(name):
            left.pop()
            path.rename(path.with_name("checkpoint-00000999.safetensors"))
        return path

    monkeypatch.setattr(run_folder, "trained", found)


READERS = {
    "evaluate": ["evaluate", "here", "--data", "small.npz"],
    "predict": ["predict", "here", "--input", "x.npy"],
    "inspect": ["inspect", "here"],
    "inspect as JSON": ["inspect", "here", "--json"],
    "report": ["report", "here"],
    "comparison": ["report", "here", "here"],
}


@pytest.mark.parametrize("words", READERS.values(), ids=READERS)
def test_a_checkpoint_that_is_just_being_replaced_is_looked_for_again(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    train("--epochs", "1", "--out", "here")
    np.save("x.npy", np.zeros((1, 4), "float32"))
    replaced_once(monkeypatch)
    capsys.readouterr()
    assert main(words) == 0
    assert capsys.readouterr().err == ""
    assert [path.name for path in run_folder.checkpoints(Path("here"))] == ["checkpoint-00000999.safetensors"]


def test_a_file_that_is_named_is_looked_for_once() -> None:
    tries = []

    def read(path: Path) -> None:
        tries.append(path)
        raise FileNotFoundError

    with pytest.raises(FileNotFoundError):
        run_folder.read_trained("a.safetensors", read)
    assert tries == [Path("a.safetensors")]


def test_a_name_that_is_not_utf8_works(capsys: pytest.CaptureFixture[str]) -> None:
    name, out = os.fsdecode(b"d\xff.npz"), os.fsdecode(b"r\xfe")
    try:
        os.rename("small.npz", name)
    except OSError:
        pytest.skip("this file system has no such names")
    words = ["train", "--device", "cpu", "--data", name, "--epochs", "1", "--batch-size", "30"]
    assert main([*words, "--out", out]) == 0
    shown = capsys.readouterr().out
    assert "\ndata d\\xff: 200 to train on" in shown
    assert "\nrun r\\xfe\n" in shown
    assert main(["train", "--resume", out, "--epochs", "2"]) == 0
    assert main(["train", "--config", f"{out}/config.toml", "--out", "second"]) == 0
    assert history(out) == history("second")
    for command in ("report", "inspect"):
        assert main([command, out]) == 0
    assert "on d\\xff</title>" in Path(out, run_folder.REPORT).read_text("utf-8")
    assert main(["evaluate", out, "--data", name]) == 0
    assert capsys.readouterr().out.endswith(" on 50 samples of d\\xff\n")


@pytest.mark.filterwarnings("always::UserWarning")
def test_control_characters_of_a_run_are_shown(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    train("--epochs", "1", "--out", "here")
    (path,) = run_folder.checkpoints(Path("here"))

    def change(**description: Any) -> None:
        checkpoint = read_checkpoint(path)
        for key, value in description.items():
            checkpoint.description[key].update(value)
        write_checkpoint(path, checkpoint)

    change(
        run={"command": f"train {ESCAPES}"},
        optimizer={"settings": ESCAPES},
        data={"name": ESCAPES},
        machine={"CPU": ESCAPES},
        network={"class": f"Net{ESCAPES}"},
    )
    for words in (["inspect", "here"], ["report", "here"], ["train", "--resume", "here", "--epochs", "2"]):
        assert main(words) == 0
    page = Path("here", run_folder.REPORT).read_text("utf-8")
    assert "Net\\x1b]52;c;aGk=\\x07" in page
    kept = read_checkpoint(path).description["run"]["settings"]
    change(run={"settings": {**kept, "data": f"no{ESCAPES}"}})
    assert main(["report", "here"]) == 0
    assert main(["train", "--resume", str(path), "--epochs", "2"]) == 1
    change(run={"settings": {f"lr{ESCAPES}": 1}})
    assert main(["train", "--resume", str(path), "--epochs", "2"]) == 1
    os.rename("small.npz", f"d{ESCAPES}.npz")
    assert (
        main(
            ["train", "--device", "cpu", "--data", f"d{ESCAPES}.npz", "--iters", "2", "--out", f"o{ESCAPES}"]
        )
        == 0
    )
    out, err = capsys.readouterr()
    for text in (out, err, page, Path("here", run_folder.REPORT).read_text("utf-8")):
        assert [c for c in text if not (c.isprintable() or c == "\n")] == []
        assert "\\x1b" in text


@pytest.mark.parametrize("by_class", [True, False])
def test_held_back_samples_are_taken_out_where_they_are(by_class: bool) -> None:
    """The validation data come in addition, not the whole data a second time."""
    rng = np.random.default_rng(0)
    x, t = rng.standard_normal((20_000, 50)), rng.integers(0, 5, 20_000)
    whole = Dataset("a", x.copy(), t.copy(), x[:1], t[:1])
    tracemalloc.start()
    left, held_out = _split(whole, argparse.Namespace(validation=0.1, seed=3), by_class)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 0.3 * x.nbytes
    assert held_out is not None
    order = np.random.default_rng([3, 1]).permutation(20_000)
    out = np.sort(held_back(t[order], 2000, order) if by_class else order[:2000])
    rest = np.setdiff1d(np.arange(20_000), out)
    for part, rows in (((left.x_train, left.t_train), rest), (held_out, out)):
        np.testing.assert_array_equal(part[0], x[rows])
        np.testing.assert_array_equal(part[1], t[rows])


@pytest.mark.parametrize("kind", [[], ["--validation", "0.3"]], ids=["all", "validation"])
def test_the_report_at_the_end_has_the_data_at_hand(kind: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """They are not loaded again, and the page is the one that `backprop report` makes of the folder."""
    monkeypatch.delenv("BACKPROP_NO_REPORT")
    with monkeypatch.context() as patch:
        patch.setattr("backprop.report.restored.dataset_at", refusing(OSError("loaded again")))
        train(*kind, "--epochs", "3", "--out", "here")
    page = Path("here", run_folder.REPORT).read_bytes()
    assert b"Confusion matrix" in page
    assert main(["report", "here"]) == 0
    assert Path("here", run_folder.REPORT).read_bytes() == page


def params(path: Path | str) -> dict[str, bytes]:
    _, checkpoint = run_folder.read_trained(path, read_checkpoint)
    return {name: a.tobytes() for name, a in checkpoint.arrays.items() if name.startswith("params.")}


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


@pytest.mark.filterwarnings("always:--validation")
def test_from_a_run_that_is_gone_when_it_is_resumed(capsys: pytest.CaptureFixture[str]) -> None:
    train("--epochs", "1", "--out", "first")
    words = ["--from", "first", "--lr", "0.05", "--validation", "0.2"]
    train(*words, "--epochs", "3", "--out", "whole")
    train(*words, "--epochs", "1", "--out", "parts")
    assert capsys.readouterr().err.count("has learnt from the samples held back here") == 2
    shutil.rmtree("first")
    train("--resume", "parts", "--epochs", "3")
    assert params("parts") == params("whole")


@pytest.mark.filterwarnings("always:--validation")
def test_from_a_run_that_has_seen_what_is_held_back(capsys: pytest.CaptureFixture[str]) -> None:
    def warned(*words: str) -> str:
        capsys.readouterr()
        train("--epochs", "1", *words)
        return capsys.readouterr().err

    split = ("--validation", "0.2", "--seed", "5")
    warned("--out", "all")
    all_of_it = "or what it began with, has learnt from the samples held back here"
    assert all_of_it in warned("--from", "all", *split, "--out", "child")
    assert all_of_it in warned("--from", "child", *split, "--out", "grandchild")
    assert all_of_it in warned("--from", "grandchild", *split, "--no-save")
    warned(*split, "--out", "split")
    assert warned("--from", "split", *split, "--out", "same") == ""
    assert warned("--from", "same", *split, "--no-save") == ""
    some = "has learnt from some of the samples held back here, so these figures are too good; give --validation 0.2 --seed 5"
    assert some in " ".join(
        warned("--from", "split", "--validation", "0.2", "--seed", "6", "--no-save").split()
    )
    warned("--from", "split", "--validation", "0.2", "--seed", "6", "--out", "mixed")
    assert all_of_it in warned("--from", "mixed", "--validation", "0.2", "--seed", "6", "--no-save")
    with np.load("small.npz") as data:
        np.savez("other.npz", **{**data, "x_train": data["x_train"] + np.float32(0.5)})
    assert warned("--from", "all", *split, "--data", "other.npz", "--no-save") == ""


def test_from_the_same_split_is_not_warned_of() -> None:
    train("--epochs", "1", "--validation", "0.2", "--out", "first")
    train("--from", "first", "--epochs", "1", "--validation", "0.2", "--out", "second")  # warnings are errors


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


@pytest.mark.filterwarnings("ignore:.*turned upright")
def test_a_run_on_transposed_images_is_told_so(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One from before EMNIST's images were turned upright."""
    x, t = np.random.default_rng(0).integers(0, 256, (40, 8, 8)), np.arange(40) % 4
    (folder / "data").mkdir()
    for part, name in (("train", "emnist-digits-train"), ("t10k", "emnist-digits-test")):
        for start in (part, name):
            (folder / "data" / f"{start}-images-idx3-ubyte").write_bytes(idx(x))
            (folder / "data" / f"{start}-labels-idx1-ubyte").write_bytes(idx(t))
    words = ["train", "--device", "cpu", "--data", "data", "--epochs", "1", "--batch-size", "10", "--quiet"]
    assert main([*words, "--out", "before"]) == 0  # by MNIST's names: as they lie in the files
    for part in ("train", "t10k"):
        os.unlink(folder / "data" / f"{part}-images-idx3-ubyte")
    assert main([*words, "--out", "after"]) == 0
    assert main(["evaluate", "after"]) == 0
    capsys.readouterr()
    for command in (["train", "--resume", "before", "--epochs", "2"], ["evaluate", "before"]):
        err = fails(capsys, *command)
        assert "has learnt from EMNIST's images as they lie in its files, transposed" in err


@pytest.mark.parametrize("by_class", [True, False])
def test_evaluate_leaves_out_of_the_training_data_what_was_held_back(
    by_class: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the data lie elsewhere now; other data are taken whole."""
    train("--validation", "0.3", "--seed", "7", "--epochs", "2", "--out", "here")
    if not by_class:
        monkeypatch.setattr("backprop.saving.run_data.BY_CLASS", "of another kind")
    checkpoint = read_checkpoint(run_folder.trained("here"))
    with np.load("small.npz") as data:
        arrays = dict(data)
    x, t = arrays["x_train"], arrays["t_train"]
    rows, out = split(t, 0.3, of_seed(7), by_class=by_class)
    assert (len(rows), len(out)) == (140, 60)
    loss, accuracy = load_network("here").evaluate(x[rows], t[rows])
    os.rename("small.npz", "moved.npz")
    np.savez("other.npz", **{**arrays, "x_train": x + np.float32(0.5)})
    for data, samples in (("moved.npz", 140), ("other.npz", 200)):
        capsys.readouterr()
        assert main(["evaluate", "here", "--train", "--data", data, "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        assert found["samples"] == samples
        if samples == 140:
            assert (found["loss"], found["accuracy"]) == (loss, accuracy)
    assert main(["evaluate", "here", "--train", "--data", "moved.npz"]) == 0
    assert "on 140 samples of moved, without the 60 that were held back" in capsys.readouterr().out
    shown = trained_part("here", checkpoint.description, load_dataset("moved.npz"))
    np.testing.assert_array_equal(shown.x_train, x[rows])


def test_what_is_no_better_than_guessing_is_the_network_that_is_kept(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """In a short run, too: the best one on the validation data, here the first."""
    train("--epochs", "3", "--lr", "0", "--validation", "0.3", "--out", "here")
    out = capsys.readouterr().out
    assert "best on the validation data: epoch 1\n" in out
    assert "after step 5 the network is no better than guessing" in out
