"""The book's networks: gradients, initial values, errors."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from backends import Backend, get_backend
from backprop import DeepConvNet, MultiLayerNet, ReLU, SimpleConvNet, TwoLayerNet, check_gradients
from backprop.networks.initializers import normal, standard_deviation
from backprop.networks.models.multi_layer_net import ACTIVATIONS

from .small import mlp, net


def test_same_seed_same_weights_everywhere(backend: Backend) -> None:
    ours, reference = net(backend), net(get_backend("cpu"))
    for name in reference.params:
        np.testing.assert_array_equal(backend.to_numpy(ours.params[name]), reference.params[name])


@pytest.mark.parametrize("size", [0, -1, 2.5, "5"])
def test_wrong_sizes(size: Any) -> None:
    with pytest.raises(ValueError, match=r"expected hidden_size of at least 1, got"):
        TwoLayerNet(4, size, 3)
    with pytest.raises(ValueError, match="expected dtype float32 or float64, got int64"):
        TwoLayerNet(4, 5, 3, dtype="int64")
    with pytest.raises(ValueError, match="expected a finite standard deviation of at least 0, got -1"):
        TwoLayerNet(4, 5, 3, weight_init_std=-1)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize(
    "options", [{}, {"weight_decay_lambda": 0.1}, {"use_batchnorm": True, "dropout_ratio": 0.2}]
)
def test_gradients_of_a_multi_layer_net(activation: str, options: dict[str, Any], backend: Backend) -> None:
    net = mlp(backend, activation=activation, **options)
    report = check_gradients(net, np.random.default_rng(3).standard_normal((7, 4)), np.arange(7) % 3)
    assert report.passed, f"\n{report}"


@pytest.mark.parametrize(
    "options", [{"weight_decay_lambda": 0.3}, {"use_batchnorm": True, "dropout_ratio": 0.4}]
)
def test_by_its_own_methods(options: dict[str, Any], backend: Backend) -> None:
    net = mlp(backend, activation="tanh", **options)
    x, t = (
        backend.asarray(np.random.default_rng(3).standard_normal((7, 4))),
        backend.asarray(np.arange(7) % 3),
    )
    state = {key: backend.to_numpy(value).copy() for key, value in net.state.items()}
    numerical = net.numerical_gradient(x, t, 1e-5)
    for key, value in state.items():
        np.testing.assert_array_equal(backend.to_numpy(net.state[key]), value)
    for name, analytic in net.gradient(x, t).items():
        np.testing.assert_allclose(backend.to_numpy(analytic), backend.to_numpy(numerical[name]), atol=1e-8)


def test_the_penalty(backend: Backend) -> None:
    plain, decayed = mlp(backend), mlp(backend, weight_decay_lambda=0.2)
    x, t = (
        backend.asarray(np.random.default_rng(3).standard_normal((7, 4))),
        backend.asarray(np.arange(7) % 3),
    )
    weights = sum((backend.to_numpy(plain.params[f"W{i}"]) ** 2).sum() for i in (1, 2, 3))
    difference = float(backend.to_numpy(decayed.loss(x, t))) - float(backend.to_numpy(plain.loss(x, t)))
    assert difference == pytest.approx(0.1 * weights)
    assert decayed.evaluate(x, t) == plain.evaluate(x, t)
    for dout in (1.0, 0.5):
        for network in (plain, decayed):
            network.last_layer.forward(network.forward(x, training=True), t, training=True)
            network.backward_params(dout)
        for i in (1, 2, 3):
            ours, theirs = (
                backend.to_numpy(network.layers[f"Affine{i}"].grads["W"]) for network in (decayed, plain)
            )
            expected = theirs + dout * 0.2 * backend.to_numpy(plain.params[f"W{i}"])
            np.testing.assert_allclose(ours, expected, atol=1e-12)


def test_layers_and_names() -> None:
    net = MultiLayerNet(4, [6, 5], 3, "sigmoid", "xavier", use_batchnorm=True, dropout_ratio=0.5, rng=0)
    assert list(net.layers) == [
        "Affine1", "BatchNorm1", "Sigmoid1", "Dropout1", "Affine2", "BatchNorm2", "Sigmoid2", "Dropout2", "Affine3",
    ]  # fmt: skip
    assert list(net.params)[:6] == ["W1", "b1", "gamma1", "beta1", "W2", "b2"]
    assert MultiLayerNet(4, [], 3, rng=0).size == 15
    assert len({net.layers[f"Dropout{i}"].seed for i in (1, 2)}) == 2


def test_initial_values() -> None:
    for init, inputs, expected in [
        ("he", 50, 0.2), ("relu", 50, 0.2), ("ReLU", 50, 0.2), ("xavier", 25, 0.2), ("sigmoid", 25, 0.2), (0.3, 9, 0.3),
    ]:  # fmt: skip
        assert standard_deviation(init, inputs) == pytest.approx(expected)
        net = MultiLayerNet(inputs, [4000], 2, weight_init_std=init, rng=0)
        assert net.params["W1"].std() == pytest.approx(expected, rel=0.02)
        assert abs(net.params["W1"].mean()) < 5 * expected / math.sqrt(4000 * inputs)
        assert not net.params["b1"].any()


@pytest.mark.parametrize("std", [-1.0, math.inf, math.nan])
def test_a_standard_deviation_is_finite(std: float) -> None:
    with pytest.raises(ValueError, match=f"normal: expected a finite standard deviation .*, got {std}"):
        normal((2, 3), std, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"activation": "rleu"}, "unknown activation 'rleu': expected one of gelu, .*; did you mean relu"),
        (
            {"weight_init_std": "hee"},
            "unknown initial values 'hee': expected a number or one of he, relu, .*he",
        ),
        ({"weight_init_std": math.nan}, "expected a finite standard deviation of at least 0, got nan"),
        ({"weight_decay_lambda": -1.0}, "expected a finite weight_decay of at least 0, got -1.0"),
        ({"dropout_ratio": 1.0}, "Dropout: expected a ratio from 0 to below 1, got 1.0"),
        ({"hidden_size_list": [3, 0]}, "MultiLayerNet: expected width 2 of at least 1, got 0"),
        ({"dtype": "float16"}, "MultiLayerNet: expected dtype float32 or float64, got float16"),
    ],
)
def test_bad_settings(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MultiLayerNet(**{"input_size": 4, "hidden_size_list": [3], "output_size": 2, "rng": 0, **options})


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MultiLayerNet(784, 100, 10), r"MultiLayerNet: expected hidden_size_list such as \[100, 100\], got 100"),
        (lambda: MultiLayerNet(4, [3], 2, ReLU), "MultiLayerNet: expected activation such as 'relu', got <class"),
        (lambda: SimpleConvNet((28, 28)), r"SimpleConvNet: expected input_dim such as \(1, 28, 28\), got \(28, 28\)"),
        (lambda: SimpleConvNet(conv_param=30), "SimpleConvNet: expected conv_param such as {'filter_num': 30}, got 30"),
        (lambda: DeepConvNet(784), r"DeepConvNet: expected input_dim such as \(1, 28, 28\), got 784"),
        (lambda: DeepConvNet(filters=16), r"DeepConvNet: expected filters such as \(16, 16\), got 16"),
        (lambda: DeepConvNet(pads=1), r"DeepConvNet: expected pads such as \(1, 1\), got 1"),
        (lambda: DeepConvNet((1, 1, 1), (4, 4, 4, 4), (1, 1, 1, 2)),
         r"images \(1, 1, 1\) leave nothing after 2 convolutions with pads \(1, 1, 1, 2\)"),
    ],
)  # fmt: skip
def test_arguments_of_another_kind(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_sizes_in_an_array() -> None:
    net = MultiLayerNet(4, np.asarray([3, 5]), 2, rng=0)
    assert list(net.params["W2"].shape) == [3, 5]
