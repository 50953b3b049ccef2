"""The points of a run's curves, from its history."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .record import Record

Line = dict[str, Any]


@dataclass(frozen=True)
class Point:
    """Loss and accuracy of the network as it was after some steps."""

    at: float
    """After how many steps; of a mean, the middle."""
    mean_of: int
    """How many steps it is the mean of; 0 for what was evaluated."""
    loss: float | None
    accuracy: float | None


def evaluated(record: Record, part: str) -> list[Point]:
    """The points on the `"test"` or `"validation"` data: of the epochs, and of a test at the end."""
    lines = [*record.epochs, *record.tests]
    points = [Point(m["step"], 0, m.get(f"{part}_loss"), m.get(f"{part}_accuracy")) for m in lines]
    return [point for point in points if (point.loss, point.accuracy) != (None, None)]


def trained(record: Record) -> list[Point]:
    """The points of the training: means over some steps, or over an epoch that has no others.

    The very first batch is a point by itself, and does not stand for its epoch.
    """
    points, start, before, has_others = [], 0, 0, False
    lines = [*((line, False) for line in record.steps), *((line, True) for line in record.epochs)]
    for line, is_epoch in sorted(lines, key=lambda found: found[0]["step"]):
        step = line["step"]
        if not is_epoch:
            points.append(_mean(line, _length(line, step - before)))
            has_others = has_others or step > 1
        else:
            if not has_others:
                points.append(_mean(line, max(step - start, 1)))
            start, has_others = step, False
        before = step
    return points


def _length(line: Line, since: int) -> int:
    """How many steps a line is the mean of; those since the line before it, where it does not say so."""
    n = line.get("mean_of")
    return n if type(n) is int and 1 <= n <= line["step"] else max(since, 1)


def _mean(line: Line, n: int) -> Point:
    """A mean over the last n steps: each loss is that of the network before the step's update."""
    return Point(line["step"] - (n + 1) / 2, n, line.get("loss"), line.get("accuracy"))
