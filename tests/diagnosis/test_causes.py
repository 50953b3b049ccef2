"""The likely causes of a network that learns nothing."""

from __future__ import annotations

import numpy as np
import pytest

from backends import Backend
from backprop import SGD, Adam, MultiLayerNet, Training
from backprop.schedules import Cosine

from .training import T, X, causes, learning_warnings, net


def test_shuffled_targets(backend: Backend) -> None:
    t = np.random.default_rng(1).permutation(T)
    found = causes(net(device=backend), t=t, optimizer=SGD(0.01))
    assert found == [
        "the training was short, or the learning rate, 0.01, is unsuitable",
        "the targets do not match the inputs, for example if only one of them was shuffled",
    ]


def test_learning_rate_too_small() -> None:
    first, *_ = causes(net(), optimizer=SGD(1e-9))
    assert "a step changes W1 by " in first
    assert "the learning rate may be too small" in first


def test_end_of_a_schedule_is_not_too_small() -> None:
    t = np.random.default_rng(1).permutation(T)
    found = causes(net(), t=t, optimizer=SGD(Cosine(0.01, 240)))
    assert not any("too small" in cause for cause in found)


def test_learning_rate_too_large() -> None:
    t = np.random.default_rng(1).permutation(T)
    network = MultiLayerNet(8, [20], 4, activation="tanh", rng=0)
    assert any(
        "the learning rate may be too large" in cause for cause in causes(network, t=t, optimizer=Adam(50.0))
    )
    network = net()
    network.params["b1"] = np.full(20, -100.0, "float32")
    assert causes(network, t=t, optimizer=SGD(0.1))[0].startswith("Relu1: 20 of 20 units (100%) are dead")


def test_inputs_out_of_scale() -> None:
    first, *_ = causes(net(std=0.01), X * 1e-4, optimizer=SGD(0.1))
    assert first.startswith("the inputs are small, with a root mean square of ")
    with pytest.warns(UserWarning, match="the inputs are large"):
        Training(net(), X * 1e4, T, epochs=1).started = True
    first, *_ = causes(net(), X * 1e4, optimizer=SGD(1e-12))
    assert first.startswith("the inputs are large, with a root mean square of ")
    uneven = X.copy()
    uneven[:, 7] *= 1e4
    shuffled = np.random.default_rng(1).permutation(T)
    assert any(
        "as large as the median one: standardize" in c
        for c in causes(net(1e-3), uneven / 1e4, shuffled, optimizer=SGD(1e-3))
    )


def test_identical_inputs() -> None:
    found = causes(net(), np.ones_like(X), optimizer=SGD(0.1))
    assert found[0] == "the inputs of all samples are the same"
    assert "from Affine1 on, the outputs are the same for every sample" in found


def test_dead_units() -> None:
    network = net()
    network.params["b1"] = np.full(20, -100.0, "float32")
    assert causes(network, optimizer=SGD(0.1))[0].startswith("Relu1: 20 of 20 units (100%) are dead")


def test_vanishing_gradients() -> None:
    network = MultiLayerNet(8, [20] * 6, 4, activation="sigmoid", weight_init_std=0.01, rng=0)
    (line,) = learning_warnings(network, optimizer=SGD(0.1))
    assert "almost no gradient" in line
