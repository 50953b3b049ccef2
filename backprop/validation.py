"""What a training is judged by: the epoch that was best on the validation data, and its network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from .history import Metrics
from .networks import Network
from .saving import HostArrays, network_arrays

Host = np.ndarray[Any, Any]


class BestEpoch:
    """The first epoch with the lowest validation loss; it looks at every epoch once."""

    def __init__(self) -> None:
        self._seen = 0
        self._found: Metrics | None = None

    def of(self, history: Sequence[Metrics]) -> Metrics | None:
        """The best of the history, which has grown since the last call; None without validation."""
        for metrics in history[self._seen :]:
            loss = metrics.validation_loss
            best = None if self._found is None else self._found.validation_loss
            if loss is not None and (best is None or loss < best):
                self._found = metrics
        self._seen = len(history)
        return self._found


class BestWeights:
    """The network as it was after its best epoch.

    An epoch that was only a part of one is gone when its run is resumed, so the best before it is kept too.
    """

    def __init__(self, network: Network) -> None:
        self.network = network
        self.kept: list[tuple[int, HostArrays]] = []  # the epoch's last step, and its arrays; the best last

    def keep(self, metrics: Metrics, *, part: bool) -> None:
        """The network is at its best after this epoch."""
        before = self.kept[-1:] if part else []
        self.kept = [*before, (metrics.step, network_arrays(self.network))]

    def arrays(self) -> HostArrays:
        """All of it, for a checkpoint: `best.600.params.W1`, the number being the step."""
        return {f"best.{step}.{key}": value for step, own in self.kept for key, value in own.items()}

    def take(self, arrays: Mapping[str, Host], step: int) -> None:
        """Take what the arrays of a checkpoint have of the epoch that ended at this step."""
        own = f"best.{step}."
        found = {key.removeprefix(own): value for key, value in arrays.items() if key.startswith(own)}
        self.kept = [(step, found)] if found else []


def as_validated(metrics: Metrics) -> Metrics:
    """The metrics of an epoch, where what is in the test's columns of an earlier version is of validation."""
    if metrics.validation_loss is not None:
        return metrics
    loss, accuracy = metrics.test_loss, metrics.test_accuracy
    return replace(
        metrics, test_loss=None, test_accuracy=None, validation_loss=loss, validation_accuracy=accuracy
    )
