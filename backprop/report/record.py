"""What stands in a run folder: the history, and the checkpoint that is shown."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..layers.naming import display_names
from ..saving import history_file, run_folder
from ..saving.checkpoint import Checkpoint, CheckpointError, followed, read_checkpoint
from ..saving.run_folder import RunFolderError
from .html import NONE, number, share

SHORTEST = 1e-9
"""Seconds below which there is no speed."""

Show = Callable[[float | None], str]

RESULTS: dict[str, Show] = {
    "test accuracy": share,
    "test loss": number,
    "validation accuracy": share,
    "validation loss": number,
    "train accuracy": share,
    "train loss": number,
    "steps": number,
    "epochs": number,
    "seconds": lambda seconds: NONE if seconds is None else f"{seconds:,.1f}",
    "steps/s": number,
    "parameters": number,
}
"""The results of a run by name, and how they are written."""


@dataclass(frozen=True)
class Record:
    """A run: where its checkpoint is, what that says, and the history."""

    folder: Path
    name: str
    """The folder's."""
    checkpoint: Path
    """The best one, or the last one where none is the best."""
    step: int
    """The checkpoint's."""
    network: str
    """The network's class."""
    layers: str
    """The network's layers and loss, in a line."""
    parameters: int
    data: str
    """The name of the data; empty for a run of `fit`, which has none."""
    digest: str | None
    """The SHA-256 of the data, where the checkpoint says it."""
    settings: dict[str, Any]
    """All options of the run by name; none if the checkpoint was not written by the command."""
    command: str
    """What reproduces the run."""
    epochs: list[dict[str, Any]]
    """Metrics, an epoch each."""
    steps: list[dict[str, Any]]
    """Means over some steps, where the run has written these."""
    tests: list[dict[str, Any]]
    """What a run with validation data has reached on the test data."""

    @property
    def results(self) -> dict[str, float | None]:
        """What the checkpoint's last whole epoch has reached, the run's length and the network's size."""
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
    """The run in a folder, and the checkpoint that is shown, from one look at its file.

    Raises `RunFolderError` if there is none, `CheckpointError` if it is damaged.
    """
    if not folder.is_dir():
        raise RunFolderError(
            f"{folder} is no folder of a run: there is no such folder{run_folder.meant_by(folder)}"
        )
    if not run_folder.is_run(folder):
        raise RunFolderError(
            f"{folder} is no folder of a run: there is no checkpoint in it{run_folder.meant_by(folder)}"
        )
    path, checkpoint = run_folder.read_trained(folder, read_checkpoint)
    if "training" not in checkpoint.description:
        raise CheckpointError(f"{path} is not of a training run")
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
