"""The workloads, their data and the weights that every contender starts from."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from backprop.datasets import load_mnist

TINY = "BENCHMARK_TINY"
"""The variable that makes a contender's workload `tiny`."""
PROOF = 10_000
"""The number of images on which losses are compared."""

Array = np.ndarray[Any, Any]
Weights = dict[str, Array]
"""By the book's names: W1, b1, W2, …; gamma1 and beta1 follow layer 1; filters have four axes."""

ADAM_BETAS, ADAM_EPSILON = (0.9, 0.999), 1e-7
BATCH_NORM_MOMENTUM, BATCH_NORM_EPSILON = 0.9, 1e-6
"""Backprop's defaults, used for all; the momentum is the share that the running averages keep."""


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
    """The steps after which losses are compared: where other batches change them least, by 1 to 4 %."""
    scan_steps: int = 100
    """The number of steps that JAX runs in one compiled call on a CPU."""
    batch_norm: bool = False
    short_on: tuple[str, ...] = ()
    """`"cpu"`, `"gpu"`: where an epoch of all images takes so long that ours has `short_epoch` steps."""
    short_epoch: int = 100
    filters: int = 0
    """5×5 filters, with 2×2 max pooling, between the images and the first affine layer."""

    def tiny(self) -> Workload:
        """The same network with very few steps, to try the program."""
        return replace(self, proof_steps=10, scan_steps=10, short_on=("cpu", "gpu"), short_epoch=10)

    @property
    def plain(self) -> bool:
        """Whether the network has only affine layers and ReLU, with SGD."""
        return self.optimizer == "sgd" and not (self.batch_norm or self.filters)


WORKLOADS = {
    w.name: w
    for w in (
        Workload("W1", "784-50-10, ReLU, batch 100, SGD", (784, 50, 10), 100, "sgd", 0.1, "0.01", 600),
        Workload(
            "W2",
            "784-1024-1024-10, ReLU, batch 128, SGD",
            (784, 1024, 1024, 10),
            128,
            "sgd",
            0.1,
            "he",
            100,
            short_on=("cpu",),
        ),
        Workload(
            "W3",
            "SimpleConvNet: 30 filters 5×5, pooling 2, 4320-100-10, batch 100, Adam",
            (4320, 100, 10),
            100,
            "adam",
            1e-3,
            "0.01",
            60,
            scan_steps=10,
            short_on=("cpu",),
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
    """Load MNIST; without `floats` only as bytes, as ours needs it."""
    (pixels, t), _ = load_mnist(normalize=False)
    if not floats:
        return Data(np.empty((0, 784), np.float32), pixels, t)
    x = pixels.astype(np.float32)
    x /= 255.0
    return Data(x, pixels[:PROOF].copy(), t)


def initial_weights(workload: Workload) -> Weights:
    """The weights that every contender starts from, as float32."""
    rng = np.random.default_rng(1)
    weights, first = {}, 1
    if workload.filters:
        shape = (workload.filters, 1, 5, 5)
        weights["W1"] = float(workload.init) * np.random.default_rng(2).standard_normal(shape)
        weights["b1"], first = np.zeros(workload.filters), 2
    for i, (rows, columns) in enumerate(pairwise(workload.sizes), first):
        std = math.sqrt(2.0 / rows) if workload.init == "he" else float(workload.init)
        weights[f"W{i}"] = std * rng.standard_normal((rows, columns))
        weights[f"b{i}"] = np.zeros(columns)
        if workload.batch_norm and columns != workload.sizes[-1]:
            weights[f"gamma{i}"], weights[f"beta{i}"] = np.ones(columns), np.zeros(columns)
    return {name: value.astype(np.float32) for name, value in weights.items()}


def loss_of(weights: Weights, x: Array, t: Array) -> float:
    """The cross-entropy of a network with these weights, in float64: one yardstick for all.

    ReLU follows every layer but the last, 2 × 2 max pooling every convolution, and batch normalization,
    where there is one, uses the statistics of x, so that running averages do not matter.
    """
    weights = {name: value.astype(np.float64) for name, value in weights.items()}
    h, last = x.astype(np.float64), sum(name.startswith("W") for name in weights)
    for i in range(1, last + 1):
        W, b = weights[f"W{i}"], weights[f"b{i}"]
        h = _convolved(h, W, b) if W.ndim == 4 else h @ W + b
        if f"gamma{i}" in weights:
            h = (h - h.mean(axis=0)) / np.sqrt(h.var(axis=0) + BATCH_NORM_EPSILON)
            h = weights[f"gamma{i}"] * h + weights[f"beta{i}"]
        if i < last:
            h = np.maximum(h, 0.0)
    h -= h.max(axis=1, keepdims=True)
    return float(np.mean(np.log(np.exp(h).sum(axis=1)) - h[np.arange(len(t)), t]))


def _convolved(x: Array, W: Array, b: Array) -> Array:
    """Images (N, 784) through 5 × 5 filters and max pooling, (N, FN · 12 · 12); some at a time."""
    pooled = []
    for part in np.array_split(x.reshape(-1, 28, 28), -(-len(x) // 100)):
        windows = np.lib.stride_tricks.sliding_window_view(part, (24, 24), axis=(1, 2))  # (n, 5, 5, 24, 24)
        y = np.tensordot(W[:, 0], windows, axes=((1, 2), (1, 2))) + b[:, None, None, None]  # (FN, n, 24, 24)
        y = np.maximum(y[:, :, ::2], y[:, :, 1::2])
        y = np.maximum(y[..., ::2], y[..., 1::2])
        pooled.append(y.swapaxes(0, 1).reshape(len(part), -1))
    return np.concatenate(pooled)
