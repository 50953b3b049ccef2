"""Diagnose a run: restore its network, optimizer and data from the run's folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..backends import Backend, BackendUnavailableError, get_backend
from ..datasets import Dataset, Fingerprint, dataset_at, with_channels
from ..networks.network import Network
from ..optimizers import Optimizer
from ..saving.checkpoint import Checkpoint, followed
from ..saving.network import check_fit, network_of, on_host, put
from ..saving.optimizer_config import UnknownOptimizerError, optimizer_from_config
from ..saving.run_data import is_run_data, trained_part
from .diagnosis import Diagnosis, diagnose
from .record import Record


def diagnose_run(record: Record, checkpoint: Checkpoint, data: Dataset | None = None) -> Diagnosis:
    """Diagnose a run's network on its data, which are loaded if they are not given.

    Raises `OSError`, `ValueError` or `CheckpointError` if the run cannot be restored.
    """
    settings = record.settings
    if data is None:
        data = _data_of(record, checkpoint)
    if len(data.x_test) == 0:
        raise ValueError("there is no test data")
    with followed(record.checkpoint):
        network = network_of(record.checkpoint, checkpoint, _device(settings))
        optimizer = _optimizer(network, checkpoint, record.checkpoint)
        x_train, x_test = (with_channels(x, network.input_shape) for x in (data.x_train, data.x_test))
        return diagnose(network, x_train, data.t_train, x_test, data.t_test, optimizer)


def _data_of(record: Record, checkpoint: Checkpoint) -> Dataset:
    """Load the run's data, with its training samples only."""
    if not record.settings:
        raise ValueError("the checkpoint does not name the run's data")
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


def _optimizer(network: Network, checkpoint: Checkpoint, path: Path) -> Optimizer | None:
    """Rebuild the run's optimizer as it was left; None for a custom one."""
    config = checkpoint.description["optimizer"]
    try:
        optimizer = optimizer_from_config(config)
    except UnknownOptimizerError:
        return None
    optimizer.prepare(network.flat_params)
    check_fit(path, on_host("optimizer", optimizer.slots, network.backend), checkpoint, "optimizer")
    put(optimizer.slots, checkpoint, "optimizer", network.backend)
    optimizer.steps = int(config["steps"])
    return optimizer
