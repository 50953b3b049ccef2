"""What stands in a run folder: the history, and the checkpoint that is shown."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import runs
from ..checkpoints import Checkpoint, CheckpointError, followed, read_checkpoint
from ..layers.merged import shown_names
from ..runs import RunFolderError
from .html import NONE, number, share


@dataclass(frozen=True)
class Record:
    """A run: where its checkpoint is, what that says, and the history."""

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
    """The name of the data."""
    settings: dict[str, Any]
    """All options of the run by name; none if the checkpoint was not written by the command."""
    command: str
    """What reproduces the run."""
    epochs: list[dict[str, Any]]
    """Metrics, an epoch each."""
    steps: list[dict[str, Any]]
    """Step, loss and accuracy, where the run has written these."""

    @property
    def results(self) -> dict[str, str]:
        """What the checkpoint's last whole epoch has reached, the run's length and the network's size."""
        last = self.epochs[-1] if self.epochs else {}
        reached: dict[str, Any] = next((m for m in reversed(self.epochs) if m["step"] <= self.step), {})
        step, seconds = last.get("step", self.step), last.get("seconds")
        return {
            "test accuracy": share(reached.get("test_accuracy")),
            "test loss": number(reached.get("test_loss")),
            "validation accuracy": share(reached.get("validation_accuracy")),
            "validation loss": number(reached.get("validation_loss")),
            "train accuracy": share(reached.get("accuracy")),
            "train loss": number(reached.get("loss")),
            "steps": number(step),
            "epochs": number(last.get("epoch")),
            "seconds": NONE if seconds is None else f"{seconds:,.1f}",
            "steps/s": number(round(step / seconds) if seconds else None),
            "parameters": number(self.parameters),
        }


def read_record(folder: Path) -> tuple[Record, Checkpoint]:
    """The run in a folder, and the checkpoint that is shown, from one look at its file.

    Raises `RunFolderError` if there is none, `CheckpointError` if it is damaged.
    """
    if not folder.is_dir():
        raise RunFolderError(f"{folder} is no folder of a run: there is no such folder")
    if not (runs.checkpoints(folder) or (folder / runs.BEST).exists()):
        raise RunFolderError(f"{folder} is no folder of a run: there is no checkpoint in it")
    path, checkpoint = runs.read_trained(folder, read_checkpoint)
    if "training" not in checkpoint.description:
        raise CheckpointError(f"{path} is not of a training run")
    with followed(path):
        return _record(folder, path, checkpoint), checkpoint


def _layers(network: dict[str, Any]) -> Iterable[str]:
    return shown_names({name: layer["class"] for name, layer in network["layers"].items()}).values()


def _record(folder: Path, path: Path, checkpoint: Checkpoint) -> Record:
    description, lines = checkpoint.description, runs.read_history(folder)
    network, run = description["network"], description.get("run", {})
    settings = dict(run.get("settings", {}))
    return Record(
        folder.resolve().name,
        path,
        int(description["training"]["step"]),
        str(network["class"]),
        " · ".join([*_layers(network), network["last_layer"]["class"]]),
        sum(array.size for name, array in checkpoint.arrays.items() if name.startswith("params.")),
        str(description.get("data", {}).get("name") or Path(settings.get("data", "mnist")).stem),
        settings,
        str(run.get("command", "")),
        [line for line in lines if line["event"] == "epoch"],
        [line for line in lines if line["event"] == "steps"],
    )
