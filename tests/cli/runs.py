"""Short runs that are kept, for tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from backprop.cli import main
from backprop.saving import history_file, run_folder
from backprop.saving.checkpoint import (
    read_checkpoint,
)

TRAIN = ["train", "--device", "cpu", "--data", "small.npz", "--batch-size", "30"]
MLP = ["--net", "mlp", "--layers", "4-8-8-3", "--batch-norm", "--dropout", "0.2", "--optimizer", "adam"]


def train(*words: str, status: int = 0) -> None:
    assert main([*TRAIN, *words]) == status


def arrays(path: Path) -> dict[str, tuple[Any, ...]]:
    return {
        name: (value.dtype.str, value.shape, value.tobytes())
        for name, value in read_checkpoint(path).arrays.items()
        if name != "history.seconds"
    }


def history(folder: str | Path) -> list[dict[str, Any]]:
    return [
        {k: v for k, v in line.items() if k != "seconds"} for line in history_file.read_history(Path(folder))
    ]


def epochs(folder: str | Path) -> list[dict[str, Any]]:
    return [line for line in history_file.read_history(Path(folder)) if line["event"] == "epoch"]


def params(path: Path | str) -> dict[str, bytes]:
    _, checkpoint = run_folder.read_trained(path, read_checkpoint)
    return {name: a.tobytes() for name, a in checkpoint.arrays.items() if name.startswith("params.")}


BEST_NAMES = {run_folder.BEST, run_folder.BEST_WHOLE}


VALIDATED = ["--validation", "0.3", "--lr", "1.0", "--net", "mlp", "--layers", "4-64-3", "--epochs", "12"]


def known(metrics: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in metrics.items() if value is not None}


ESCAPES = "\x1b]52;c;aGk=\x07\x1b[2J"
"""What writes into a terminal's clipboard and clears its screen."""


def refusing(error: OSError) -> Callable[..., Any]:
    def refuse(*_: Any) -> None:
        raise error

    return refuse
