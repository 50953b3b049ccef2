"""A training that goes from the CPU to the device and back, against one that stays on the CPU."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from backends import get_backend
from backprop import Momentum, Training, TwoLayerNet
from backprop.datasets import load_mnist
from backprop.saving.checkpoint import Checkpoint, ResumeWarning

from ..reporting import Report

SAMPLES, BATCH, EPOCHS = 2_000, 100, 3
RELATIVE = 1e-3


def run(report: Report, arguments: list[str], quick: bool) -> None:
    get_backend(arguments[0])
    (x, t), _ = load_mnist()
    data = x[:SAMPLES], t[:SAMPLES]
    stayed, expected = trained("cpu", data, EPOCHS, None)
    checkpoint, losses = None, []
    for epoch, device in enumerate(("cpu", arguments[0], "cpu"), 1):
        training, losses = trained(device, data, epoch, checkpoint)
        checkpoint = training.checkpoint()
    report.add("steps", f"{training.step} of {stayed.step}", passed=training.step == stayed.step)
    difference = max(abs(a / b - 1.0) for a, b in zip(losses, expected, strict=True))
    report.add("losses", f"differ by {difference:.1e}", passed=difference < RELATIVE, difference=difference)
    ours, theirs = (each.network.flat_params["flat"] for each in (training, stayed))
    gap = float(np.max(np.abs(ours - theirs)) / np.max(np.abs(theirs)))
    report.add("parameters", f"differ by {gap:.1e} of the largest", passed=gap < RELATIVE, difference=gap)


def trained(
    device: str, data: Any, epochs: int, checkpoint: Checkpoint | None
) -> tuple[Training, list[float]]:
    """A training of so many epochs in all, and the losses of all of them."""
    network = TwoLayerNet(784, 50, 10, rng=0, device=device)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResumeWarning)  # the machine changes; that is the point
        options: Any = {"optimizer": Momentum(0.05), "epochs": epochs, "batch_size": BATCH, "rng": 0}
        training = Training(network, *data, resume=checkpoint, **options)
    for _ in training:
        pass
    return training, [metrics.loss for metrics in training.history]
