"""The state of a step as a value: copied, restored, swapped into a network."""

from __future__ import annotations

import numpy as np
import pytest

from backends import Backend, get_backend
from backends.numpy.backend import NumpyBackend
from backprop import Adam, MultiLayerNet, Network
from backprop.training.state import TrainState

X = np.linspace(-1.0, 1.0, 12).reshape(3, 4)
T = np.asarray([0, 1, 1])


def made(backend: Backend) -> tuple[Network, Adam]:
    network = MultiLayerNet(4, [5], 2, use_batchnorm=True, dtype="float64", device=backend, rng=0)
    optimizer = Adam()
    optimizer.prepare(network.flat_params)
    return network, optimizer


def gradients(network: Network, backend: Backend) -> None:
    network.gradient(backend.asarray(X), backend.asarray(T))


def on_host(state: TrainState, backend: Backend) -> list[dict[str, np.ndarray]]:
    return [{key: np.array(backend.to_numpy(array)) for key, array in arrays.items()} for arrays in state]


def same(one: list[dict[str, np.ndarray]], other: list[dict[str, np.ndarray]]) -> bool:
    return [list(arrays) for arrays in one] == [list(arrays) for arrays in other] and all(
        np.array_equal(arrays[key], its[key])
        for arrays, its in zip(one, other, strict=True)
        for key in arrays
    )


def test_the_state_has_everything_a_step_changes(backend: Backend) -> None:
    network, optimizer = made(backend)
    gradients(network, backend)
    params, layers, slots, grads, _ = TrainState.of(network, optimizer)
    assert (list(params), list(grads)) == (["flat"], ["flat"])
    assert sorted(layers) == sorted(network.state)
    assert sorted(slots) == ["m.flat", "v.flat"]


def test_a_copy_is_independent_and_can_be_restored(backend: Backend) -> None:
    network, optimizer = made(backend)
    gradients(network, backend)
    state = TrainState.of(network, optimizer)
    saved, before = state.copy(), on_host(state, backend)
    for arrays in state:
        for key in arrays:
            arrays[key] = arrays[key] * 2.0 + 1.0
    assert same(on_host(saved, backend), before)
    assert not same(on_host(state, backend), before)
    changed = on_host(state, backend)
    assert all(not np.array_equal(before[i][key], changed[i][key]) for i in range(4) for key in before[i])
    state.restore(saved)
    assert same(on_host(TrainState.of(network, optimizer), backend), before)


def test_layers_use_and_change_a_swapped_state(backend: Backend) -> None:
    network, optimizer = made(backend)
    own = TrainState.of(network, optimizer)
    before, other = on_host(own, backend), own.copy()
    other.params["flat"] *= 0.0
    with other.swapped_into(network):
        y = network.forward(backend.asarray(X), training=True)
        network.last_layer.forward(y, network.as_target(backend.asarray(T), 3, (2,)), training=True)
        network.backward_params()
    assert not backend.to_numpy(y).any()
    assert same(on_host(own, backend), before)
    assert backend.to_numpy(other.grads["flat"]).any()
    assert not np.array_equal(backend.to_numpy(other.layers["running_var1"]), before[1]["running_var1"])


def test_without_views_there_are_no_gradients_before_the_first_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(NumpyBackend, "has_views", False)
    backend = get_backend("cpu")
    network, optimizer = made(backend)
    state = TrainState.of(network, optimizer)
    saved = state.copy()
    assert (list(saved.params), list(saved.grads)) == (["flat"], [])
    before = on_host(state, backend)
    gradients(network, backend)
    assert list(state.grads) == ["flat"]
    state.params["flat"] = state.params["flat"] + 1.0
    state.restore(saved)
    assert same(on_host(state, backend)[:1], before[:1])
