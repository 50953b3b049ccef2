"""Read a run folder: its history, and the checkpoint to show."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..layers.naming import display_names
from ..pages.html import NONE, number, percent
from ..saving import history_file, run_folder
from ..saving.checkpoint import Checkpoint, CheckpointError, followed, read_checkpoint
from ..saving.run_folder import RunFolderError

SHORTEST = 1e-9
"""Shorter runs (seconds) have no speed."""

Show = Callable[[float | None], str]

RESULTS: dict[str, Show] = {
    "test accuracy": percent,
    "test loss": number,
    "validation accuracy": percent,
    "validation loss": number,
    "train accuracy": percent,
    "train loss": number,
    "steps": number,
    "epochs": number,
    "seconds": lambda seconds: NONE if seconds is None else f"{seconds:,.1f}",
    "steps/s": number,
    "parameters": number,
}
"""The results of a run by name, and their formats."""


@dataclass(frozen=True)
class Record:
    """A run: its checkpoint and its history."""

    folder: Path
    name: str
    """The folder's name."""
    checkpoint: Path
    """The best checkpoint, or the last one if there is no best."""
    step: int
    """The checkpoint's step."""
    network: str
    """The network's class."""
    layers: str
    """The network's layers and loss, in one line."""
    parameters: int
    data: str
    """The name of the data; empty for a run of `fit`, which has none."""
    digest: str | None
    """The SHA-256 of the data, if the checkpoint has it."""
    settings: dict[str, Any]
    """The settings of the run by name; empty unless the command wrote the checkpoint."""
    command: str
    """The command that reproduces the run."""
    epochs: list[dict[str, Any]]
    """The metrics of each epoch."""
    steps: list[dict[str, Any]]
    """The means of some steps each, if the run wrote them."""
    tests: list[dict[str, Any]]
    """The test results of a run with validation data."""

    @property
    def results(self) -> dict[str, float | None]:
        """The results of the checkpoint's last whole epoch, the run's length and the network's size."""
        last = self.epochs[-1] if self.epochs else {}
        reached: dict[str, Any] = next((m for m in reversed(self.epochs) if m["step"] <= self.step), {})
        tested: dict[str, Any] = next((m for m in self.tests if m["step"] == self.step), reached)
        step, seconds = last.get("step", self.step), last.get("seconds")
        values = (
            *(tested.get("test_accuracy"), tested.get("test_loss")),
            *(reached.get("validation_accuracy"), reached.get("validation_loss")),
            *(reached.get("accuracy"), reached.get("loss")),
            *(step, last.get("epoch"), seconds),
            round(step / seconds) if seconds is not None and seconds > SHORTEST else None,
            self.parameters,
        )
        return dict(zip(RESULTS, values, strict=True))


def read_record(folder: Path) -> tuple[Record, Checkpoint]:
    """Read the run in a folder, and its checkpoint to show, in one pass.

    Raises `RunFolderError` if there is no run, `CheckpointError` if its checkpoint is damaged.
    """
    hint = run_folder.suggestions(folder)
    if not folder.is_dir():
        raise RunFolderError(f"{folder} is not a run folder: it does not exist{hint}")
    if not run_folder.is_run(folder):
        raise RunFolderError(f"{folder} is not a run folder: it contains no checkpoint{hint}")
    path, checkpoint = run_folder.read_trained(folder, read_checkpoint)
    if "training" not in checkpoint.description:
        raise CheckpointError(f"{path} does not belong to a training run")
    with followed(path):
        return _record(folder, path, checkpoint), checkpoint


def _layers(network: dict[str, Any]) -> Iterable[str]:
    return display_names({name: layer["class"] for name, layer in network["layers"].items()}).values()


def _record(folder: Path, path: Path, checkpoint: Checkpoint) -> Record:
    description = checkpoint.description
    history = history_file.by_event(history_file.read_history(folder))
    network, run = description["network"], description.get("run", {})
    settings, data = dict(run.get("settings", {})), description.get("data", {})
    name = str(data.get("name") or (Path(settings.get("data", "mnist")).stem if settings else ""))
    return Record(
        folder,
        folder.resolve().name,
        path,
        int(description["training"]["step"]),
        str(network["class"]),
        " · ".join([*_layers(network), network["last_layer"]["class"]]),
        sum(array.size for name, array in checkpoint.arrays.items() if name.startswith("params.")),
        name,
        None if data.get("sha256") is None else str(data["sha256"]),
        settings,
        str(run.get("command", "")),
        *history,
    )
