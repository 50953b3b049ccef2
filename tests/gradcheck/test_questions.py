"""Questions that make no sense."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from backprop import Add, Layer, Network, SoftmaxWithLoss, Tanh, TwoLayerNet, check_gradients

from .functions import cubes, cubes_gradient


def test_questions_that_make_no_sense(rng: np.random.Generator) -> None:
    x = rng.standard_normal((3, 4))
    with pytest.raises(TypeError, match=r"expected a layer, a loss or a network, got <class .*Tanh'>"):
        check_gradients(Tanh, x)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"Tanh takes x, got 2 input\(s\)"):
        check_gradients(Tanh(), x, x)
    with pytest.raises(TypeError, match=r"Add takes x and y, got 1 input\(s\)"):
        check_gradients(Add(), x)
    with pytest.raises(TypeError, match=r"SoftmaxWithLoss takes x and t, got 3 input\(s\)"):
        check_gradients(SoftmaxWithLoss(), x, x, x)
    with pytest.raises(ValueError, match="expected a step h above 0, got -0.0001"):
        check_gradients(Tanh(), x, h=-1e-4)
    with pytest.raises(TypeError, match=r"TwoLayerNet takes x and t, got 1 input\(s\)"):
        check_gradients(TwoLayerNet(4, 3, 2), x)
    with pytest.raises(ValueError, match="x and y are the inputs' names"):
        check_gradients(Layer(x=x), x)
    with pytest.raises(ValueError, match="x and y are the inputs' names"):
        check_gradients(Network([Layer(y=x)]), x, x)
    with pytest.raises(ValueError, match="expected a step h above 0, got 0"):
        check_gradients(Tanh(), x, h=0.0)


def test_questions_about_functions_that_make_no_sense() -> None:
    x = np.ones(2)
    with pytest.raises(
        TypeError, match=r"expected its gradient and its arguments, check_gradients\(f, grad, x\), got 1"
    ):
        check_gradients(cubes, x)
    with pytest.raises(TypeError, match=r"expected its gradient and its arguments"):
        check_gradients(cubes, x, x)
    with pytest.raises(TypeError, match="expected real arguments, got complex128"):
        check_gradients(cubes, cubes_gradient, x * 1j)
    with pytest.raises(TypeError, match="expected a layer, a loss, a network or a function, got an int$"):
        check_gradients(3, x)  # type: ignore[arg-type]


class Square:
    """What a newcomer writes: the methods of a layer, but no Layer."""

    def forward(self, x: Any) -> Any:
        return x * x

    def backward(self, dout: Any) -> Any:
        return dout


def test_a_class_in_place_of_a_layer() -> None:
    with pytest.raises(TypeError, match=r"expected an instance of Square, got the class"):
        check_gradients(Square, np.ones(2))
    assert check_gradients(Square(), np.ones(2)).failed  # a layer in the book's style, and wrong
    with pytest.raises(TypeError, match=r"Square takes x, got 2 input\(s\)"):
        check_gradients(Square(), np.ones(2), np.ones(2))
