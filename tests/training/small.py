"""A small network and three classes that it learns."""

from __future__ import annotations

import numpy as np

from backends import Backend
from backprop import Network, TwoLayerNet


def blobs(n: int = 250, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    t = rng.integers(0, 3, n)
    return (rng.standard_normal((n, 4)) + 3.0 * np.eye(3, 4)[t]).astype("float32"), t


def net(backend: Backend | str, dtype: str = "float32") -> TwoLayerNet:
    return TwoLayerNet(4, 8, 3, weight_init_std=0.3, dtype=dtype, device=backend, rng=0)


def host_params(network: Network) -> np.ndarray:
    return network.backend.to_numpy(network.flat_params["flat"]).copy()
