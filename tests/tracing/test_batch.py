"""What happened on a batch, by layer and by sample."""

from __future__ import annotations

import copy
import io
import pickle
import sys

import numpy as np
import pytest

from backprop import MeanSquaredError, Network, ReLU
from backprop.text import digits

from .traces import convolutions, residual, two_layers


def test_layers_by_name() -> None:
    trace = convolutions()
    shown = "Conv2 with Relu2 and Pool1"
    assert trace["Conv2"] is trace[shown] is trace.layers[shown]
    assert trace["SoftmaxWithLoss"] is trace.loss
    block = residual()
    assert block["Residual1.ReLU1"] is block["Residual1"].parts[1]


def test_an_unknown_layer_is_answered_with_the_names() -> None:
    expected = "no layer 'Relu2': expected one of 'Affine1', 'Relu1', 'Affine2', 'SoftmaxWithLoss'"
    with pytest.raises(KeyError, match=expected):
        two_layers()["Relu2"]


def test_a_layer_with_the_name_of_the_loss() -> None:
    network = Network({"MeanSquaredError": ReLU()}, MeanSquaredError()).to(dtype="float64")
    trace = network.trace(np.ones((1, 2)), np.ones((1, 2)))
    assert trace["MeanSquaredError"] is trace.layers["MeanSquaredError"]


def test_the_order_of_forward_and_of_backward() -> None:
    trace = residual()
    inner = ["Residual1.Affine1", "Residual1.ReLU1", "Residual1.Affine2"]
    forward = ["Affine1", *inner, "Residual1", "Affine2", "SoftmaxWithLoss"]
    backward = ["SoftmaxWithLoss", "Affine2", *inner[::-1], "Residual1", "Affine1"]
    assert [node.name for node in trace.nodes()] == forward
    assert [node.name for node in trace.nodes(backward=True)] == backward


def test_a_sample() -> None:
    trace = two_layers()
    sample = trace.of_sample(2)
    np.testing.assert_array_equal(sample.x, trace.x[2])
    assert (sample.t, sample.sample, sample.value) == (1, 2, trace.value)
    np.testing.assert_array_equal(sample["Affine2"].output, trace["Affine2"].output[2])


@pytest.mark.parametrize("sample", [3, -1])
def test_a_sample_that_is_not_there(sample: int) -> None:
    with pytest.raises(IndexError, match=f"expected a sample from 0 to 2, got {sample}"):
        two_layers().show(sample=sample)
    with pytest.raises(ValueError, match="this is a trace of sample 1: take others from the whole trace"):
        two_layers().of_sample(1).of_sample(0)


@pytest.mark.parametrize("sample", ["Affine1", 1.0, True])
def test_what_is_no_sample(sample: object) -> None:
    with pytest.raises(TypeError, match="expected the number of a sample, counted from 0, got "):
        two_layers().graph(sample)  # type: ignore[arg-type]


def test_traces_are_themselves_alone() -> None:
    """Their arrays have no truth value, so they cannot be compared by value."""
    one, other = two_layers(), two_layers()
    assert one == one
    assert one != other
    assert len({one, one["Affine1"], other["Affine1"]}) == 3


@pytest.mark.parametrize("encoding", ["ascii", "cp932", "cp1252"])
def test_a_terminal_without_the_signs(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(raw, encoding=encoding))
    two_layers().show("Affine1", 0)
    sys.stdout.flush()
    assert b"W" in raw.getvalue()
    assert "Affine1: Affine(W=(4, 5), b=(5,))" in raw.getvalue().decode(encoding)


def test_repr_is_short() -> None:
    trace = two_layers()
    network = "TwoLayerNet(Affine1 · Relu1 · Affine2 · SoftmaxWithLoss; 43 parameters, float64 on cpu)"
    assert repr(trace) == f"Trace({network}; 3 samples, loss {digits(trace.value)})"
    assert repr(trace.of_sample(1)) == f"Trace({network}; sample 1 of 3, loss {digits(trace.value)})"


def test_a_trace_can_be_copied() -> None:
    trace = residual()
    for copied in (copy.deepcopy(trace), pickle.loads(pickle.dumps(trace))):
        np.testing.assert_array_equal(
            copied["Residual1.Affine1"].grads["W"], trace["Residual1.Affine1"].grads["W"]
        )


def test_what_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    trace = two_layers()
    trace.show()
    assert capsys.readouterr().out == f"{trace}\n"
    trace.show(sample=0)
    assert capsys.readouterr().out.splitlines()[1].startswith("sample 0 of 3, in training: loss ")
    trace.show("Affine1")
    assert capsys.readouterr().out.startswith("Affine1: Affine(W=(4, 5), b=(5,))\n")


@pytest.mark.parametrize("layer", [None, "Affine1", "SoftmaxWithLoss"])
def test_columns_counts_in_a_pipe(
    layer: str | None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    trace, longest = two_layers(), []
    for columns in ("", "40"):
        monkeypatch.setenv("COLUMNS", columns)
        trace.show(layer, 1)
        longest.append(max(map(len, capsys.readouterr().out.splitlines())))
    assert longest[0] > 60
    assert longest[1] <= 40
