"""What every layer refuses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from backends import Backend
from backprop import (
    AveragePooling,
    Convolution,
    ConvolutionReLUPooling,
    Dropout,
    MaxPooling,
    ReLU,
    Reshape,
    Sigmoid,
    Tanh,
)
from backprop.layers import Identity
from backprop.schedules import Step

from ..cases import CASES

LAYERS = [ReLU, Sigmoid, Tanh, Identity]


@pytest.mark.parametrize("layer", LAYERS)
def test_integers_are_refused(layer: Any, backend: Backend) -> None:
    with pytest.raises(
        TypeError, match=rf"{layer.__name__}: expected floating-point input, got int64; convert it"
    ):
        layer().forward(backend.asarray([[1, 2]]))


@pytest.mark.parametrize("layer", LAYERS)
def test_wrong_dout(layer: Any, backend: Backend) -> None:
    layer = layer()
    layer.forward(backend.asarray([[1.0, 2.0]]), training=True)
    with pytest.raises(ValueError, match=rf"{layer.name}: expected dout \(1, 2\), got \(2,\)"):
        layer.backward(backend.asarray([1.0, 2.0]))
    with pytest.raises(TypeError, match="dout and output differ in dtype"):
        layer.backward(backend.asarray([[1.0, 2.0]], dtype="float32"))
    for nothing in (1.0, 1, [[1.0, 2.0]]):
        with pytest.raises(TypeError, match="expected an array .* got"):
            layer.backward(nothing)


def test_true_is_no_number() -> None:
    W, b = np.ones((1, 1, 2, 2)), np.ones(1)
    for make, message in [
        (lambda: Convolution(W, b, stride=True), "stride to be a whole number of at least 1, got True"),
        (lambda: Convolution(W, b, pad=False), "pad to be a whole number of at least 0, got False"),
        (lambda: ConvolutionReLUPooling(W, b, pool_h=True), "pool_h to be a whole number"),
        (lambda: MaxPooling(2, stride=True), "stride to be a whole number"),
        (lambda: AveragePooling(True), "pool_h to be a whole number"),
        (lambda: Dropout(0.5, seed=True), "a seed, a whole number from 0, got True"),
        (lambda: Reshape((True, 2)), "whole numbers of at least 1 in shape"),
        (lambda: Step(0.1, True), "Step: expected every to be a whole number"),
    ]:
        with pytest.raises(ValueError, match=message):
            make()


@pytest.mark.parametrize("name", [name for name in CASES if "Loss" not in name and "Error" not in name])
def test_a_wrong_dout_names_the_layer(name: str) -> None:
    node, *inputs = CASES[name](np.random.default_rng(0))
    node.name = "Mine"
    y = node.forward(*inputs, training=True)
    with pytest.raises(ValueError, match="^Mine: "):
        node.backward(np.zeros((7, *y.shape)))
