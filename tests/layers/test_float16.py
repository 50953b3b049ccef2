"""Inference in float16: the exact output, rounded once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from backends import Backend, dtype_name
from backprop import (
    GELU,
    AveragePooling,
    BatchNormalization,
    LayerNormalization,
    MaxPooling,
    ReLU,
    Residual,
    Sigmoid,
    Softmax,
    Tanh,
)


def halves(layer: Any, x: np.ndarray, backend: Backend) -> tuple[np.ndarray, np.ndarray]:
    """The output in float16, and the float64 one of the very same numbers, rounded once."""
    half = layer.to(backend, "float16")
    exact = half.to(backend, "float64")
    x = x.astype("float16")
    with np.errstate(over="ignore"):
        expected = backend.to_numpy(exact.forward(backend.asarray(x, dtype="float64"))).astype("float16")
    return backend.to_numpy(half.forward(backend.asarray(x))), expected


@pytest.mark.parametrize("scale", [1e-3, 1.0, 300.0])
@pytest.mark.parametrize("offset", [0.0, 10.0])
def test_float16_is_the_exact_output_rounded(
    scale: float, offset: float, backend: Backend, rng: np.random.Generator
) -> None:
    """Within two units in the last place, or as many of the smallest number; nothing overflows inside."""
    if not hasattr(backend.xp, "float16"):
        pytest.skip("the standard has no float16")
    x, images = (scale * (rng.standard_normal(shape) + offset) for shape in ((16, 300), (3, 2, 14, 14)))
    gamma, beta = rng.uniform(0.5, 1.5, 300), rng.standard_normal(300)
    mean, var = x.mean(axis=0), x.var(axis=0)
    for layer, values in [
        (LayerNormalization(gamma, beta), x),
        (BatchNormalization(gamma, beta, 0.9, mean, var, epsilon=1e-9), x),
        (Residual([BatchNormalization(gamma, np.zeros(300), 0.9, mean, var)]), x),
        (Softmax(), x / scale), (GELU(), x / scale), (Sigmoid(), x / scale), (Tanh(), x),
        (AveragePooling(14), images), (AveragePooling(2), images), (MaxPooling(2), images),
    ]:  # fmt: skip
        found, expected = halves(layer, values, backend)
        assert found.dtype == np.float16
        spacing = np.maximum(np.spacing(np.abs(expected)).astype(float), 2.0**-24)
        largest = np.abs(expected).max() * 2.0**-11  # where terms cancel
        difference = np.abs(found.astype(float) - expected.astype(float))
        assert (difference <= 2.0 * np.maximum(spacing, largest)).all(), layer


def test_gradients_in_float16(backend: Backend, rng: np.random.Generator) -> None:
    """A layer of its own computes them, in its dtype."""
    if not hasattr(backend.xp, "float16"):
        pytest.skip("the standard has no float16")
    x = 300.0 * rng.standard_normal((64, 40))
    for layer in (BatchNormalization(np.ones(40), np.zeros(40)), LayerNormalization(np.ones(40), np.zeros(40)),
                  Softmax(), GELU(), ReLU(), Sigmoid(), Tanh()):  # fmt: skip
        found = []
        for dtype in ("float16", "float64"):
            clone, values = layer.to(backend, dtype), backend.asarray(x.astype("float16"), dtype=dtype)
            y = clone.forward(values, training=True)
            dx = clone.backward(backend.asarray(np.cos(np.arange(x.size)).reshape(x.shape), dtype=dtype))
            arrays = [y, dx, *clone.grads.values()]
            assert {dtype_name(array.dtype) for array in arrays} == {dtype}
            found.append([backend.to_numpy(array).astype(float) for array in arrays])
        for half, exact in zip(*found, strict=True):
            np.testing.assert_allclose(half, exact, rtol=5e-3, atol=5e-3 * np.abs(exact).max())
