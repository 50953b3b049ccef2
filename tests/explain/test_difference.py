"""The numerical derivative, in float64, agrees with backpropagation, for every entry that is shown."""

from __future__ import annotations

import gc
import math
from decimal import Decimal

import numpy as np
import pytest

from backprop import Affine, Network, ReLU
from backprop.explain.difference import Difference, Float64

from .small import NETWORKS, blocks, multi_layer, regression, two_layer


@pytest.mark.parametrize("name", NETWORKS)
def test_both_derivatives_agree(name: str) -> None:
    precise = Float64(*NETWORKS[name]())
    for node in precise.trace.nodes():
        key = next(iter(node.grads), "x")  # W, since a bias of 0 puts blank pixels at the kink
        gradient = node.grads[key] if key in node.grads else node.dinputs[0]
        assert gradient is not None
        entry = np.unravel_index(int(np.abs(gradient).argmax()), gradient.shape)
        found = precise.difference(node.name, key, tuple(map(int, entry)))
        assert found.agrees, (node.name, found)
        assert found.analytic == gradient[entry]


@pytest.mark.parametrize("name", ["TwoLayerNet", "regression", "questions"])
def test_the_derivatives_for_every_kind_of_entry_agree(name: str) -> None:
    precise = Float64(*NETWORKS[name]())
    for node in precise.trace.nodes():
        for key in ("x", *node.grads):
            values = node.params[key] if key in node.params else node.inputs[0]
            for entry in ((0,) * values.ndim, tuple(n - 1 for n in values.shape)):
                assert precise.difference(node.name, key, entry).agrees


def test_a_gradient_that_is_0_agrees_to_rounding() -> None:
    network, x, t = blocks()
    found = Float64(network, x, t).difference("Residual1.Affine1", "b", (0,))  # before batch normalization
    assert abs(found.analytic) < 1e-15
    assert found.agrees


def test_it_is_the_loss_at_two_points() -> None:
    network, x, t = regression()
    found = Float64(network, x, t).difference("Affine2", "W", (1, 0))
    W = network.params["W2"]
    values = []
    for step in (found.h, -found.h):
        W[1, 0] += step
        values.append(float(network.loss(x, t)))
        W[1, 0] -= step
    assert [found.above, found.below] == pytest.approx(values, rel=1e-15)
    assert (found.name, found.value, found.h) == ("W[1,0]", W[1, 0], 1e-4)
    assert found.numerical == pytest.approx((found.above - found.below) / 2e-4, rel=1e-10)


def test_weight_decay_is_part_of_the_loss() -> None:
    network, x, t = multi_layer()
    assert network.weight_decay == 0.1
    found = Float64(network, x, t).difference("Affine1", "W", (0, 0))
    assert found.agrees
    assert found.analytic == pytest.approx(0.1 * float(network.params["W1"][0, 0]), rel=1e-6)  # x is 0 there


def test_dropout_draws_the_masks_of_the_network_s_own_trace() -> None:
    network, x, t = blocks()
    gradients = network.gradient(x, t)  # counts the masks on
    found = Float64(network, x, t).difference("Residual1.Affine1", "W", (0, 1))
    assert found.analytic == pytest.approx(gradients["Residual1.Affine1.W"][0, 1], rel=1e-12)
    assert found.agrees


def test_the_network_is_not_changed() -> None:
    network, x, t = blocks()
    before = {key: np.array(value) for key, value in {**network.params, **network.state}.items()}
    Float64(network, x, t).difference("Affine1", "W", (0, 0))
    for key, value in {**network.params, **network.state}.items():
        np.testing.assert_array_equal(value, before[key])


def kinked(distance: float) -> tuple[Network, np.ndarray, np.ndarray]:
    """A ReLU whose input is this far above its kink."""
    one = np.ones((1, 1))
    network = Network(
        [Affine(one, np.asarray([distance - 1.0])), ReLU(), Affine(np.asarray([[1.0, -1.0]]), np.zeros(2))]
    )
    return network, one, np.asarray([1])


def test_near_a_kink_a_smaller_h_is_taken() -> None:
    found = Float64(*kinked(2e-7)).difference("Affine1", "b", (0,))
    assert found.h == 1e-7
    assert found.agrees


def test_at_a_kink_they_do_not_agree() -> None:
    found = Float64(*kinked(1e-9)).difference("Affine1", "b", (0,))
    assert not found.agrees
    assert found.error == pytest.approx(0.5, abs=0.01)


