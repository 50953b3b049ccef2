"""Images and filters for the tests of convolution and pooling."""

from __future__ import annotations

from typing import Any

import numpy as np

from backends import Backend
from backprop import Layer


def filters(backend: Backend, *shape: int, dtype: str = "float32") -> tuple[Any, Any]:
    rng = np.random.default_rng(1)
    W, b = rng.standard_normal(shape), rng.standard_normal(shape[0])
    return backend.asarray(W, dtype=dtype), backend.asarray(b, dtype=dtype)


def whole(*shape: int, most: int = 2) -> np.ndarray:
    """Whole numbers, whose sums and products are exact and often equal."""
    return np.random.default_rng(2).integers(-most, most + 1, shape).astype("float32")


def run(layer: Layer, x: np.ndarray, dout: np.ndarray, backend: Backend) -> list[np.ndarray]:
    """Output, input gradient and parameter gradients."""
    y = layer.forward(backend.asarray(x), training=True)
    dx = layer.backward(backend.asarray(dout))
    return [backend.to_numpy(value).copy() for value in (y, dx, *layer.grads.values())]
