"""What a training is judged by: the epoch that was best on the validation data, and its network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ..backends import HostArray
from ..networks.network import Network
from ..saving.checkpoint import Checkpoint
from ..saving.config import describe
from ..saving.history import Metrics
from ..saving.network import network_arrays, restore_network


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
        self.kept: list[
            tuple[int, dict[str, HostArray]]
        ] = []  # the epoch's last step, and its arrays; the best last

    def keep(self, metrics: Metrics, *, part: bool) -> None:
        """The network is at its best after this epoch."""
        before = self.kept[-1:] if part else []
        self.kept = [*before, (metrics.step, network_arrays(self.network))]

    def arrays(self) -> dict[str, HostArray]:
        """All of it, for a checkpoint: `best.600.params.W1`, the number being the step."""
        return {f"best.{step}.{key}": value for step, own in self.kept for key, value in own.items()}

    def take(self, arrays: Mapping[str, HostArray], best: int) -> None:
        """Take what the arrays of a checkpoint have of the best epoch, which ended at this step."""
        found: dict[int, dict[str, HostArray]] = {}
        for key, value in arrays.items():
            if key.startswith("best."):
                _, step, name = key.split(".", 2)
                found.setdefault(int(step), {})[name] = value
        self.kept = [(step, found[step]) for step in sorted(found) if step <= best] if best in found else []

    def put_back(self) -> None:
        """Set the network to its best."""
        restore_network(self.network, Checkpoint({"network": describe(self.network)}, self.kept[-1][1]))


def is_from_before(checkpoint: Checkpoint) -> bool:
    """Whether it is of a run with validation of an earlier version, which kept that in the test's columns."""
    settings = checkpoint.description.get("run", {}).get("settings", {})
    return bool(settings.get("validation")) and "history.validation_loss" not in checkpoint.arrays


def as_validated(metrics: Metrics) -> Metrics:
    """The metrics of an epoch, where what is in the test's columns of an earlier version is of validation."""
    if metrics.validation_loss is not None:
        return metrics
    loss, accuracy = metrics.test_loss, metrics.test_accuracy
    return replace(
        metrics, test_loss=None, test_accuracy=None, validation_loss=loss, validation_accuracy=accuracy
    )
