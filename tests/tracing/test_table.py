"""The table of a trace fits the terminal and says what it shows."""

from __future__ import annotations

import numpy as np
import pytest

from backprop import MeanSquaredError, Network, ReLU, Relu
from backprop.text import digits
from backprop.tracing.table import overview, spread

from .traces import convolutions, residual, two_layers


def test_a_row_for_every_layer() -> None:
    trace = two_layers()
    lines = overview(trace, None).splitlines()
    assert lines[1] == f"3 samples, in training: loss {digits(trace.value)}"
    head, *rows = lines[3:9]
    assert head.split() == ["layer", "output", "y", "∂L/∂y", "norm", "of", "∂L/∂…", "ms"]
    assert [row.split()[0] for row in rows] == ["x", "Affine1", "Relu1", "Affine2", "SoftmaxWithLoss"]
    layer = trace["Affine1"]
    W, b = (f"{key} {digits(np.linalg.norm(layer.grads[key]))}" for key in ("W", "b"))
    y, dy = (f"{digits(values.mean())} ± {digits(values.std())}" for values in (layer.output, layer.dout))
    assert "  ".join(rows[1].split("  ")[:4]).startswith("Affine1")
    for cell in ("3×5", y, dy, f"{W}, {b}"):
        assert f"  {cell}" in rows[1]
    dx = layer.dinputs[0]
    assert f"{digits(dx.mean())} ± {digits(dx.std())}" in rows[0]
    assert rows[4].split()[:4] == ["SoftmaxWithLoss", "a", "number", digits(trace.value)]


@pytest.mark.parametrize("columns", [20, 40, 60, 80, 100, 120])
def test_it_fits(columns: int) -> None:
    for trace in (two_layers(), residual(0.1), convolutions(), convolutions().of_sample(1)):
        lines = overview(trace, columns).splitlines()
        assert max(map(len, lines)) <= columns, max(lines, key=len)
        for layer in trace.layers:
            assert layer in " ".join(" ".join(lines).split())


def test_time_and_norms_give_way_first() -> None:
    trace = two_layers()
    found = []
    for columns in range(150, 30, -1):
        text = overview(trace, columns)
        heads = [line for line in text.splitlines() if line.startswith("layer ")]
        found.append([name for head in heads for name in ("norm of", "ms") if name in head])
        also = {1: "ms", 0: "ms, norm of ∂L/∂…"}.get(len(found[-1]), "")
        assert (f"a wider terminal also shows: {also}" in " ".join(text.split())) == bool(heads and also)
    order = [kept for kept, after in zip(found, [*found[1:], None], strict=True) if kept != after]
    assert order == [["norm of", "ms"], ["norm of"], []]
    assert "  norm of ∂L/∂…: W" in overview(trace, 31)


def test_a_block_leaves_the_norms_to_its_layers() -> None:
    rows = {line.split()[0]: line for line in overview(residual(), None).splitlines() if line}
    assert "W" not in rows["Residual1"]
    assert "W" in rows["Residual1.Affine1"]


def test_what_the_weight_decay_adds() -> None:
    trace = residual(0.1)
    text, loss = overview(trace, None), float(trace.loss.output)
    assert f"loss {digits(loss)} + weight decay {digits(trace.value - loss)}\n" in text
    assert "∂L/∂W includes λ W of the weight decay, λ = 0.1" in text
    assert "decay" not in overview(residual(), None)


def test_of_a_sample_it_says_what_is_of_the_batch() -> None:
    trace = two_layers()
    text = overview(trace.of_sample(1), None)
    assert "y and ∂L/∂y are those of sample 1, the loss and the norms those of the batch" in text
    y = trace["Affine1"].output[1]
    assert f"Affine1          5 numbers  {digits(y.mean())} ± {digits(y.std())}" in text


def test_what_is_not_finite_is_named() -> None:
    network = Network([ReLU()], MeanSquaredError()).to(dtype="float64")
    text = overview(network.trace(np.asarray([[np.nan, 1.0]]), np.ones((1, 2))), None)
    assert "1 of 2 not finite" in text
    assert text.endswith("NaN or infinity: first in x")


def test_names_are_shown_with_control_characters_escaped() -> None:
    network = Network({"\x1b[2J": Relu()}, MeanSquaredError()).to(dtype="float64")
    text = overview(network.trace(np.ones((1, 2)), np.ones((1, 2))), None)
    assert "\x1b" not in text
    assert "\\x1b[2J" in text


def test_numbers() -> None:
    assert spread(np.asarray(2.5)) == "2.5"
    assert spread(np.asarray([[np.nan]])) == "NaN"
    assert spread(np.asarray([1.0, 3.0])) == "2 ± 1"
    assert spread(None) == ""
