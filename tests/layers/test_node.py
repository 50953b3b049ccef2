"""What all layers and losses do as nodes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from backends import Backend, get_backend
from backprop import Dropout, MeanSquaredError, Mul, ReLU, Sigmoid, SigmoidWithLoss, SoftmaxWithLoss, Tanh
from backprop.layers import Add, Identity, Layer, Node

LAYERS = [ReLU, Sigmoid, Tanh, Identity]


def test_arrays_of_a_library_without_a_backend_can_be_brought_here() -> None:
    class Foreign:
        def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
            return np.asarray([1.0, 2.0], dtype="float32")

    moved = Node(a=Foreign()).to(get_backend("cpu")).params["a"]
    assert moved.dtype == "float32"
    assert moved.tolist() == [1.0, 2.0]


@pytest.mark.parametrize("layer", [*LAYERS, Mul, Add, SoftmaxWithLoss, SigmoidWithLoss, MeanSquaredError])
def test_backward_before_forward(layer: Any, backend: Backend) -> None:
    with pytest.raises(RuntimeError, match=rf"{layer.__name__}: backward needs .*training=True.* first"):
        layer().backward(backend.asarray([1.0]))


def test_layers_go_where_their_input_is(rng: np.random.Generator) -> None:
    """From library to library and device to device, with their state and their masks."""
    places = ["cpu", "strict", "strict:device2", "cpu", "strict:device2"]
    here, there = Dropout(0.4, seed=2), Dropout(0.4, seed=2)
    for place in places:
        y = here.forward(get_backend(place).asarray(np.ones((4, 5))), training=True)
        assert get_backend(place).owns(y)
        assert get_backend(place).owns(here.state["drawn"])
        expected = there.forward(np.ones((4, 5)), training=True)
        np.testing.assert_array_equal(get_backend(place).to_numpy(y), expected)


def test_an_attribute_set_before_the_constructor_does_not_hide_the_parameter() -> None:
    class Scale(Layer):
        def __init__(self, W: np.ndarray) -> None:
            self.W = W
            super().__init__(W=W)

    layer, W = Scale(np.ones(2)), np.zeros(2)
    layer.params["W"] = W
    assert layer.W is W
