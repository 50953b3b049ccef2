"""`backprop train`: its files and its output."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backprop.cli import main
from backprop.saving import history_file, run_folder
from backprop.saving.checkpoint import (
    read_checkpoint,
    write_checkpoint,
)
from backprop.training.epoch import Epoch

from .runs import ESCAPES, epochs, history, known, params, refusing, train

pytestmark = pytest.mark.usefixtures("folder")


def test_lines_within_an_epoch() -> None:
    train("--iters", "16", "--out", "here", "--log-every", "3")
    lines = [(line["event"], line["step"]) for line in history_file.read_history(Path("here"))]
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


def test_a_run_that_is_not_saved_reads_no_means(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Epoch, "means", None)
    train("--epochs", "2", "--no-save")


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
        f"\nepoch 3   loss {lines[-1]['loss']:.4f}, held-out accuracy {lines[-1]['test_accuracy']:.4f}\n"
        in out
    )
    assert f"\nmachine   backend numpy {np.__version__}, device cpu, " in out
    assert "history." not in out


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


@pytest.mark.parametrize("kind", [[], ["--validation", "0.3"]], ids=["all", "validation"])
def test_the_report_at_the_end_reuses_the_data(kind: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """They are not loaded again, and the report equals that of `backprop report`."""
    monkeypatch.delenv("BACKPROP_NO_REPORT")
    with monkeypatch.context() as patch:
        patch.setattr("backprop.report.restored.dataset_at", refusing(OSError("loaded again")))
        train(*kind, "--epochs", "3", "--out", "here")
    page = Path("here", run_folder.REPORT).read_bytes()
    assert b"Confusion matrix" in page
    assert main(["report", "here"]) == 0
    assert Path("here", run_folder.REPORT).read_bytes() == page


@pytest.mark.parametrize("options", [[], ["--validation", "0.3"]])
def test_a_folder_of_npy_files_trains_like_the_archive(options: list[str]) -> None:
    Path("arrays").mkdir()
    with np.load("small.npz") as archive:
        for name, array in archive.items():
            np.save(f"arrays/{name}.npy", array)
    before = {file.name: file.read_bytes() for file in Path("arrays").iterdir()}
    for data, out in (("small.npz", "read"), ("arrays", "mapped")):
        train("--epochs", "3", "--data", data, "--out", out, *options)
    assert epochs("mapped") == [
        {**line, "seconds": known["seconds"]}
        for line, known in zip(epochs("read"), epochs("mapped"), strict=True)
    ]
    assert params("mapped") == params("read")
    assert {file.name: file.read_bytes() for file in Path("arrays").iterdir()} == before
    train("--epochs", "4", "--data", "arrays", "--resume", "read")
    for command in (["report", "mapped"], ["evaluate", "mapped"], ["evaluate", "mapped", "--train"]):
        assert main(command) == 0
