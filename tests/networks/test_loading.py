"""Loading parameters from a mapping."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from backends import Backend
from backprop import MultiLayerNet

from .small import mlp, net


def test_setting_the_parameters_is_loading_them(backend: Backend) -> None:
    network = net(backend)
    network.params = {name: np.full(tuple(value.shape), 0.5) for name, value in network.params.items()}
    assert set(backend.to_numpy(network.flat_params["flat"]).tolist()) == {0.5}
    network.params = network.params
    with pytest.raises(ValueError, match="W1: missing"):
        network.params = {}


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
