"""Traces of small networks on the host."""

from __future__ import annotations

import numpy as np

from backprop import Affine, DeepConvNet, Network, ReLU, Residual, TwoLayerNet
from backprop.tracing import Trace


def two_layers() -> Trace:
    """Three samples of four numbers, of three classes."""
    network = TwoLayerNet(4, 5, 3, weight_init_std=1.0, dtype="float64", rng=0)
    x = np.random.default_rng(1).standard_normal((3, 4))
    return network.trace(x, np.asarray([2, 0, 1]))


def residual(weight_decay: float = 0.0) -> Trace:
    """Affine, a block of three layers, and Affine, on two samples."""
    rng = np.random.default_rng(0)

    def affine(rows: int, columns: int) -> Affine:
        return Affine(rng.standard_normal((rows, columns)), rng.standard_normal(columns))

    block = Residual([affine(3, 5), ReLU(), affine(5, 3)])
    network = Network([affine(4, 3), block, affine(3, 2)], weight_decay=weight_decay)
    return network.trace(rng.standard_normal((2, 4)), np.asarray([0, 1]))


def convolutions(**options: bool) -> Trace:
    """The network of chapter 8 on two small images."""
    network = DeepConvNet((1, 8, 8), pads=(1, 1, 1, 2, 1, 1), rng=0, **options)
    return network.trace(np.random.default_rng(0).random((2, 1, 8, 8)).astype("float32"), np.asarray([3, 1]))
