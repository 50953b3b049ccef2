"""An optimizer belongs to one network."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import numpy as np
import pytest

from backends import Backend, get_backend
from backprop import Adam, Momentum, Optimizer

from .cases import MAKERS, by_hand, data, in_fit, network

ANOTHER = "this optimizer has been used for another network; make a new one for every network"


@pytest.mark.parametrize("kind", MAKERS)
def test_an_optimizer_has_one_network(kind: type[Optimizer], backend: Backend) -> None:
    """Also where the other has the same shapes, whichever of fit and update it was, and the first is gone."""
    for first in (in_fit, lambda optimizer, net: by_hand(optimizer, net, 2)):
        optimizer = MAKERS[kind]()
        first(optimizer, network(backend))
        steps, other = optimizer.steps, network(backend)
        before = backend.to_numpy(other.flat_params["flat"]).copy()
        for use in (lambda: in_fit(optimizer, other), lambda: by_hand(optimizer, other, 1)):  # noqa: B023
            with pytest.raises(ValueError, match=f"^{kind.__name__}: {ANOTHER}$"):
                use()
        np.testing.assert_array_equal(backend.to_numpy(other.flat_params["flat"]), before)
        assert optimizer.steps == steps


def test_a_copy_of_a_network_is_another_one() -> None:
    net, optimizer = network(), Adam()
    in_fit(optimizer, net)
    for other in (deepcopy(net), net.to(dtype="float64")):
        with pytest.raises(ValueError, match=ANOTHER):
            in_fit(optimizer, other)
    in_fit(optimizer, net)


@pytest.mark.parametrize("kind", MAKERS)
def test_a_copy_of_an_optimizer_goes_on(kind: type[Optimizer], backend: Backend) -> None:
    """With a network of its own, as if nothing had happened."""
    copies: list[Callable[[Optimizer], Optimizer]] = [deepcopy, lambda o: pickle.loads(pickle.dumps(o))]
    for copied in copies:
        net, optimizer = network(backend), MAKERS[kind]()
        in_fit(optimizer, net)
        other, clone = deepcopy(net), copied(optimizer)
        assert type(clone.slots) is dict
        for use in (in_fit, lambda o, n: by_hand(o, n, 2)):
            use(optimizer, net)
            use(clone, other)
        assert clone.steps == optimizer.steps
        flat = [backend.to_numpy(n.flat_params["flat"]) for n in (net, other)]
        np.testing.assert_array_equal(*flat)


@pytest.mark.parametrize(
    ("other", "difference"),
    [
        (np.ones(4), r"shape \(3,\), not \(4,\)"),
        (np.ones(3, "float32"), "dtype float64, not float32"),
        (get_backend("strict").asarray(np.ones(3)), r"device numpy \(cpu\), not strict \(device1\)"),
    ],
)
def test_an_optimizer_of_another_network_is_refused(other: Any, difference: str) -> None:
    optimizer = Adam()
    optimizer.update({"W": np.ones(3)}, {"W": np.ones(3)})
    with pytest.raises(
        ValueError, match=rf"Adam: .* used for other parameters, with W of {difference}; make a new one for"
    ):
        optimizer.update({"W": other}, {"W": other})


def test_plain_dicts_after_fit_are_refused() -> None:
    net, optimizer = network(), Momentum()
    in_fit(optimizer, net)
    with pytest.raises(ValueError, match="has been used in fit, for a whole network; give network.params"):
        optimizer.update(dict(net.params), net.gradient(*data(net)))


def test_fit_after_other_parameters_is_refused() -> None:
    optimizer = Momentum()
    optimizer.update({"V": np.ones(2)}, {"V": np.ones(2)})
    with pytest.raises(ValueError, match=r"used for other parameters, v\.V; make a new one"):
        in_fit(optimizer, network())
    optimizer = Momentum()
    optimizer.update({"W1": np.ones(2)}, {"W1": np.ones(2)})
    with pytest.raises(ValueError, match=r"with v\.W1 of shape \(2,\), not \(4, 8\)"):
        in_fit(optimizer, network())
