"""`backprop train --resume` equals an uninterrupted run, or says why it may not."""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backprop.cli import main
from backprop.saving import history_file, run_folder
from backprop.saving.checkpoint import (
    Checkpoint,
    read_checkpoint,
    write_checkpoint,
)
from backprop.saving.history import history_of
from backprop.schedules import Cosine

from ..commands import fails
from ..datasets.small import idx
from .runs import BEST_NAMES, MLP, VALIDATED, arrays, epochs, history, train

pytestmark = pytest.mark.usefixtures("folder")


def test_resuming_from_an_earlier_step() -> None:
    train("--iters", "12", "--out", "here", "--save-every", "4", "--keep", "3")
    first = run_folder.checkpoints(Path("here"))[0]
    assert main(["train", "--resume", str(first), "--iters", "7", "--save-every", "6", "--keep", "1"]) == 0
    (last,) = run_folder.checkpoints(Path("here"))
    assert last.name == "checkpoint-00000007.safetensors"
    assert [line["step"] for line in history_file.read_history(Path("here"))] == [*range(1, 8), 7]


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


@pytest.mark.filterwarnings("always::UserWarning")
def test_a_stretched_schedule_warns(capsys: pytest.CaptureFixture[str]) -> None:
    train("--iters", "10", "--schedule", "cosine", "--lr", "0.2", "--out", "here")
    assert main(["train", "--resume", "here"]) == 0
    assert capsys.readouterr().err == ""
    assert main(["train", "--resume", "here", "--iters", "20"]) == 0
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(
        "backprop: warning: here/checkpoint-00000010.safetensors: the resumed run may differ "
    )
    assert "Cosine(lr=0.2, steps=20, lowest=0.0)" in line
    assert "Cosine(lr=0.2, steps=10, lowest=0.0)" in line
    assert line.endswith(f"; the rate of step 11 is {Cosine(0.2, 20)(11):.6g}")


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
    told = "is from a run on other data than small: give the place of its data with --data"
    assert told in err
    assert told in fails(capsys, "evaluate", "here")
    assert main(["report", "here"]) == 0
    page = Path("here", run_folder.REPORT).read_text()
    assert "There is no diagnosis of the network: the data small have changed since the run." in page


def test_the_same_data_in_another_place(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train("--epochs", "1", "--out", "here")
    (folder / "elsewhere").mkdir()
    os.rename("small.npz", "elsewhere/other.npz")
    err = fails(capsys, "train", "--resume", "here", "--epochs", "2")
    assert "small.npz: no such file or folder" in err
    assert "if the run's data have moved, give their place with --data" in err
    assert main(["train", "--resume", "here", "--epochs", "2", "--data", "elsewhere/other.npz"]) == 0
    assert main(["train", "--resume", "here", "--epochs", "3"]) == 0


def as_format_1(path: Path, crc: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Write a file in the old format: the history in the description, a checksum of some of the data."""
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
    assert "is from a run on other data than small:" in err
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
    assert "it does not say which machine computed it" in capsys.readouterr().err
    assert history("old") == history("whole")
    for name in ("best.safetensors", "checkpoint-00000020.safetensors"):
        assert arrays(Path("old") / name) == arrays(Path("whole") / name)


@pytest.mark.parametrize("kind", ["ahead", "behind", "gone", "cut off", "deep"])
def test_a_history_out_of_step_with_its_checkpoint(kind: str) -> None:
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


def test_a_finished_run_has_nothing_left_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    train("--epochs", "2", "--out", "here")
    before = capsys.readouterr().out.splitlines()[-2].partition(",")[0]
    assert main(["train", "--resume", "here"]) == 0
    assert capsys.readouterr().out.splitlines()[-2].startswith(before)


def test_a_run_that_cannot_be_resumed_keeps_its_settings(capsys: pytest.CaptureFixture[str]) -> None:
    train("--epochs", "2", "--out", "here")
    before = Path("here/config.toml").read_bytes()
    fails(capsys, "train", "--resume", "here", "--epochs", "1", "--save-every", "3")
    assert Path("here/config.toml").read_bytes() == before


def test_a_resumed_run_needs_its_data(capsys: pytest.CaptureFixture[str]) -> None:
    train("--epochs", "2", "--out", "here")
    with np.load("small.npz") as data:
        changed = dict(data)
    changed["t_train"] = np.roll(changed["t_train"], 1)
    np.savez("small.npz", **changed)
    assert "is from a run on other data than small:" in fails(capsys, "train", "--resume", "here")


def test_resume_into_another_folder(capsys: pytest.CaptureFixture[str]) -> None:
    train(*VALIDATED, "--out", "here")
    before = capsys.readouterr().out.splitlines()[-3]
    for words in (["--out", "there"], ["--no-save"]):
        assert main(["train", "--resume", "here", "--epochs", "12", *words]) == 0
        out = capsys.readouterr().out
        assert before.partition(",")[0] in out
    assert arrays(Path("there/best.safetensors")) == arrays(Path("here/best.safetensors"))
    assert len(run_folder.checkpoints(Path("there"))) == 1


def test_a_run_that_stopped_early_stays_stopped(capsys: pytest.CaptureFixture[str]) -> None:
    train(*VALIDATED[:-1], "200", "--patience", "3", "--out", "here")
    before = history("here")
    assert main(["train", "--resume", "here"]) == 0
    out = capsys.readouterr().out
    assert "this run has already stopped early: no epoch since" in out
    assert "to continue, give more --patience than 3" in out
    assert history("here") == before
    assert main(["train", "--resume", "here", "--patience", "5"]) == 0
    assert "this run has already stopped early" not in capsys.readouterr().out
    assert len(history("here")) > len(before)


@pytest.mark.filterwarnings("always::UserWarning")
def test_a_damaged_history_or_best_checkpoint_does_not_prevent_resuming(
    capsys: pytest.CaptureFixture[str],
) -> None:
    train(*VALIDATED[:-1], "2", "--out", "here")
    with open("here/history.jsonl", "ab") as file:
        file.write(b'{"event": "steps"}\n5\n\xff\n{"event": "epo')
    Path("here/best.safetensors").write_bytes(b"no")
    capsys.readouterr()
    assert main(["train", "--resume", "here", "--epochs", "3"]) == 0
    assert "best.safetensors is not a readable checkpoint" in capsys.readouterr().err
    assert [line["epoch"] for line in epochs("here")] == [1, 2, 3]


@pytest.mark.filterwarnings("ignore:.*turned upright")
def test_a_run_on_transposed_images_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A run from a version that did not turn EMNIST's images upright."""
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
        assert "was trained on EMNIST's images as stored, transposed" in err
