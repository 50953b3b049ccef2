"""The formulas of the book's layers: with numbers put in, they give what the layers give."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import backprop
from backprop.book import AddLayer, MulLayer, MultiLayerNetExtend, Relu, SoftmaxWithLoss, TwoLayerNet
from backprop.formulas import formula_of, worked, worked_backward
from backprop.layers.adapter import adapted
from backprop.losses.adapter import adapted_loss
from tests.formulas.traces import traced

from .test_layers import CASES


def entries(array: np.ndarray) -> list[tuple[int, tuple[int, ...]]]:
    """The sample of every entry, and the entry in it."""
    return [(index[0], index[1:]) for index in np.ndindex(array.shape)]


def close(found: Any, expected: float) -> None:
    assert found is not None
    assert found.value == pytest.approx(expected, rel=1e-11, abs=1e-11)


@pytest.mark.parametrize("name", CASES)
def test_every_entry_worked_out_is_the_layer_s(name: str, rng: np.random.Generator) -> None:
    layer, x = CASES[name](rng)
    trace = traced(adapted(layer), x, rng=rng)
    for sample, entry in entries(trace.output):
        close(worked(trace, sample, entry), trace.output[sample, *entry])
    for sample, entry in entries(x):
        close(worked_backward(trace, sample, entry), trace.dinputs[0][sample, *entry])
    for key, gradient in trace.grads.items():
        for index in np.ndindex(gradient.shape):
            close(worked_backward(trace, 0, index, key), gradient[index])


TARGETS = {
    "class numbers": np.asarray([0, 2, 1, 2]),
    "one-hot": np.eye(3, dtype=int)[[0, 2, 1, 2]],
    "weights": np.asarray([[0.5, 0.5, 0.0], [1.0, 0.0, 0.5], [0.0, 0.0, 0.3], [0.2, 0.3, 0.4]]),
    "several ones": np.asarray([[1, 1, 0], [0, 0, 1], [1, 1, 1], [0, 1, 0]]),
}


@pytest.mark.parametrize("t", TARGETS.values(), ids=TARGETS)
def test_the_loss_has_the_book_s_constant(t: np.ndarray, rng: np.random.Generator) -> None:
    x = 5.0 * rng.standard_normal((4, 3))
    x[0] = [-40.0, -45.0, 0.0]  # of probabilities far below the constant
    trace = traced(adapted_loss(SoftmaxWithLoss()), x, t, rng=rng)
    losses = [worked(trace, sample) for sample in range(4)]
    assert np.mean([loss.value for loss in losses if loss]) == pytest.approx(float(trace.output), rel=1e-12)
    for sample, entry in entries(x):
        close(worked_backward(trace, sample, entry), trace.dinputs[0][sample, *entry])
    back = worked_backward(trace, 0, (1,))
    assert back is not None
    one_hot = back.steps[-1].expression.text() == "(p[0,1] − t[0,1]) / 4"
    assert one_hot == (t.ndim == 1 or ((t.sum(axis=1) == 1).all() and t.dtype.kind == "i"))
    formula = formula_of(trace.node)
    assert formula is not None
    assert "log(pₙₖ + 1e−7)" in formula.forward.text()


def test_an_unknown_entry_of_the_mask_is_not_made_up(rng: np.random.Generator) -> None:
    layer, x = CASES["Dropout"](rng)
    trace = traced(adapted(layer), x, rng=rng)
    zero, one = np.zeros_like(x), np.ones_like(x)
    seen = replace(trace, inputs=(zero,), output=zero, dout=one, dinputs=(zero,))
    found = worked(seen, 1, (2,))
    assert found is not None
    assert found.lines()[0] == "y[1,2] = x[1,2] m[1,2]"
    assert found.steps[0].expression.numbers().text() == "0·0"
    unseen = replace(seen, dout=zero)
    assert worked(unseen, 1, (2,)) is worked_backward(unseen, 1, (2,)) is None


def test_a_subclass_that_computes_another_thing_has_no_formula() -> None:
    class Doubled(Relu):
        def forward(self, x: Any) -> Any:
            return 2.0 * super().forward(x)

    class Named(Relu):
        pass

    class Own(Relu):
        formula = "y = max(x, 0)"  # type: ignore[assignment]

    assert Doubled().formula is None
    assert formula_of(adapted(Doubled())) is None
    for layer in (Relu(), Named(), Own()):
        found = formula_of(adapted(layer))
        assert found is not None
        assert found.forward.text() == "y = max(x, 0)"


def test_operations() -> None:
    for layer, text in ((MulLayer(), "z = x y"), (AddLayer(), "z = x + y")):
        assert layer.formula is not None
        assert layer.formula.forward.text() == text


def test_a_trace_shows_the_formulas(capsys: pytest.CaptureFixture[str]) -> None:
    trace = TwoLayerNet(4, 3, 2).trace(np.ones((5, 4)), np.asarray([0, 1, 1, 0, 1]))
    trace.show("Affine1", 0)
    shown = capsys.readouterr().out
    assert "y = x W + b" in shown
    assert "y[0," in shown
    drawn = {node.label: node.detail for node in trace.graph().nodes}
    assert drawn["Affine1"] == "y = x W + b"
    assert drawn["Relu1"] == "y = max(x, 0)"
    assert trace.name == "TwoLayerNet"
    assert trace.graph().title == "TwoLayerNet, 5 samples"


def test_a_trace_of_all_layers(rng: np.random.Generator) -> None:
    network = MultiLayerNetExtend(4, [3, 3], 2, use_dropout=True, use_batchnorm=True)
    trace = network.trace(rng.standard_normal((6, 4)), np.asarray([0, 1, 1, 0, 1, 0]))
    for layer in trace.layers.values():
        found = worked(layer, 2)
        assert found is not None
        index = found.steps[-1].target.index
        close(found, layer.output[index])


def test_layers_in_a_network_of_backprop(rng: np.random.Generator) -> None:
    layer, x = CASES["Affine"](rng)
    network = backprop.Network({"Affine1": layer, "Relu1": Relu()})
    trace = network.trace(x, np.asarray([0, 1, 2, 0, 1]))
    for name, node in trace.layers.items():
        close(worked(node, 1, (2,)), node.output[1, 2])
        assert formula_of(network.layers[name]) is not None
