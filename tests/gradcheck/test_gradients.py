"""Which gradients are compared, and which layer of a network is to blame."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from backends import Array, Backend
from backprop import Affine, Network, Tanh, check_gradients
from backprop.gradcheck import gradients

from .faults import (
    BiasForgotten,
    LeavesTheBackend,
    MissingMean,
    OneEntryWrong,
    Raises,
    WrongShape,
    WrongSign,
    stack,
    verdicts,
)


def test_array_without_entries() -> None:
    report = check_gradients(Tanh(), np.ones((0, 3)))
    assert report.problems == ("Tanh.x: an array of shape (0, 3) has no entries to compare",)


def test_fault_in_a_network_is_localized(backend: Backend, rng: np.random.Generator) -> None:
    """What lies below the wrong layer has a wrong gradient, and is not to blame."""
    report = check_gradients(*stack(rng, WrongSign()), device=backend)
    assert verdicts(report) == {
        "Affine1.W": "wrong above", "Affine1.b": "wrong above", "Affine1.x": "passed",
        "WrongSign1.x": "FAILED",
        "Affine2.W": "passed", "Affine2.b": "passed", "Affine2.x": "passed", "SoftmaxWithLoss.x": "passed",
        "input.x": "wrong above",
    }  # fmt: skip
    assert report.culprit == "WrongSign1"
    assert str(report).endswith("first wrong, going backward: WrongSign1")


def test_lines_of_a_right_network(rng: np.random.Generator) -> None:
    """The dx of the bottom layer is the network's, and has one line."""
    report = check_gradients(*stack(rng, Tanh()))
    assert list(verdicts(report)) == [
        "Affine1.W", "Affine1.b", "Tanh1.x", "Affine2.W", "Affine2.b", "Affine2.x", "SoftmaxWithLoss.x", "input.x",
    ]  # fmt: skip
    assert report.passed


def test_the_first_wrong_of_two(rng: np.random.Generator) -> None:
    report = check_gradients(*stack(rng, WrongSign(), Tanh(), OneEntryWrong()))
    assert report.culprit == "OneEntryWrong1"
    found = verdicts(report)
    assert (found["WrongSign1.x"], found["Tanh1.x"], found["OneEntryWrong1.x"]) == (
        "FAILED",
        "passed",
        "FAILED",
    )


def test_faults_that_undo_each_other(rng: np.random.Generator) -> None:
    """All parameters and the input have right gradients; two layers have not."""
    report = check_gradients(*stack(rng, WrongSign(), WrongSign()))
    wrong = [name for name, verdict in verdicts(report).items() if verdict != "passed"]
    assert wrong == ["WrongSign1.x", "WrongSign2.x"]
    assert report.culprit == "WrongSign2"


def test_a_wrong_parameter_is_its_layers_fault_alone(rng: np.random.Generator) -> None:
    report = check_gradients(*stack(rng, BiasForgotten(rng.standard_normal((3, 3)), np.zeros(3)), Tanh()))
    assert [name for name, verdict in verdicts(report).items() if verdict != "passed"] == ["BiasForgotten1.b"]
    assert report.culprit == "BiasForgotten1"


def test_a_wrong_loss_and_a_wrong_bottom(rng: np.random.Generator) -> None:
    report = check_gradients(*stack(rng, Tanh(), loss=MissingMean()))
    assert report.culprit == "MissingMean"
    assert verdicts(report)["MissingMean.x"] == "FAILED"
    assert {v for name, v in verdicts(report).items() if name[-1] in "Wb"} == {"wrong above"}
    network = Network([WrongSign(), Affine(rng.standard_normal((4, 3)), np.zeros(3))])
    report = check_gradients(network, rng.standard_normal((5, 4)), rng.integers(0, 3, 5))
    assert report.culprit == "WrongSign1"
    assert [name for name, v in verdicts(report).items() if v != "passed"] == ["WrongSign1.x", "input.x"]


def test_a_layer_that_raises_is_named(rng: np.random.Generator) -> None:
    report = check_gradients(*stack(rng, Raises(), Tanh()))
    assert report.problems == ("raised ZeroDivisionError: no luck",)
    assert report.culprit == "Raises1"
    assert report.failed


@pytest.mark.parametrize("kind", [WrongShape, LeavesTheBackend])
def test_a_layer_whose_dx_is_none_for_what_is_below_is_named(
    kind: Any, backend: Backend, rng: np.random.Generator
) -> None:
    report = check_gradients(*stack(rng, Tanh(), kind(), Tanh()), device=backend)
    assert report.culprit == f"{kind.__name__}1"
    assert report.failed


def test_fault_in_a_networks_own_backward_is_named(rng: np.random.Generator) -> None:
    class Upside(Network):
        def backward(self, dout: Any = 1.0) -> Array:
            return super().backward(-dout)

    network, x, t = stack(rng, Tanh())
    network.__class__ = Upside
    report = check_gradients(network, x, t)
    assert "every layer is correct alone: the network's own backward is wrong" in report.problems
    assert report.culprit is None


def test_a_gradient_whose_rounding_cannot_be_tried_is_compared(
    monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator
) -> None:
    def fail(*_: Any) -> Any:
        raise ArithmeticError("no luck")

    monkeypatch.setattr(gradients, "rounding_changes", fail)
    assert check_gradients(*Tanh.case(rng)).passed
    assert check_gradients(*WrongSign.case(rng)).entries[0].verdict == "FAILED"


def test_what_an_evaluation_is(rng: np.random.Generator) -> None:
    """Six for the noise of an array, three for each of its entries."""
    report = check_gradients(*Affine.case(rng), h=1e-4)
    assert report.evaluations == sum(6 + 3 * entry.compared for entry in report.entries)
    network, x, t = stack(rng, Tanh())
    report = check_gradients(network, x, t, h=1e-4)
    assert report.evaluations == sum(6 + 3 * entry.compared for entry in report.entries)
