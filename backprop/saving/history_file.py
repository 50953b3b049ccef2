"""`history.jsonl`: one JSON object per line, each with an `event`.

epoch    the metrics at the end of an epoch; those of missing data are left out
steps    mean loss and accuracy over `mean_of` steps within an epoch
test     the best network's result on the test data, in a run with validation data
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from ..files import FileError, open_to_change, read_file, replace_file
from .history import Means, Metrics
from .run_folder import HISTORY, RunFolderError, writing

EPOCH, STEPS, TEST = "epoch", "steps", "test"
"""The events."""

NUMBERS = {
    *("step", "epoch", "mean_of", "seconds", "loss", "accuracy"),
    *("test_loss", "test_accuracy", "validation_loss", "validation_accuracy"),
}
"""The fields of a line other than `event`."""

LARGEST_HISTORY = 2**27
"""The most bytes of a history; enough for more than a million lines."""

LONGEST_LINE = 2**10
"""The most bytes of a line."""

Line = dict[str, Any]


class History(NamedTuple):
    """The lines of a history by their event, without that field."""

    epochs: list[Line]
    steps: list[Line]
    tests: list[Line]


def epoch_line(metrics: Metrics) -> Line:
    """The line of an epoch.

    >>> epoch_line(Metrics(1, 600, 0.5, 0.75, 0.25, 0.875, seconds=1.5))
    {'event': 'epoch', 'epoch': 1, 'step': 600, 'loss': 0.5, 'accuracy': 0.75, 'test_loss': 0.25,
     'test_accuracy': 0.875, 'seconds': 1.5}
    """
    missing = [part for part in ("test", "validation") if getattr(metrics, f"{part}_loss") is None]
    numbers = {key: value for key, value in asdict(metrics).items() if key.partition("_")[0] not in missing}
    return {"event": EPOCH, **numbers}


def steps_line(means: Means) -> Line:
    """The line of some steps within an epoch."""
    return {"event": STEPS, **asdict(means)}


def result_line(metrics: Metrics) -> Line:
    """The line of the result on the test data; a loss that is not finite is None."""
    loss = metrics.test_loss
    finite = loss if loss is not None and math.isfinite(loss) else None
    result = {"test_loss": finite, "test_accuracy": metrics.test_accuracy}
    return {"event": TEST, "epoch": metrics.epoch, "step": metrics.step, **result}


def rewind_history(folder: Path, history: Iterable[Metrics], last: int) -> None:
    """Rewrite the history from these epochs, and its own lines of steps up to the step `last`."""
    steps = [line for line in read_history(folder) if line["event"] == STEPS and line["step"] <= last]
    write_history(folder, sorted([*steps, *map(epoch_line, history)], key=lambda line: line["step"]))


def write_history(folder: Path, lines: Iterable[Line]) -> None:
    """Overwrite the history with these lines."""
    replace_file(folder / HISTORY, _encoded(lines))


def add_history(folder: Path, *lines: Line) -> None:
    """Append lines to the history."""
    with writing(folder / HISTORY), open_to_change(folder / HISTORY, "ab") as file:
        file.write(_encoded(lines))


def read_history(folder: Path) -> list[Line]:
    """The lines of the history; malformed ones, such as one truncated by a crash, are skipped."""
    try:
        data = read_file(folder / HISTORY, LARGEST_HISTORY)
    except FileNotFoundError:
        return []
    except FileError as error:
        raise RunFolderError(f"{error}; move it away; the checkpoints also have the epochs") from None
    return [line for text in io.BytesIO(data) if (line := _parsed(text))]


def by_event(lines: Iterable[Line]) -> History:
    """Group the lines by event, in order."""
    found: dict[str, list[Line]] = {EPOCH: [], STEPS: [], TEST: []}
    for line in lines:
        found[line["event"]].append({name: value for name, value in line.items() if name != "event"})
    return History(found[EPOCH], found[STEPS], found[TEST])


def _encoded(lines: Iterable[Line]) -> bytes:
    return "".join(f"{json.dumps(line, allow_nan=False)}\n" for line in lines).encode()


def _parsed(text: bytes) -> Line | None:
    """A line with its known fields; None if any of these is neither a finite number nor null."""
    line = None
    with suppress(ValueError, RecursionError):
        line = json.loads(text) if len(text) <= LONGEST_LINE else None
    if not isinstance(line, dict) or line.get("event") not in (EPOCH, STEPS, TEST):
        return None
    numbers = {key: value for key, value in line.items() if key in NUMBERS}
    if type(numbers.get("step")) is int and all(map(_is_number, numbers.values())):
        return {"event": line["event"], **numbers}
    return None


def _is_number(value: Any) -> bool:
    return value is None or (type(value) in (int, float) and abs(value) < 2**63)  # no NaN, no infinity
