"""The weights of the best epoch on the validation data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ..backends import HostArray
from ..networks.network import Network
from ..saving.checkpoint import Checkpoint
from ..saving.history import Metrics
from ..saving.network import check_saved, network_arrays, restore_network
from ..saving.network_config import network_config


class BestWeights:
    """Keeps the network as it was after its best epoch.

    Resuming completes an epoch that was cut short, so the previous best network is kept, too.
    """

    def __init__(self, network: Network) -> None:
        check_saved(network)
        self.network = network
        self.kept: list[tuple[int, dict[str, HostArray]]] = []
        """Pairs of an epoch's last step and the network's arrays; the best epoch comes last."""

    def keep(self, metrics: Metrics, *, part: bool) -> None:
        """Keep the network after this epoch as the best one; `part` if the epoch was cut short."""
        before = self.kept[-1:] if part else []
        self.kept = [*before, (metrics.step, network_arrays(self.network))]

    def arrays(self) -> dict[str, HostArray]:
        """The arrays for a checkpoint, named such as `best.600.params.W1`, where 600 is the step."""
        return {f"best.{step}.{key}": value for step, own in self.kept for key, value in own.items()}

    def take(self, arrays: Mapping[str, HostArray], best: int) -> None:
        """Take the best weights from a checkpoint whose best epoch ended at the step `best`."""
        found: dict[int, dict[str, HostArray]] = {}
        for key, value in arrays.items():
            if key.startswith("best."):
                _, step, name = key.split(".", 2)
                found.setdefault(int(step), {})[name] = value
        self.kept = [(step, found[step]) for step in sorted(found) if step <= best] if best in found else []

    def take_network(self, checkpoint: Checkpoint, best: int) -> None:
        """Take the network of a checkpoint written right after the best epoch, at the step `best`."""
        arrays = {k: v for k, v in checkpoint.arrays.items() if k.partition(".")[0] in ("params", "state")}
        self.kept = [(best, arrays)]

    def put_back(self) -> None:
        """Restore the network to its best epoch."""
        restore_network(self.network, Checkpoint({"network": network_config(self.network)}, self.kept[-1][1]))


def without_best(checkpoint: Checkpoint) -> Checkpoint:
    """The checkpoint without the arrays of `BestWeights`."""
    arrays = {name: array for name, array in checkpoint.arrays.items() if not name.startswith("best.")}
    return Checkpoint(checkpoint.description, arrays)


def is_from_before(checkpoint: Checkpoint) -> bool:
    """Whether an older version wrote the checkpoint, with validation metrics in the test columns."""
    settings = checkpoint.description.get("run", {}).get("settings", {})
    return bool(settings.get("validation")) and "history.validation_loss" not in checkpoint.arrays


def as_validated(metrics: Metrics) -> Metrics:
    """An epoch from an older version, with the validation metrics moved to their own columns."""
    if metrics.validation_loss is not None:
        return metrics
    loss, accuracy = metrics.test_loss, metrics.test_accuracy
    return replace(
        metrics, test_loss=None, test_accuracy=None, validation_loss=loss, validation_accuracy=accuracy
    )
