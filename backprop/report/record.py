"""What stands in a run folder: the history, and the checkpoint that is shown."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import runs
from ..checkpoints import CheckpointError, read_contents
from ..runs import RunFolderError
from .html import NONE, number, share


@dataclass(frozen=True)
class Record:
    """A run: where its checkpoint is, what that says, and the history."""

    name: str
    """The folder's."""
    checkpoint: Path
    """The best one, or the last one where none is the best."""
    description: dict[str, Any]
    """The checkpoint's."""
    parameters: int
    epochs: list[dict[str, Any]]
    """Metrics, an epoch each."""
    steps: list[dict[str, Any]]
    """Step, loss and accuracy, where the run has written these."""

    @property
    def settings(self) -> dict[str, Any]:
        """All options of the run by name; none if the checkpoint was not written by the command."""
        return dict(self.description.get("run", {}).get("settings", {}))

    @property
    def command(self) -> str:
        """What reproduces the run."""
        return str(self.description.get("run", {}).get("command", ""))

    @property
    def step(self) -> int:
        """The checkpoint's."""
        return int(self.description["training"]["step"])

    @property
    def network(self) -> str:
        """The network's class."""
        return str(self.description["network"]["class"])

    @property
    def layers(self) -> str:
        """The network's layers and loss, in a line."""
        network = self.description["network"]
        return " · ".join([*network["layers"], network["last_layer"]["class"]])

    @property
    def data(self) -> str:
        """The name of the data."""
        named = self.description.get("data", {}).get("name")
        return str(named or Path(self.settings.get("data", "mnist")).stem)

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


def read_record(folder: Path) -> Record:
    """The run in a folder. Raises `RunFolderError` if there is none, `CheckpointError` if it is damaged."""
    if not folder.is_dir():
        raise RunFolderError(f"{folder} is no folder of a run: there is no such folder")
    try:
        checkpoint = runs.trained(folder)
    except CheckpointError:
        raise RunFolderError(f"{folder} is no folder of a run: there is no checkpoint in it") from None
    contents = read_contents(checkpoint)
    lines = runs.read_history(folder)
    epochs = [line for line in lines if line.get("event") == "epoch"]
    if "training" not in contents.description:
        raise CheckpointError(f"{checkpoint} is not of a training run")
    return Record(
        folder.resolve().name,
        checkpoint,
        contents.description,
        sum(
            math.prod(shape) for name, (_, shape, _) in contents.arrays.items() if name.startswith("params.")
        ),
        epochs,
        [line for line in lines if line.get("event") == "steps"],
    )
