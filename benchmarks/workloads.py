"""The workloads, their data and the weights that every contender starts from."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from backprop.datasets import load_mnist

PROOF = 10_000
"""On how many images the loss is compared."""

Array = np.ndarray[Any, Any]
Weights = list[tuple[Array, Array]]


@dataclass(frozen=True)
class Workload:
    """A network, an optimizer and a batch size, on all of MNIST."""

    name: str
    what: str
    sizes: tuple[int, ...]
    batch: int
    optimizer: str
    lr: float
    init: str
    proof_steps: int
    """After how many steps the loss is compared."""
    batch_norm: bool = False
    filters: int = 0
    """Of 5×5, with max pooling by 2, between the images and the first affine layer."""

    @property
    def plain(self) -> bool:
        """Whether it is affine layers and ReLU, with SGD."""
        return self.optimizer == "sgd" and not (self.batch_norm or self.filters)


WORKLOADS = {
    w.name: w
    for w in (
        Workload("W1", "784-50-10, ReLU, batch 100, SGD", (784, 50, 10), 100, "sgd", 0.1, "0.01", 600),
        Workload(
            "W2", "784-1024-1024-10, ReLU, batch 128, SGD", (784, 1024, 1024, 10), 128, "sgd", 0.1, "he", 100
        ),
        Workload(
            "W3",
            "SimpleConvNet: 30 filters 5×5, pooling 2, 4320-100-10, batch 100, Adam",
            (4320, 100, 10),
            100,
            "adam",
            1e-3,
            "0.01",
            20,
            filters=30,
        ),
        Workload(
            "W4",
            "784-100×5-10, ReLU, batch normalization, batch 100, Adam",
            (784, 100, 100, 100, 100, 100, 10),
            100,
            "adam",
            1e-3,
            "he",
            200,
            batch_norm=True,
        ),
    )
}


@dataclass(frozen=True)
class Data:
    """The training images as float32 in [0, 1] and as bytes, and the labels."""

    x: Array
    pixels: Array
    t: Array


def load_data(*, floats: bool) -> Data:
    """All of MNIST; without `floats` only as bytes, which is what ours keeps."""
    (pixels, t), _ = load_mnist(normalize=False)
    if not floats:
        return Data(np.empty((0, 784), np.float32), pixels, t)
    x = pixels.astype(np.float32)
    x /= 255.0
    return Data(x, pixels[:PROOF].copy(), t)


def initial_weights(workload: Workload) -> Weights:
    """(W, b) of every layer, the same for every contender."""
    rng = np.random.default_rng(1)
    weights = []
    for rows, columns in zip(workload.sizes, workload.sizes[1:], strict=False):
        std = math.sqrt(2.0 / rows) if workload.init == "he" else float(workload.init)
        W = (std * rng.standard_normal((rows, columns))).astype(np.float32)
        weights.append((W, np.zeros(columns, np.float32)))
    return weights


def initial_filters(workload: Workload) -> Array:
    """(FN, 1, 5, 5), the same for every contender."""
    shape = (workload.filters, 1, 5, 5)
    return (float(workload.init) * np.random.default_rng(2).standard_normal(shape)).astype(np.float32)


def loss_of(weights: Weights, x: Array, t: Array) -> float:
    """The cross-entropy of a ReLU network with these weights, in float64: one yardstick for all."""
    h = x.astype(np.float64)
    for i, (W, b) in enumerate(weights):
        h = h @ W.astype(np.float64) + b
        if i < len(weights) - 1:
            h = np.maximum(h, 0.0)
    h -= h.max(axis=1, keepdims=True)
    return float(np.mean(np.log(np.exp(h).sum(axis=1)) - h[np.arange(len(t)), t]))
