"""Make run folders for pages."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from backprop import Network, Training, TwoLayerNet
from backprop.optimizers import Optimizer
from backprop.report.record import Record, read_record
from backprop.saving import history_file, run_folder

Arrays = tuple[np.ndarray, np.ndarray]


def images(n: int, seed: int, shape: tuple[int, ...] = (8, 8)) -> Arrays:
    """Noise that is brighter in the class's rows: three classes that are hard to tell apart."""
    rng = np.random.default_rng(seed)
    t = rng.integers(0, 3, n)
    x = rng.integers(0, 200, (n, *shape)).astype(np.uint8)
    for label in range(3):
        x[t == label, ..., 2 * label : 2 * label + 2, :] //= 2
        x[t == label, ..., 2 * label : 2 * label + 2, :] += 80
    return x, t


TRAIN, TEST = images(600, 0), images(90, 1)


def make_run(folder: Path, network: Network, its: Optimizer | None = None, **settings: Any) -> Path:
    """Make a run folder as `backprop train --out` does."""
    folder.mkdir()
    data = folder.parent / "data.npz"
    if not data.exists():
        np.savez(data, x_train=TRAIN[0], t_train=TRAIN[1], x_test=TEST[0], t_test=TEST[1])
    settings = {"data": str(data), "device": "cpu", "batch_size": 50, "epochs": 3, **settings}
    (x, t), (x_test, t_test) = TRAIN, TEST
    if network.input_shape is not None and len(network.input_shape) == 3:
        x, x_test = x[:, None], x_test[:, None]
    training = Training(network, x, t, optimizer=its, epochs=3, batch_size=50, rng=0, test=(x_test, t_test))
    lines = [{"event": "epoch", **asdict(metrics)} for metrics in training]
    history_file.write_history(folder, lines)
    checkpoint = training.checkpoint()
    checkpoint.description["run"] = {"command": "backprop train --epochs 3", "settings": settings}
    run_folder.save(folder, checkpoint, 2)
    return folder


def make_small_run(parent: Path) -> Path:
    return make_run(parent / "run", TwoLayerNet(64, 10, 3, weight_init_std=0.1, rng=0), lr=0.1)


def make_runs_with_seeds(parent: Path) -> list[Path]:
    """Make three runs that differ only in their seed, and another among them."""
    results = {"a": (0.9, 0.5), "b": (0.96, 0.3), "other": (0.5, 2.0), "c": (0.9, 0.4)}
    folders = []
    for seed, (name, result) in enumerate(results.items()):
        lr = 9.0 if name == "other" else 0.1
        folder = make_run(parent / name, TwoLayerNet(64, 4, 3, rng=0), seed=seed, keep=seed, lr=lr)
        folders.append(with_result(folder, *result, seconds=2.0))
    return folders


def with_result(folder: Path, accuracy: float | None, loss: float, **more: float) -> Path:
    """Set the test result of a run's last epoch."""
    line = {**history_file.read_history(folder)[-1], "test_accuracy": accuracy, "test_loss": loss, **more}
    history_file.write_history(folder, [line])
    return folder


def record_of(folder: Path, *lines: dict[str, Any]) -> Record:
    """The record of a run after its history is replaced by these lines."""
    history_file.write_history(folder, lines)
    return read_record(folder)[0]


def epoch_line(step: int, **metrics: float) -> dict[str, Any]:
    return {"event": "epoch", "epoch": 1, "step": step, "loss": 1.0, "accuracy": 0.5, **metrics}


def steps_line(step: int, mean_of: Any = None) -> dict[str, Any]:
    line = {"event": "steps", "step": step, "loss": 2.0, "accuracy": 0.5}
    return line if mean_of is None else {**line, "mean_of": mean_of}
