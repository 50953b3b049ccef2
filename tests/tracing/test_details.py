"""The details of a layer."""

from __future__ import annotations

import numpy as np
import pytest

from backprop import MeanSquaredError, Network, ReLU
from backprop.formulas import worked, worked_backward
from backprop.layers import Layer
from backprop.text import digits
from backprop.tracing.details import details, written

from ..explain.small import blocks
from .traces import convolutions, residual, two_layers


def test_formula_and_statistics() -> None:
    trace = two_layers()
    layer = trace["Affine1"]
    lines = details(trace, layer, None, None).splitlines()
    assert lines[:5] == [
        "Affine1: Affine(W=(4, 5), b=(5,))",
        "y = x W + b",
        "∂L/∂x = ∂L/∂y · Wᵀ",
        "∂L/∂W = xᵀ ∂L/∂y",
        "∂L/∂b = Σₙ ∂L/∂yₙ",
    ]
    rows = {line.split()[0]: line.split() for line in lines[7:]}
    assert list(rows) == list(layer.arrays)
    dW = layer.grads["W"]
    expected = [digits(n) for n in (dW.min(), dW.max())]
    assert rows["∂L/∂W"][1:] == [
        "4×5", *f"{digits(dW.mean())} ± {digits(dW.std())}".split(), *expected, "0%", digits(float(np.linalg.norm(dW)))
    ]  # fmt: skip


def test_the_numbers_of_a_sample() -> None:
    trace = two_layers()
    layer = trace["Affine2"]
    text = details(trace, layer, 1, None)
    after = text[text.index("\nsample 1\n") :]
    for name, values in (("x", layer.inputs[0][1]), ("∂L/∂y", layer.dout[1])):
        assert f"\n{name} = [{' '.join(map(digits, values))}]\n" in after
    for found in (worked(layer, 1), worked_backward(layer, 1)):
        assert found is not None
        for line in found.lines():
            assert line in after
    assert "W =" not in after


def test_the_gradient_with_weight_decay_says_so() -> None:
    trace = residual(0.1)
    assert "∂L/∂W includes λ W" in details(trace, trace["Residual1.Affine1"], None, None)


@pytest.mark.parametrize("columns", [40, 80])
def test_it_fits(columns: int) -> None:
    network, x, t = blocks()
    for trace in (two_layers(), residual(), convolutions(), network.trace(x, t)):
        for node in trace.nodes():
            lines = details(trace, node, 1, columns).splitlines()
            assert max(map(len, lines)) <= columns, max(lines, key=len)


def test_a_layer_without_a_formula() -> None:
    class Own(Layer):
        def forward(self, x: np.ndarray, *, training: bool = False) -> np.ndarray:
            return 2.0 * x

        def backward(self, dout: np.ndarray) -> np.ndarray:
            return 2.0 * dout

    x = np.ones((1, 2))
    trace = Network([Own(), ReLU()], MeanSquaredError()).to(dtype="float64").trace(x, x)
    lines = details(trace, trace["Own1"], 0, None).splitlines()
    assert lines[1] == "Own has no formula: a layer of your own may carry one, as its attribute formula."
    assert "y = [2 2]" in lines


def test_large_arrays_are_cut_short() -> None:
    trace = convolutions()
    lines = details(trace, trace["Conv1"], 0, 80).splitlines()
    assert any(line.startswith("y: 16×8×8, ") for line in lines)
    lines = details(trace, trace["Relu7"], 0, 80).splitlines()
    assert any(line.startswith("x = [") and "..." in line for line in lines)


def test_numbers_have_four_digits_of_their_own() -> None:
    """A small gradient beside a large one would be one digit, or 0, with as many decimals for all."""
    assert written("x", np.asarray([1.0, 0.00012346, -0.0]), 80) == ["x = [1 1.235e−4 0]"]
    assert written("x", np.asarray([[1.0, -20.0], [3.0, 4.0]]), 80) == ["x = [[  1 −20]", "     [  3   4]]"]


def test_a_step_of_both_directions_is_written_once() -> None:
    trace = two_layers()
    lines = details(trace, trace.loss, 0, None).splitlines()
    assert sum(line.startswith("S[0] = ") for line in lines) == 1
    assert any(line.startswith("L[0] = ") for line in lines)
    assert any(line.startswith("∂L/∂x[0,") for line in lines)
