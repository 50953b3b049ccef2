"""Slots keep their place, by name and for the flat vector."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from backends import Backend
from backends.numpy.fusion import BLOCK
from backprop import AdaGrad, Adam, Momentum, Optimizer

from .cases import MAKERS, by_hand, data, in_fit, network, trained


def test_slots_are_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    optimizer, params = Adam(), {"W": np.ones(3)}
    assert optimizer.slots == {}
    optimizer.prepare(params)
    assert list(optimizer.slots) == ["m.W", "v.W"]
    monkeypatch.setattr(Adam, "init", None)
    optimizer.prepare(params)


def test_parameters_that_come_later_get_slots_and_the_others_keep_theirs(backend: Backend) -> None:
    optimizer, params = Momentum(0.5), {"W": backend.asarray([1.0])}
    g = backend.asarray([1.0])
    optimizer.update(params, {"W": g})
    params["b"] = backend.asarray([1.0])
    optimizer.update(params, {"W": g, "b": g})
    found = {name: float(slot[0]) for name, slot in optimizer.slots.items()}
    assert found == {"v.W": pytest.approx(-0.95), "v.b": -0.5}


class Warm(AdaGrad):
    """AdaGrad that begins with h = 1."""

    def init(self, params: Any) -> Any:
        return {name: slot + 1.0 for name, slot in super().init(params).items()}


def test_an_init_of_one_s_own_is_used_by_update_and_fit(backend: Backend) -> None:
    params = {"W": backend.asarray([1.0])}
    Warm(0.5, epsilon=1e-30).update(params, {"W": backend.asarray([1.0])})
    assert float(params["W"][0]) == pytest.approx(1.0 - 0.5 / 2.0**0.5)
    for first in (lambda *_: None, lambda *its: by_hand(*its, 0)):
        optimizer, net = Warm(0.0), network(backend)
        first(optimizer, net)
        in_fit(optimizer, net)
        assert (backend.to_numpy(optimizer.slots["h.flat"]) >= 1.0).all()


def test_assigned_slots_are_copied() -> None:
    """Two optimizers do not share arrays."""
    one, other = Momentum(), Momentum()
    one.update({"W": np.ones(2)}, {"W": np.ones(2)})
    other.slots = one.slots
    other.update({"W": np.ones(2)}, {"W": np.ones(2)})
    assert one.slots["v.W"].tolist() != other.slots["v.W"].tolist()


@pytest.mark.parametrize("order", ["fit, then by hand", "by hand, then fit"])
@pytest.mark.parametrize("kind", MAKERS)
def test_fit_and_update_by_hand_are_one_run(kind: type[Optimizer], order: str, backend: Backend) -> None:
    """What is kept goes over from the whole vector to the named arrays and back."""
    one, other = network(backend), network(backend)
    mixed, alone = MAKERS[kind](), MAKERS[kind]()
    if order.startswith("by hand"):
        by_hand(mixed, one, 3)
    in_fit(mixed, one)
    by_hand(mixed, one, 3)
    in_fit(mixed, one)
    if order.startswith("by hand"):
        by_hand(alone, other, 3)
    for part in ("fit", "hand", "fit"):
        if part == "hand":
            by_hand(alone, other, 3)
            continue
        generator, (x, t) = np.random.default_rng(0), data(other)
        x, t = backend.to_numpy(x), backend.to_numpy(t)
        for _ in range(2):
            rows = generator.permutation(30)
            for i in range(0, 30, 10):
                batch = (backend.asarray(values[rows[i : i + 10]]) for values in (x, t))
                alone.update(other.params, other.gradient(*batch))
    found, expected = (backend.to_numpy(net.flat_params["flat"]) for net in (one, other))
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)
    assert mixed.steps == alone.steps


class Functional(Momentum):
    """Momentum as a textbook writes it: new arrays."""

    @staticmethod
    def rule(p: Any, v: Any, g: Any, lr: Any, momentum: Any) -> Any:
        v = momentum * v - lr * g
        return p + v, v


class Swapped(Optimizer):
    """Results that are one another's places."""

    slot_names = ("v",)

    @staticmethod
    def rule(p: Any, v: Any, g: Any, lr: Any) -> Any:
        return v, p


@pytest.mark.parametrize("capture", [True, False])
def test_a_rule_that_returns_new_arrays_in_fit(capture: bool, backend: Backend) -> None:
    found, expected = (trained(kind(0.1, 0.8), backend, capture, (2, 1)) for kind in (Functional, Momentum))
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("n", [3, BLOCK, 2 * BLOCK + 5])
def test_a_rule_that_returns_new_arrays(n: int, backend: Backend, rng: np.random.Generator) -> None:
    start, gradient = rng.standard_normal(n), rng.standard_normal(n)
    found = []
    for kind in (Functional, Momentum):
        params, optimizer = {"W": backend.asarray(start.copy())}, kind(0.1, 0.8)
        optimizer.prepare(params)
        kept = optimizer.slots["v.W"]
        for _ in range(3):
            optimizer.update(params, {"W": backend.asarray(gradient)})
        assert (optimizer.slots["v.W"] is kept) or not backend.has_views
        found.append([backend.to_numpy(array) for array in (params["W"], optimizer.slots["v.W"])])
    for ours, expected in zip(*found, strict=True):
        np.testing.assert_allclose(ours, expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("n", [3, 2 * BLOCK + 5])
def test_a_rule_that_swaps(n: int, backend: Backend) -> None:
    params, optimizer = {"W": backend.asarray(np.ones(n))}, Swapped()
    for expected in (0.0, 1.0, 0.0):
        optimizer.update(params, {"W": backend.asarray(np.ones(n))})
        assert set(backend.to_numpy(params["W"]).tolist()) == {expected}
        assert set(backend.to_numpy(optimizer.slots["v.W"]).tolist()) == {1.0 - expected}


def test_what_is_kept_keeps_its_place(backend: Backend) -> None:
    net, optimizer = network(backend), Adam()
    in_fit(optimizer, net)
    places = dict(optimizer.slots)
    optimizer.slots["m.flat"] = backend.xp.ones_like(places["m.flat"])
    optimizer.slots["v.flat"] = 2.0
    stay = not backend.replays_mappings  # where arrays cannot change, others take their place

    def values(key: str) -> set[float]:
        assert not stay or optimizer.slots[key] is places[key]
        return set(backend.to_numpy(optimizer.slots[key]).tolist())

    assert (values("m.flat"), values("v.flat")) == ({1.0}, {2.0})
    optimizer.slots = {"m.flat": backend.xp.full_like(places["m.flat"], 3.0)}
    assert (values("m.flat"), values("v.flat")) == ({3.0}, {0.0})
    with pytest.raises(KeyError, match=r"no array 'm\.W1' here: there are m\.flat, v\.flat"):
        optimizer.slots = {"m.W1": places["m.flat"]}


def test_slots_set_between_fits_are_used(backend: Backend) -> None:
    """A reset is a new optimizer, but for its count."""
    found = []
    for reset in (True, False):
        net, optimizer = network(backend), Momentum(0.1)
        in_fit(optimizer, net)
        if reset:
            optimizer.slots = {}
        else:
            optimizer = Momentum(0.1)
        in_fit(optimizer, net)
        found.append(backend.to_numpy(net.flat_params["flat"]))
    np.testing.assert_array_equal(*found)
