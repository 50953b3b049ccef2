"""Arithmetic with two inputs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from backends import Backend
from backprop import Mul
from backprop.layers import Add, Div, MatMul, Pow, Sub


@pytest.mark.parametrize("layer", [Add, Div, Mul, Pow, Sub])
def test_two_inputs_that_do_not_fit(layer: Any, backend: Backend) -> None:
    x = backend.asarray([1.0, 2.0])
    with pytest.raises(ValueError, match=r"expected inputs of one shape, got \(2,\) and \(1,\)"):
        layer().forward(x, backend.asarray([1.0]))
    with pytest.raises(TypeError, match="y and x differ in dtype"):
        layer().forward(x, backend.asarray([1.0, 2.0], dtype="float32"))
    for pair in ((x, 2.0), (2.0, x)):  # a number and an array would be broadcast
        with pytest.raises(TypeError, match="expected an array"):
            layer().forward(*pair)


@pytest.mark.parametrize(("layer", "z", "dx", "dy"), [
    (Add, 5.0, 10.0, 10.0), (Sub, 1.0, 10.0, -10.0), (Mul, 6.0, 20.0, 30.0), (Div, 1.5, 5.0, -7.5),
    (Pow, 9.0, 60.0, 90.0 * np.log(3.0)),
])  # fmt: skip
def test_numbers(layer: Any, z: float, dx: float, dy: float) -> None:
    node = layer()
    assert node.forward(3.0, 2.0, training=True) == z
    assert node.backward(10.0) == pytest.approx((dx, dy))


def test_powers_of_a_number_that_is_not_positive() -> None:
    with pytest.raises(ValueError, match="Pow: expected a base above 0, got -1"):
        Pow().forward(-1, 2)


@pytest.mark.parametrize(("x", "y"), [((2, 3), (2, 3)), ((3,), (3, 2)), ((2, 3), (3,)), ((1, 2, 3), (3, 2))])
def test_matrices_that_do_not_fit(x: tuple[int, ...], y: tuple[int, ...], backend: Backend) -> None:
    with pytest.raises(ValueError, match=r"MatMul: expected matrices \(N, K\) and \(K, M\), got \("):
        MatMul().forward(backend.asarray(np.ones(x)), backend.asarray(np.ones(y)))
    with pytest.raises(TypeError, match="MatMul: y and x differ in dtype"):
        MatMul().forward(backend.asarray(np.ones((2, 2))), backend.asarray(np.ones((2, 2)), dtype="float32"))
