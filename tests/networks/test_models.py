"""The book's networks, ready made: their shapes, gradients, initial values, and parameters by name."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backends import Backend
from backprop import DeepConvNet, MultiLayerNet, Network, ReLU, SimpleConvNet, check_gradients
from backprop.cli import main
from backprop.diagnosis.batch import inspect_batch
from backprop.layers.merged import shown_names
from backprop.networks.initializers import normal, standard_deviation
from backprop.networks.models import ACTIVATIONS
from backprop.report import record
from backprop.saving.config import describe
from backprop.saving.network import save_network


def mlp(backend: Backend, **options: Any) -> MultiLayerNet:
    rng = np.random.default_rng(2)
    options = {"weight_init_std": 0.7, "dtype": "float64", "rng": rng, "device": backend, **options}
    net = MultiLayerNet(4, [6, 5], 3, **options)
    for name, value in net.params.items():
        if name[0] in "bg":  # away from the kinks
            net.params[name] = backend.asarray(rng.uniform(0.5, 1.5, tuple(value.shape)))
    return net


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
        for net in (plain, decayed):
            net.last_layer.forward(net.forward(x, training=True), t, training=True)
            net.backward_params(dout)
        for i in (1, 2, 3):
            ours, theirs = (backend.to_numpy(net.layers[f"Affine{i}"].grads["W"]) for net in (decayed, plain))
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


def test_parameters_by_name(backend: Backend) -> None:
    net = mlp(backend, use_batchnorm=True, dtype="float32")
    rng = np.random.default_rng(5)
    values = {name: rng.standard_normal(tuple(value.shape)) for name, value in net.params.items()}
    as_given: dict[str, Any] = {**values, "b1": values["b1"].tolist(), "W1": backend.asarray(values["W1"])}
    net.load_params(as_given)
    for name, value in values.items():
        np.testing.assert_allclose(backend.to_numpy(net.params[name]), value, rtol=1e-6)
        assert net.params[name].dtype == backend.dtype("float32")
    x = backend.asarray(rng.standard_normal((5, 4)), dtype="float32")
    assert net.predict(x).shape == (5, 3)


def test_every_difference_is_listed_and_nothing_changed(backend: Backend) -> None:
    net = mlp(backend, use_batchnorm=True, dtype="float32")
    before = backend.to_numpy(net.flat_params["flat"]).copy()
    given: dict[str, Any] = {name: np.zeros(tuple(value.shape)) for name, value in net.params.items()}
    del given["b1"]
    given |= {
        "W2": np.zeros((6, 6)),
        "b3": np.zeros(3, int),
        "gamma7": np.zeros(3),
        "W3": np.zeros((5, 3), object),
        "beta1": [[1.0, 2.0], [3.0]],
        "b2": [np.ones((2, 3)), np.ones((2, 2))],
        "W1": np.full((4, 6), 1e39),
    }
    with pytest.raises(ValueError, match="these parameters do not fit MultiLayerNet") as caught:
        net.load_params(given)
    for difference in (
        "b1: missing", "gamma7: unknown", "W2: expected shape (6, 5), got (6, 6)",
        "b3: expected floating-point numbers, got int64", "W3: expected floating-point numbers, got object",
        "beta1: expected floating-point numbers, got object", "b2: expected floating-point numbers, got object",
        "W1: expected numbers that fit into float32, got 1e+39",
    ):  # fmt: skip
        assert difference in str(caught.value)
    np.testing.assert_array_equal(backend.to_numpy(net.flat_params["flat"]), before)


def test_parameters_that_are_no_mapping() -> None:
    with pytest.raises(TypeError, match="expected a mapping of names to parameters, got a list"):
        MultiLayerNet(4, [3], 2).load_params([np.ones((4, 3))])  # type: ignore[arg-type]


def test_parameters_that_are_infinite_stay_so() -> None:
    net = MultiLayerNet(1, [], 1)
    net.load_params({"W1": [[np.inf]], "b1": [np.nan]})
    assert net.params["W1"] == np.inf
    assert np.isnan(net.params["b1"])


def test_float16_inference(backend: Backend) -> None:
    net = mlp(backend, use_batchnorm=True, dtype="float32")
    x = np.random.default_rng(0).standard_normal((50, 4)).astype("float32")
    full = backend.to_numpy(net.predict(backend.asarray(x)))
    if not hasattr(backend.xp, "float16"):
        pytest.skip("the standard has no float16")
    half = net.to(dtype="float16")
    y = backend.to_numpy(half.predict(backend.asarray(x, dtype="float16")))
    assert y.dtype == np.float16
    np.testing.assert_allclose(y, full, atol=0.05, rtol=0.02)


@pytest.mark.parametrize("kind", [SimpleConvNet, DeepConvNet])
def test_what_is_merged_is_shown_as_the_layers_that_it_stands_for(
    kind: type[Network], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the terminal, the summary, `inspect` and the report; names of layers and parameters stay."""
    network, book = kind(rng=0), kind(rng=0, merged=False)  # type: ignore[call-arg]
    shown = list(network.layers.shown.values())
    assert [part for name in shown for part in re.split(" with | and ", name)] == list(book.layers)
    stack = " · ".join([*shown, "SoftmaxWithLoss"])
    assert repr(network).startswith(f"{kind.__name__}({stack}; ")
    assert [line for line in network.summary().splitlines() if " with " in line] != []
    x = np.zeros((2, *network.input_shape), "f")  # type: ignore[misc]
    outputs, gradients = inspect_batch(network, x, np.asarray([0, 1]))
    assert [output.name for output in outputs] == shown
    assert {gradient.layer for gradient in gradients} <= set(shown)
    assert [*record._layers(describe(network))] == shown
    save_network(tmp_path / "a.safetensors", network)
    assert main(["inspect", str(tmp_path / "a.safetensors")]) == 0
    assert stack in capsys.readouterr().out
    assert not any(" " in name for name in (*describe(network)["layers"], *network.params))


def test_names_of_one_s_own_promise_no_layers() -> None:
    kinds = dict.fromkeys(("stem", "Conv1", "Conv3", "ConvolutionReLUPooling1"), "ConvolutionReLUPooling")
    assert list(shown_names({**kinds, "Relu3": "ReLU"}).values()) == [
        "stem with ReLU and pooling",
        "Conv1 with Relu1 and Pool2",
        "Conv3 with ReLU and pooling",
        "ConvolutionReLUPooling1",
        "Relu3",
    ]
