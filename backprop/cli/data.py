"""The data for a trained network: those given, or those of its run."""

from __future__ import annotations

import sys
from pathlib import Path

from ..backends import HostArray
from ..datasets import Dataset, Fingerprint, dataset_at
from ..lookup import UsageError
from ..networks.network import Network
from ..saving.checkpoint import Checkpoint, followed
from ..saving.run_data import check_run_data, load_run_data
from .fit import misfit
from .screen import say

DATA_UNKNOWN = "does not name its training data"


def data_for(
    path: Path, checkpoint: Checkpoint, place: str | None, *, test_only: bool
) -> tuple[Dataset, bool]:
    """The data at a place, or else those of the run, which must not have changed.

    If the checkpoint names no data, it is MNIST, and the second result is true.
    """
    assumed = place is None and not _names_its_data(path, checkpoint)
    if place is not None or assumed:
        return dataset_at(place, test_only=test_only), assumed
    with followed(path):
        where = checkpoint.description["run"]["settings"].get("data")
    data = load_run_data(None if where is None else str(where))
    check_run_data(path, checkpoint.description, Fingerprint.of(data), data.name)
    return data, assumed


def check_fit(
    network: Network, path: Path, data: Dataset, x: HostArray, t: HostArray, *, assumed: bool
) -> None:
    """Raise a `UsageError` unless the samples fit the network; say so if the data are assumed."""
    if why := misfit(network, x, t):
        if assumed:
            raise UsageError(
                f"{path} {DATA_UNKNOWN}, and MNIST does not fit it ({why}): give its data, --data PATH"
            )
        raise UsageError(f"{path} does not fit {data.name}: {why}")
    if assumed:
        say(f"{path} {DATA_UNKNOWN}: using MNIST; for other data give --data PATH", file=sys.stderr)


def _names_its_data(path: Path, checkpoint: Checkpoint) -> bool:
    with followed(path):
        return bool(checkpoint.description.get("run")) and "data" in checkpoint.description
