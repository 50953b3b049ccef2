"""Compute the points of a run's curves from its history."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .record import Record

Line = dict[str, Any]


@dataclass(frozen=True)
class Point:
    """Loss and accuracy of the network after some steps."""

    at: float
    """The number of steps; for a mean, the middle."""
    mean_of: int
    """The number of steps in the mean; 0 for an evaluation."""
    loss: float | None
    accuracy: float | None


def evaluation_points(record: Record, part: str) -> list[Point]:
    """The points on the `"test"` or `"validation"` data: one for each epoch, and one for a final test."""
    lines = [*record.epochs, *record.tests]
    points = [Point(m["step"], 0, m.get(f"{part}_loss"), m.get(f"{part}_accuracy")) for m in lines]
    return [point for point in points if (point.loss, point.accuracy) != (None, None)]


def training_points(record: Record) -> list[Point]:
    """The points on the training data: means of some steps, or of a whole epoch without such means.

    The very first batch is a point of its own, which does not represent its epoch.
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
    """The number of steps in a line's mean; if it does not say, the steps since the line before it."""
    n = line.get("mean_of")
    return n if type(n) is int and 1 <= n <= line["step"] else max(since, 1)


def _mean(line: Line, n: int) -> Point:
    """The mean of the last n steps; a step's loss is the network's before the update."""
    return Point(line["step"] - (n + 1) / 2, n, line.get("loss"), line.get("accuracy"))
