"""The history of a training run: the metrics of every epoch, stored as arrays in checkpoints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import numpy as np

from ..backends import HostArray
from .checkpoint import Checkpoint


@dataclass(frozen=True)
class Metrics:
    """The results of an epoch."""

    epoch: int
    """Epochs so far, including this one; the last may be incomplete."""
    step: int
    """Steps so far."""
    loss: float
    """Mean training loss over the epoch's steps, each before its update."""
    accuracy: float | None
    """Mean training accuracy over the same steps; None if the loss does not classify."""
    test_loss: float | None
    """Loss on the test data after the epoch; None without such data."""
    test_accuracy: float | None
    """Accuracy on the test data after the epoch."""
    seconds: float
    """Training time so far, excluding evaluation."""
    validation_loss: float | None = None
    """Loss on the validation data after the epoch; None without such data."""
    validation_accuracy: float | None = None
    """Accuracy on the validation data after the epoch."""


@dataclass(frozen=True)
class Means:
    """Mean loss and accuracy over the last steps, each before its update."""

    step: int
    """The last of the steps."""
    mean_of: int
    """The number of steps."""
    loss: float
    accuracy: float | None
    """None if the loss does not classify."""


ROW = np.dtype(
    [
        ("epoch", "int64"),
        ("step", "int64"),
        *((name, "float64") for name in ("loss", "accuracy", "test_loss", "test_accuracy", "seconds")),
        *((name, "float64") for name in ("validation_loss", "validation_accuracy")),
    ]
)
"""An epoch in a checkpoint: `Metrics`, with NaN for None."""

NEVER_NONE = ("epoch", "step", "loss", "seconds")
LATER = ("validation_loss", "validation_accuracy")
"""Columns that older checkpoints lack."""

_figures = attrgetter(*(ROW.names or ()))


class HistoryArrays:
    """Converts a growing history to arrays; reuses the rows of earlier epochs."""

    def __init__(self) -> None:
        self._made: list[Metrics] = []
        self._rows = np.empty(0, ROW)

    def of(self, history: Sequence[Metrics]) -> dict[str, HostArray]:
        """The history as `history.epoch`, `history.step`, `history.loss`, …, with an entry per epoch.

        >>> metrics = Metrics(1, 600, 0.5, None, 0.25, None, 1.5)
        >>> arrays = HistoryArrays().of([metrics])
        >>> arrays["history.step"], arrays["history.accuracy"]
        (array([600]), array([nan]))
        >>> history_of(Checkpoint({}, arrays)) == [metrics]
        True
        """
        known = len(self._made)
        if history[:known] != self._made:
            self._made, self._rows, known = [], np.empty(0, ROW), 0
        new = list(history[known:])
        self._rows = np.concatenate([self._rows, np.asarray([_figures(metrics) for metrics in new], ROW)])
        self._made += new
        return {f"history.{name}": self._rows[name] for name in ROW.names or ()}


def history_of(checkpoint: Checkpoint) -> list[Metrics]:
    """The history in a checkpoint; a file of format 1 has it in the description.

    Raises `KeyError`, `TypeError` or `ValueError` if it is malformed.
    """
    if "history" in checkpoint.description:
        return [Metrics(**metrics) for metrics in checkpoint.description["history"]]
    columns: list[list[Any]] = []
    for name in ROW.names or ():
        if name in LATER and f"history.{name}" not in checkpoint.arrays:
            columns.append([None] * len(columns[0]))
            continue
        column = checkpoint.arrays[f"history.{name}"]
        if column.dtype != ROW[name] or column.ndim != 1:
            raise ValueError(f"history.{name} is {column.dtype} of shape {column.shape}")
        if name in NEVER_NONE and not np.isfinite(column).all():
            raise ValueError(f"history.{name} is not finite everywhere")
        columns.append([None if value != value else value for value in column.tolist()])
    return [Metrics(*figures) for figures in zip(*columns, strict=True)]


def last_of(description: Mapping[str, Any]) -> dict[str, Any] | None:
    """The metrics of the last epoch in a checkpoint's description; None before the first epoch.

    >>> last_of({"last": {"step": 6}}), last_of({"last": None}), last_of({})
    ({'step': 6}, None, None)
    >>> last_of({"history": [{"step": 6}, {"step": 12}]}), last_of({"history": []})  # format 1
    ({'step': 12}, None)
    """
    if "history" in description:
        return next(reversed(description["history"]), None)
    last: dict[str, Any] | None = description.get("last")
    return last
