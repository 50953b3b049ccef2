"""A small network and its data."""

from __future__ import annotations

from typing import Any

import numpy as np

from backends import Array, Backend
from backprop import MultiLayerNet, TwoLayerNet


def net(backend: Backend, dtype: str = "float32") -> TwoLayerNet:
    return TwoLayerNet(4, 5, 3, weight_init_std=1.0, dtype=dtype, device=backend, rng=0)


def data(backend: Backend, n: int = 6, dtype: str = "float32") -> tuple[Array, Array]:
    rng = np.random.default_rng(1)
    return backend.asarray(rng.standard_normal((n, 4)), dtype=dtype), backend.asarray(rng.integers(0, 3, n))


def mlp(backend: Backend, **options: Any) -> MultiLayerNet:
    rng = np.random.default_rng(2)
    options = {"weight_init_std": 0.7, "dtype": "float64", "rng": rng, "device": backend, **options}
    net = MultiLayerNet(4, [6, 5], 3, **options)
    for name, value in net.params.items():
        if name[0] in "bg":  # away from the kinks
            net.params[name] = backend.asarray(rng.uniform(0.5, 1.5, tuple(value.shape)))
    return net
