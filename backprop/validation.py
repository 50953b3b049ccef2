"""What a training is judged by: samples held back, the epoch that was best on them, and its network."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from .datasets.dataset import held_back
from .history import Metrics
from .networks import Network
from .saving import HostArrays, network_arrays

Host = np.ndarray[Any, Any]


def split(t: Host | None, samples: int, share: float, rng: np.random.Generator) -> tuple[Host, Host]:
    """The samples to train on and those to hold back, as sorted indices.

    Every class gives its share. A class that has fewer than two samples on either side is warned of.

    Parameters
    ----------
    t : (N,) class numbers, or None to draw from all samples alike
    share : of the N samples, above 0 and below 1

    Raises `ValueError` where that leaves one side without samples, or a class without one to train on.

    >>> left, held = split(np.asarray([0] * 8 + [1] * 8), 16, 0.25, np.random.default_rng(0))
    >>> len(left), (held < 8).tolist()
    (12, [True, True, False, False])
    """
    count = round(samples * share)
    if not 0 < count < samples:
        raise ValueError(f"of {samples} training samples a share of {share} is {count}: nothing to split")
    order = rng.permutation(samples)
    held = np.sort(order[:count] if t is None else held_back(t[order], count, order))
    left = np.setdiff1d(np.arange(samples), held)
    if t is not None:
        warn_of_scarce_classes(t[left], t[held])
    return left, held


def warn_of_scarce_classes(train: Host, held: Host) -> None:
    """Warn of the classes that have one sample, or none, to train on or to validate on."""
    counts = ((k, int((train == k).sum()), int((held == k).sum())) for k in np.unique(train).tolist())
    scarce = [f"class {k} has {n} to train on and {m} to validate on" for k, n, m in counts if min(n, m) < 2]
    if scarce:
        more = f", and {len(scarce) - 3} more such classes" if len(scarce) > 3 else ""
        warnings.warn(f"validation: {'; '.join(scarce[:3])}{more}", stacklevel=2)


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
