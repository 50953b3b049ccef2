"""A small network and its data."""

from __future__ import annotations

import numpy as np

from backends import Array, Backend
from backprop import TwoLayerNet


def net(backend: Backend, dtype: str = "float32") -> TwoLayerNet:
    return TwoLayerNet(4, 5, 3, weight_init_std=1.0, dtype=dtype, device=backend, rng=0)


def data(backend: Backend, n: int = 6, dtype: str = "float32") -> tuple[Array, Array]:
    rng = np.random.default_rng(1)
    return backend.asarray(rng.standard_normal((n, 4)), dtype=dtype), backend.asarray(rng.integers(0, 3, n))
