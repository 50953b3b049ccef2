"""Find what repeats in a stack of layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Run:
    """A group of layers that occurs one or several times in a row."""

    start: int
    length: int
    """How many layers a group has."""
    count: int
    """How often it occurs."""

    @property
    def stop(self) -> int:
        """The end of the last one."""
        return self.start + self.length * self.count


def repeats(kinds: Sequence[str]) -> list[Run]:
    """Divide a stack into groups that repeat: from each layer on, those that cover the most layers.

    >>> repeats(["Affine", "ReLU", "Affine", "ReLU", "Dropout", "Affine"])
    [Run(start=0, length=2, count=2), Run(start=4, length=1, count=1), Run(start=5, length=1, count=1)]
    """
    runs, start = [], 0
    while start < len(kinds):
        lengths = range(1, (len(kinds) - start) // 2 + 1)
        found = [Run(start, length, _count(kinds, start, length)) for length in lengths]
        repeating = [run for run in found if run.count > 1]
        runs.append(max(repeating, key=lambda run: run.length * run.count, default=Run(start, 1, 1)))
        start = runs[-1].stop
    return runs


def _count(kinds: Sequence[str], start: int, length: int) -> int:
    """How often the group of this length repeats from its start on."""
    group, end = kinds[start : start + length], start + length
    while kinds[end : end + length] == group:
        end += length
    return (end - start) // length
