"""Short runs that are kept, for tests."""

from __future__ import annotations

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
