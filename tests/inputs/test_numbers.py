"""Inputs must be real, finite numbers."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from backends import Backend, get_backend
from backprop import (
    Training,
    TwoLayerNet,
    fit,
)

pytestmark = pytest.mark.filterwarnings("ignore:.*float64 input is converted")


RNG = np.random.default_rng(0)
T = np.arange(90) % 3


def test_the_first_gap_is_named() -> None:
    get_backend("cpu")
    x = np.zeros((2500, 2, 3), "float32")
    x[2100, 1, 2] = -np.inf
    with pytest.raises(
        ValueError, match=r"x: -inf in row 2100, at \[1, 2\] \(counted from 0\): expected finite"
    ):
        Training(TwoLayerNet(6, 4, 3), x, np.arange(2500) % 3, epochs=1)


def small(device: Any = "cpu") -> TwoLayerNet:
    return TwoLayerNet(2, 4, 3, weight_init_std=1.0, device=device, rng=0)


def test_objects_and_texts_that_are_numbers_are_numbers() -> None:
    x = RNG.random((90, 2)).astype("float32")
    for other in (x.astype(object), x.astype("U20"), x.astype(">f4")):
        network, expected = small(), small()
        fit(network, other, T, epochs=1, batch_size=10, rng=0)
        fit(expected, x.astype("float64"), T, epochs=1, batch_size=10, rng=0)
        np.testing.assert_allclose(network.flat_params["flat"], expected.flat_params["flat"], rtol=1e-5)
        np.testing.assert_allclose(network.predict(other), expected.predict(x), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("value", ["a", np.datetime64("2026-01-01"), [1.0]])
def test_what_is_no_number_is_named(value: Any) -> None:
    x = RNG.random((90, 2)).astype(object)
    x[7, 1] = value
    for use in (lambda: Training(small(), x, T, epochs=1, batch_size=10), lambda: small().predict(x)):
        with pytest.raises(TypeError, match=r"expected numbers, got .* at \[7, 1\]; leave such columns out"):
            use()
    x[7, 1] = None
    with pytest.raises(ValueError, match="x: nan in row 7, column 1"):
        Training(small(), x, T, epochs=1, batch_size=10)
    days = np.full((3, 2), np.datetime64("2026-01-01"))
    with pytest.raises(
        TypeError, match=r"the input: expected real numbers, got datetime64.*array - array\.min\(\)"
    ):
        small().predict(days)


def test_tables_of_others_are_told_how_to_become_arrays() -> None:
    sparse, table = SimpleNamespace(toarray=0, shape=(3, 2)), SimpleNamespace(to_numpy=0, shape=(3, 2))
    for other, cure in ((sparse, r"give x\.toarray\(\)"), (table, r"give x\.to_numpy\(\)")):
        with pytest.raises(TypeError, match=cure):
            small().predict(other)


@pytest.mark.only("torch")
def test_tensors_that_require_grad_are_inputs(backend: Backend) -> None:
    x = backend.asarray(RNG.random((90, 2)), dtype="float32")
    network, expected = small(backend), small(backend)
    fit(network, x.clone().requires_grad_(), T, epochs=1, batch_size=10, rng=0)
    fit(expected, x, T, epochs=1, batch_size=10, rng=0)
    assert bool((network.predict(x.clone().requires_grad_()) == expected.predict(x)).all())
    assert not network.predict(x.clone().requires_grad_()).requires_grad