def test_a_wrong_gradient_is_told() -> None:
    class Wrong(ReLU):
        def backward(self, dout: np.ndarray) -> np.ndarray:
            return 1.001 * super().backward(dout)

    rng = np.random.default_rng(0)
    network = Network(
        [Affine(rng.random((2, 3)), np.ones(3)), Wrong(), Affine(rng.random((3, 2)), np.ones(2))]
    )
    found = Float64(network, np.ones((1, 2)), np.asarray([1])).difference("Affine1", "W", (0, 0))
    assert not found.agrees
    assert found.error == pytest.approx(1e-3, rel=0.01)


def test_large_numbers_take_large_steps() -> None:
    network, x, t = regression()
    for size, h in ((1e4, 1e-4), (1e5, 1e-3), (2e5, 1e-2), (1e6, 1e-2), (3e9, 1e2)):
        x[0, 0] = -size
        found = Float64(network, x, t).difference("Affine1", "x", (0, 0))
        assert h in (found.h, 10 * found.h, 100 * found.h, 1000 * found.h)
        assert found.h == float(f"{found.h:g}")  # as it is written


@pytest.mark.parametrize("name", NETWORKS)
def test_the_written_digits_are_the_calculation(name: str) -> None:
    """Subtract and divide what is written by hand: every digit is there."""
    precise = Float64(*NETWORKS[name]())
    for node in precise.trace.nodes():
        for key in ("x", *node.grads):
            values = node.params[key] if key in node.params else node.inputs[0]
            d = precise.difference(node.name, key, tuple(n // 2 for n in values.shape))
            above, below, h = (Decimal(repr(number)) for number in (d.above, d.below, d.h))
            assert d.change == above - below
            assert d.quotient * 2 * h == d.change
            assert float(d.change) == pytest.approx(d.above - d.below, abs=1e-15)


def affines() -> set[int]:
    """The ids of all Affine layers in memory; others than ours may go while a test runs."""
    return {id(one) for one in gc.get_objects() if type(one) is Affine}


def test_no_copy_of_the_network_stays_in_memory() -> None:
    network, x, t = two_layer()
    precise = Float64(network, x, t)
    gc.collect()
    gc.disable()
    try:
        before = affines()
        precise.difference("Affine1", "W", (0, 0))
        precise.difference("Relu1", "x", (0, 0))
        assert affines() <= before
    finally:
        gc.enable()


def test_what_is_not_finite_has_no_error() -> None:
    network, x, t = regression()
    network.params["W1"][0, 0] = math.nan
    found = Float64(network, x, t).difference("Affine1", "W", (0, 0))
    assert math.isnan(found.error)
    assert not found.agrees


@pytest.mark.parametrize(
    ("analytic", "above", "error"), [(2.0, 4e-4, 0.0), (1.0, 4e-4, 0.5), (0.0, 0.0, 0.0)]
)
def test_error_is_relative_to_the_larger(analytic: float, above: float, error: float) -> None:
    assert Difference("w", 1.0, 1e-4, above, 0.0, analytic).error == pytest.approx(error)


class BookDropout:
    """As in the book: masks from NumPy's global generator."""

    def forward(self, x: np.ndarray, train_flg: bool = True) -> np.ndarray:
        if not train_flg:
            return x * 0.5
        self.mask = np.random.rand(*x.shape) > 0.5
        return x * self.mask

    def backward(self, dout: np.ndarray) -> np.ndarray:
        return dout * self.mask


def test_masks_from_numpy_s_generator_are_the_same_in_every_run() -> None:
    rng = np.random.default_rng(0)
    W = rng.standard_normal((3, 40)), rng.standard_normal((40, 2))
    network = Network([Affine(W[0], np.zeros(40)), BookDropout(), Affine(W[1], np.zeros(2))])
    x, t = rng.standard_normal((5, 3)), np.asarray([0, 1, 1, 0, 1])
    np.random.seed(0)
    gradients = network.gradient(x, t)
    precise = Float64(network, x, t)
    for entry in ((0, 0), (2, 39)):
        found = precise.difference("Affine1", "W", entry)
        assert found.agrees
        assert found.analytic == pytest.approx(gradients["W1"][entry], rel=1e-12)


class Shifted(ReLU):
    """A layer whose parameter has the name of its input."""

    def __init__(self, x: np.ndarray) -> None:
        super().__init__()
        self.params["x"] = x

    def forward(self, x: np.ndarray, *, training: bool = False) -> np.ndarray:
        self.saved = x if training else None
        return x + self.params["x"]

    def backward(self, dout: np.ndarray) -> np.ndarray:
        self.grads["x"] = dout.sum(axis=0)
        return dout.copy()


def test_a_parameter_may_be_called_x() -> None:
    network, x, t = Network([Shifted(np.asarray([1.0, 2.0]))]), np.ones((3, 2)), np.asarray([0, 1, 1])
    found = Float64(network, x, t).difference("Shifted1", "x", (1,))
    assert (found.value, found.agrees) == (2.0, True)
