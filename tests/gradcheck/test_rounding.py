"""What rounding does to a gradient."""

from __future__ import annotations

import numpy as np

from backends import Array, Backend, get_backend
from backprop import Affine, Network, Tanh
from backprop.gradcheck.check import subject_of
from backprop.gradcheck.rounding import rounding_changes

from .faults import stack


def stackable(rng: np.random.Generator) -> tuple[Network, list[np.ndarray]]:
    network, *inputs = stack(rng, Tanh())
    return network, inputs


def test_what_rounding_changes_of_a_gradient(backend: Backend, rng: np.random.Generator) -> None:
    """Of dy/dx = a no more than a rounds, of dy/da = Σ x as much as the largest sum does."""
    W, x = rng.uniform(1.0, 2.0, (3, 2)), rng.uniform(1.0, 2.0, (4, 3))
    subject = subject_of(Affine(W, np.zeros(2)), [x], backend, 0, "float64")
    changes = rounding_changes(subject, 1e-6)
    dout = subject.dout  # type: ignore[union-attr]
    of_x = np.abs(dout) @ np.abs(W).T
    assert 0.1e-6 * of_x.max() < changes["Affine", "x"] <= 1.001e-6 * of_x.max()
    of_W = np.abs(x).T @ np.abs(dout)
    assert 0.1e-6 * of_W.max() < changes["Affine", "W"] <= 1.001e-6 * of_W.max()
    assert changes["Affine", "b"] == 0.0
    assert rounding_changes(subject, 1e-6) == changes
    np.testing.assert_array_equal(backend.to_numpy(subject.get(("Affine", "W"))), W)
    np.testing.assert_array_equal(backend.to_numpy(subject.get(("Affine", "x"))), x)


def test_between_the_layers_of_a_network_all_is_rounded(rng: np.random.Generator) -> None:
    network, inputs = stackable(rng)
    subject = subject_of(network, inputs, get_backend("cpu"), 0, "float64")
    seen: list[tuple[int, ...]] = []

    def doubled(array: Array) -> Array:
        seen.append(array.shape)
        return array * 1.0

    exact, same = subject.gradients(), subject.gradients_with(doubled)
    assert seen == [(5, 3), (5, 3), (5, 2), (5, 2), (5, 3), (5, 3)]
    for slot, values in exact.items():
        np.testing.assert_array_equal(values, same[slot])
