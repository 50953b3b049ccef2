"""`history.jsonl`: lines written are read back, and malformed ones are skipped."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from backprop import Metrics
from backprop.saving import history_file, run_folder
from backprop.saving.history import Means
from backprop.saving.history_file import (
    add_history,
    by_event,
    epoch_line,
    read_history,
    result_line,
    rewind_history,
    steps_line,
    write_history,
)

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
def test_malformed_lines_are_skipped(line: str) -> None:
    whole = '{"event": "epoch", "step": 7, "loss": 0.5, "test_accuracy": null}'
    Path(run_folder.HISTORY).write_bytes(f"{whole}\n{line}\n{whole}\n".encode("utf-8", "surrogateescape"))
    assert history_file.read_history(Path()) == [json.loads(whole)] * 2


def test_only_known_fields_of_a_line_are_read() -> None:
    Path(run_folder.HISTORY).write_text('{"event": "steps", "step": 7, "loss": 0.5, "more": {"a": [1]}}\n')
    assert history_file.read_history(Path()) == [{"event": "steps", "step": 7, "loss": 0.5}]


def test_a_history_that_is_too_large_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    history_file.write_history(Path(), [{"event": "steps", "step": 7}])
    monkeypatch.setattr(history_file, "LARGEST_HISTORY", 10)
    with pytest.raises(
        OSError, match="history.jsonl cannot be used: it has 30 bytes; expected at most 10; move it"
    ):
        history_file.read_history(Path())


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


FIRST = Metrics(1, 7, 0.5, 0.75, 0.25, 0.875, seconds=1.5)
VALIDATED = replace(FIRST, test_loss=None, test_accuracy=None, validation_loss=0.4, validation_accuracy=0.8)


def test_the_line_of_an_epoch_leaves_out_missing_metrics() -> None:
    shared = {"event": "epoch", "epoch": 1, "step": 7, "loss": 0.5, "accuracy": 0.75, "seconds": 1.5}
    test = {"test_loss": 0.25, "test_accuracy": 0.875}
    validation = {"validation_loss": 0.4, "validation_accuracy": 0.8}
    assert epoch_line(FIRST) == {**shared, **test}
    assert epoch_line(VALIDATED) == {**shared, **validation}
    both = replace(FIRST, validation_loss=0.4, validation_accuracy=0.8)
    assert epoch_line(both) == {**shared, **test, **validation}
    assert epoch_line(replace(VALIDATED, validation_loss=None, validation_accuracy=None)) == shared


def test_an_epoch_without_an_accuracy() -> None:
    line = epoch_line(replace(FIRST, accuracy=None, test_accuracy=None))
    assert (line["accuracy"], line["test_accuracy"], line["test_loss"]) == (None, None, 0.25)


@pytest.mark.parametrize(("loss", "kept"), [(0.25, 0.25), (float("inf"), None), (float("nan"), None)])
def test_the_line_of_a_test(loss: float, kept: float | None) -> None:
    line = result_line(replace(FIRST, test_loss=loss))
    assert line == {"event": "test", "epoch": 1, "step": 7, "test_loss": kept, "test_accuracy": 0.875}


def test_write_and_read() -> None:
    lines = [steps_line(Means(3, 3, 0.7, None)), epoch_line(FIRST), result_line(FIRST)]
    write_history(Path(), lines[:1])
    add_history(Path(), *lines[1:])
    assert read_history(Path()) == lines
    assert Path("history.jsonl").read_text().count("\n") == 3
    write_history(Path(), lines[:1])
    assert read_history(Path()) == lines[:1]


def test_a_run_without_a_history() -> None:
    assert read_history(Path()) == []


def test_lines_by_event() -> None:
    lines = [steps_line(Means(3, 3, 0.7, None)), epoch_line(FIRST), steps_line(Means(9, 2, 0.6, 0.5))]
    found = by_event(lines)
    assert [line["step"] for line in found.steps] == [3, 9]
    assert [line["loss"] for line in found.epochs] == [0.5]
    assert found.tests == []
    assert not any("event" in line for line in (*found.steps, *found.epochs))
    assert by_event([]) == ([], [], [])


def test_rewinding_keeps_lines_within_epochs_up_to_a_step() -> None:
    """The epochs come from the training; later lines are dropped, including the test result."""
    second = replace(FIRST, epoch=2, step=14, loss=0.4)
    steps = [steps_line(Means(step, 3, 0.5, 0.5)) for step in (3, 6, 10, 13)]
    write_history(Path(), [*steps[:2], epoch_line(FIRST), *steps[2:], epoch_line(second), result_line(FIRST)])
    rewind_history(Path(), [FIRST], 7)
    assert read_history(Path()) == [*steps[:2], epoch_line(FIRST)]
    rewind_history(Path(), [VALIDATED], 7)
    assert read_history(Path()) == [*steps[:2], epoch_line(VALIDATED)]
    rewind_history(Path(), [], 0)
    assert read_history(Path()) == []


def test_a_line_without_a_finite_loss_is_not_written() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        add_history(Path(), epoch_line(replace(FIRST, loss=float("nan"))))
    assert read_history(Path()) == []
