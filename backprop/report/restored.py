"""Diagnose a run: restore its network, optimizer and data from the run's folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..backends import Backend, BackendUnavailableError, get_backend
from ..datasets import Dataset, Fingerprint, dataset_at, with_channels
from ..networks.network import Network
from ..optimizers.optimizers import Optimizer
from ..saving.checkpoint import Checkpoint, followed
from ..saving.network import check_fit, network_of, on_host, put
from ..saving.run_data import is_run_data, trained_part
from .diagnosis import Diagnosis, diagnose
from .record import Record

MakeOptimizer = Callable[[dict[str, Any], int], Optimizer]
"""A function that makes the optimizer of a run from its settings and its number of training samples."""


def diagnose_run(
    record: Record,
    checkpoint: Checkpoint,
    make_optimizer: MakeOptimizer | None = None,
    data: Dataset | None = None,
) -> Diagnosis:
    """Diagnose a run's network on its data, which are loaded if they are not given.

    Raises `OSError`, `ValueError` or `CheckpointError` if the run cannot be restored.
    """
    settings = record.settings
    if not settings:
        raise ValueError("the checkpoint does not name the run's data")
    data = data or _data_of(record, checkpoint)
    with followed(record.checkpoint):
        network = network_of(record.checkpoint, checkpoint, _device(settings))
        optimizer = None
        if make_optimizer is not None:
            optimizer = make_optimizer(settings, int(checkpoint.description["training"]["samples"]))
            _restore(optimizer, network, checkpoint, record.checkpoint)
        x_train, x_test = (with_channels(x, network.input_shape) for x in (data.x_train, data.x_test))
        return diagnose(network, x_train, data.t_train, x_test, data.t_test, optimizer)


def _data_of(record: Record, checkpoint: Checkpoint) -> Dataset:
    """Load the run's data, with its training samples only."""
    place = record.settings.get("data")
    data, description = dataset_at(None if place is None else str(place)), checkpoint.description
    if "data" in description and not is_run_data(record.checkpoint, description, Fingerprint.of(data)):
        raise ValueError(f"the data {data.name} have changed since the run")
    return trained_part(record.checkpoint, description, data)


def _device(settings: dict[str, Any]) -> Backend:
    """The run's device, or the CPU if that is unavailable."""
    try:
        return get_backend(str(settings.get("device", "cpu")))
    except BackendUnavailableError:
        return get_backend("cpu")


def _restore(optimizer: Optimizer, network: Network, checkpoint: Checkpoint, path: Path) -> None:
    """Restore the optimizer's slots and its number of steps."""
    optimizer.prepare(network.flat_params)
    check_fit(path, on_host("optimizer", optimizer.slots, network.backend), checkpoint, "optimizer")
    put(optimizer.slots, checkpoint, "optimizer", network.backend)
    optimizer.steps = int(checkpoint.description["optimizer"]["steps"])
