"""Activation functions: extreme values and kinks."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from backends import Backend
from backprop import GELU, LeakyReLU, ReLU, Relu, Sigmoid, Softmax, Tanh


def test_the_books_spelling() -> None:
    assert Relu is ReLU


def test_softmax_row_by_row(backend: Backend) -> None:
    """Every row has its own largest entry; a vector is one row; a number is none."""
    x = backend.asarray([[1000.0, 1000.0], [-1000.0, -1000.0]])
    np.testing.assert_array_equal(backend.to_numpy(Softmax().forward(x)), [[0.5, 0.5], [0.5, 0.5]])
    np.testing.assert_array_equal(backend.to_numpy(Softmax().forward(x[0, :])), [0.5, 0.5])
    with pytest.raises(ValueError, match=r"Softmax: expected input \(…, C\), got a single number"):
        Softmax().forward(backend.asarray(1.0))
    with pytest.raises(
        ValueError, match=r"Softmax: expected input \(…, C\) with C of at least 1, got \(2, 0\)"
    ):
        Softmax().forward(backend.asarray(np.zeros((2, 0))))


def test_extreme_values(backend: Backend) -> None:
    x = backend.asarray([[-1e30, -1000.0, 0.0, 1000.0, 1e30]], dtype="float32")
    assert backend.to_numpy(Sigmoid().forward(x)).tolist() == [[0.0, 0.0, 0.5, 1.0, 1.0]]
    assert backend.to_numpy(Tanh().forward(x)).tolist() == [[-1.0, -1.0, 0.0, 1.0, 1.0]]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_gelu_far_from_0(dtype: str, backend: Backend) -> None:
    """From 10 on it is x or 0, also where x² is larger than the largest number."""
    largest = float(np.finfo(dtype).max)
    x = backend.asarray([-largest, -1e25, -10.0, 10.0, 1e25, largest], dtype=dtype)
    gelu = GELU()
    y = backend.to_numpy(gelu.forward(x, training=True))
    np.testing.assert_array_equal(y, np.maximum(backend.to_numpy(x), 0.0))
    dx = backend.to_numpy(gelu.backward(backend.asarray(np.ones(6), dtype=dtype)))
    np.testing.assert_array_equal(dx, [0.0, 0.0, 0.0, 1.0, 1.0, 1.0])


def test_sigmoid_keeps_small_values(backend: Backend) -> None:
    y = backend.to_numpy(Sigmoid().forward(backend.asarray([[-50.0]], dtype="float32")))
    assert float(y[0, 0]) == pytest.approx(math.exp(-50.0), rel=1e-5)


def test_leaky_relu_at_infinity(backend: Backend) -> None:
    x = backend.asarray([-math.inf, -2.0, 0.0, 2.0, math.inf], dtype="float32")
    for slope, expected in (
        (0.0, [0.0, 0.0, 0.0, 2.0, math.inf]),
        (0.5, [-math.inf, -1.0, 0.0, 2.0, math.inf]),
    ):
        assert backend.to_numpy(LeakyReLU(slope).forward(x)).tolist() == expected
    assert backend.to_numpy(LeakyReLU(1e-60).forward(x[1:])).tolist() == [0.0, 0.0, 2.0, math.inf]


@pytest.mark.parametrize("layer", [ReLU(), LeakyReLU()])
def test_a_kink_belongs_to_the_negative_side(layer: Any, backend: Backend) -> None:
    x = backend.asarray([-1.0, 0.0, 1.0])
    assert backend.to_numpy(layer.region(x)).tolist() == [False, False, True]
    layer.forward(x, training=True)
    below, at, above = backend.to_numpy(layer.backward(backend.asarray([1.0, 1.0, 1.0])))
    assert below == at < above


def test_the_slope_of_leaky_relu() -> None:
    with pytest.raises(ValueError, match="LeakyReLU: expected a slope from 0 to below 1, got 1.0"):
        LeakyReLU(1.0)
