"""What a layer promises besides the right gradient."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from backprop import Affine, Network, SoftmaxWithLoss, Tanh, check_gradients
from backprop.gradcheck import promises

from .faults import AlwaysSingle, DependsOnLayout, stack


def test_three_numbers_show_that_they_are_rounded_and_two_do_not() -> None:
    for numbers, found in (([0.3, -0.5, 1.1, 0.0], True), ([0.3, -0.5, 0.0], False)):
        report = check_gradients(AlwaysSingle(), np.asarray([numbers]))
        rounded = "output of AlwaysSingle: float64 with only the precision of float32"
        assert (rounded in report.problems) is found


def test_fault_in_a_networks_own_backward_is_caught(rng: np.random.Generator) -> None:
    class WrongBottom(Network):
        def backward_params(self, dout: Any = 1.0) -> None:
            super().backward_params(-dout)

    layers = [Affine(rng.standard_normal((4, 3)), np.zeros(3))]
    report = check_gradients(WrongBottom(layers), rng.standard_normal((5, 4)), rng.integers(0, 3, 5))
    assert all(entry.passed for entry in report.entries)
    assert any("backward_params" in problem for problem in report.problems)
    assert not report.passed


@pytest.mark.parametrize("shape", [(), (4,), (2, 3)])
def test_layouts_of_any_number_of_dimensions(shape: tuple[int, ...], rng: np.random.Generator) -> None:
    x = np.asarray(rng.standard_normal(shape))
    assert check_gradients(Tanh(), x).passed
    if shape:
        assert "DependsOnLayout.x: another gradient" in str(check_gradients(DependsOnLayout(), x))


OF_NODES = {
    "_arguments_kept": ["arguments"],
    "_layout_ignored": ["layout"],
    "_repeats": ["repetition"],
    "_zero_in_zero_out": ["zero"],
    "_kind_kept": ["float64", "float32"],
    "_float32_agrees": ["precision"],
    "_inference_agrees": ["inference"],
    "_results_are_the_callers": ["memory"],
    "_needs_forward": ["order"],
    "_computes_in_float64": ["digits"],
    "_params_alone_agree": ["bottom"],
}


@pytest.mark.parametrize("promise", OF_NODES)
def test_a_promise_that_cannot_be_tried_is_named(
    promise: str, monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator
) -> None:
    def fail(*_: Any) -> Any:
        raise ArithmeticError("no luck")

    monkeypatch.setattr(promises, promise, fail)
    expected = tuple(f"{name}: raised ArithmeticError: no luck" for name in OF_NODES[promise])
    of_layers, of_nodes = (
        promise == "_params_alone_agree",
        promise in ("_needs_forward", "_computes_in_float64"),
    )
    assert check_gradients(*Affine.case(rng)).problems == expected
    assert check_gradients(*SoftmaxWithLoss.case(rng)).problems == (() if of_layers else expected)
    assert check_gradients(*stack(rng, Tanh())).problems == (() if of_nodes else expected)
