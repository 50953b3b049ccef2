"""Parameters by name, the flat vector, and the state of the layers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from backends import Array, Backend, InPlaceDict, get_backend, namespace_of
from backends.numpy.backend import NumpyBackend
from backprop import SGD, Affine, Network, Training, check_gradients
from backprop.layers import Layer
from backprop.optimizers import Adam

from .small import data, net
from .stateful import stateful


def test_a_recorded_step_carries_the_state(backend: Backend, rng: np.random.Generator) -> None:
    x, t = rng.standard_normal((90, 4)).astype("float32"), rng.integers(0, 3, 90)
    found = []
    for capture in (True, False):
        net = stateful(backend)
        for _ in Training(net, x, t, optimizer=Adam(), epochs=4, batch_size=20, rng=0, capture=capture):
            pass
        state = {key: backend.to_numpy(value) for key, value in net.state.items()}
        assert state["drawn1"] == state["Residual1.Dropout1.drawn"] == 20
        found.append({**state, "flat": backend.to_numpy(net.flat_params["flat"])})
    for key, value in found[0].items():
        np.testing.assert_allclose(value, found[1][key], rtol=1e-5 if backend.name != "numpy" else 0)


def test_names_of_a_network_s_state() -> None:
    net = stateful("cpu")
    assert list(net.state) == [
        "running_mean1", "running_var1", "running_weight1", "drawn1",
        "Residual1.BatchNormalization1.running_mean", "Residual1.BatchNormalization1.running_var",
        "Residual1.BatchNormalization1.running_weight", "Residual1.Dropout1.drawn",
    ]  # fmt: skip
    assert "Residual1.Affine1.W" in net.params
    with pytest.raises(TypeError, match="cannot be deleted"):
        del net.state["drawn1"]


def test_params_are_live(backend: Backend) -> None:
    network, (x, t) = net(backend), data(backend)
    before = float(backend.to_numpy(network.loss(x, t)))
    for name, grad in network.gradient(x, t).items():
        network.params[name] -= 0.1 * grad
    assert float(backend.to_numpy(network.loss(x, t))) < before
    network.params["W2"] = backend.asarray(np.zeros((5, 3)))  # float64 is converted
    network.params["b2"] = backend.asarray([0.0, 0.0, 5.0], dtype="float32")
    assert network.params["W2"].dtype == backend.dtype("float32")
    assert backend.to_numpy(network.predict(x)).tolist() == [[0.0, 0.0, 5.0]] * 6
    assert backend.to_numpy(network.flat_params["flat"])[-3:].tolist() == [0.0, 0.0, 5.0]


def test_wrong_parameters(backend: Backend) -> None:
    network = net(backend)
    with pytest.raises(ValueError, match=r"W1: expected an array of shape \(4, 5\), got \(5, 4\)"):
        network.params["W1"] = backend.asarray(np.zeros((5, 4)))
    with pytest.raises(KeyError, match="no parameter 'W3': this network has W1, b1, W2, b2"):
        network.params["W3"] = network.params["W1"]
    with pytest.raises(TypeError, match="cannot be deleted"):
        del network.params["W1"]
    other = get_backend("strict" if backend.name == "numpy" else "numpy")
    with pytest.raises(TypeError, match=r"W1: expected an array of .*; convert it with backend\.asarray"):
        network.params["W1"] = other.asarray(np.zeros((4, 5)))
    with pytest.raises(ValueError, match=r"W: expected shape \(4, 5\), got \(1, 1\)"):
        network.layers["Affine1"].params["W"] = backend.asarray([[1.0]])
    with pytest.raises(TypeError, match="flat vector cannot be deleted"):
        del network.flat_params["flat"]
    assert len(network.params) == 4
    assert "W1=(4, 5)" in repr(network.params)


def test_flat_vector_is_all_parameters(backend: Backend) -> None:
    network, (x, t) = net(backend), data(backend)
    grads = network.gradient(x, t)
    flat = np.concatenate([backend.to_numpy(g).reshape(-1) for g in grads.values()])
    np.testing.assert_array_equal(backend.to_numpy(network.flat_grads["flat"]), flat)
    expected = {
        name: backend.to_numpy(p) - 0.5 * backend.to_numpy(grads[name]) for name, p in network.params.items()
    }
    SGD(0.5).update(network.flat_params, network.flat_grads)
    for name, values in expected.items():
        np.testing.assert_allclose(backend.to_numpy(network.params[name]), values, rtol=1e-6)


def test_gradients_are_arrays_of_their_own(backend: Backend) -> None:
    network, (x, t) = net(backend), data(backend)
    first = network.gradient(x, t)
    kept = {name: backend.to_numpy(g).copy() for name, g in first.items()}
    network.gradient(x[0:1, ...] * 3.0, t[0:1])
    for name, values in kept.items():
        np.testing.assert_array_equal(backend.to_numpy(first[name]), values)


def test_library_without_views_trains_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    x, t = data(get_backend("cpu"), 20)
    flat = []
    for has_views in (True, False):
        monkeypatch.setattr(NumpyBackend, "has_views", has_views)
        network = net(get_backend("cpu"))
        assert isinstance(network.layers["Affine1"].params, InPlaceDict) is has_views
        list(Training(network, x, t, epochs=3, batch_size=5, rng=0))
        report = check_gradients(network, x.astype(float), t)
        assert report.passed, f"\n{report}"
        flat.append(network.flat_params["flat"].copy())
    np.testing.assert_array_equal(*flat)


class Scale(Layer):
    """A layer that sets all its gradients at once."""

    def forward(self, x: Array, *, training: bool = False) -> Array:
        self.saved = x if training else None
        return x * self.params["a"]

    def backward(self, dout: Array) -> Array:
        self.grads = {"a": namespace_of(dout).sum(dout * self.saved, axis=0)}
        return dout * self.params["a"]


def test_layer_that_replaces_its_dicts_stays_in_the_network(backend: Backend) -> None:
    x, t = data(backend)
    network = Network([Scale(a=backend.asarray(np.ones(4), dtype="float32"))])
    grads = network.gradient(x, t)
    assert np.abs(backend.to_numpy(grads["a1"])).max() > 0.0
    SGD(0.5).update(network.flat_params, network.flat_grads)
    assert np.abs(backend.to_numpy(network.params["a1"]) - 1.0).max() > 0.0
    layer = network.layers["Scale1"]
    layer.params.update(a=backend.asarray(np.full(4, 3.0), dtype="float32"))
    assert backend.to_numpy(network.flat_params["flat"]).tolist() == [3.0] * 4
    layer.params |= {"a": backend.asarray(np.full(4, 4.0), dtype="float32")}
    layer.params = {"a": layer.params["a"] + 1.0}
    assert backend.to_numpy(network.flat_params["flat"]).tolist() == [5.0] * 4
    with pytest.raises(KeyError, match="no array 'b' here: there are a"):
        layer.params["b"] = layer.params["a"]
    for delete in (layer.params.clear, lambda: layer.params.pop("a"), lambda: layer.params.__delitem__("a")):
        with pytest.raises(TypeError, match="cannot be deleted"):
            delete()


def test_names_of_parameters() -> None:
    class PReLU(Layer):
        pass

    class Norm(Layer):
        pass

    ones = np.ones(1)

    def affine() -> Affine:
        return Affine(np.ones((1, 1)), np.ones(1))

    stack = [affine(), Norm(gamma=ones, beta=ones), PReLU(a=ones), PReLU(a=ones), affine()]
    names = ["W1", "b1", "gamma1", "beta1", "a1", "PReLU2.a", "W2", "b2"]
    assert list(Network(stack).params) == names


def test_what_takes_the_place_of_a_parameter_is_one(backend: Backend) -> None:
    network = net(backend)
    layer = network.layers["Affine1"]
    before = backend.to_numpy(layer.W).copy()

    def set_attribute(value: Any) -> None:
        layer.W = value

    def set_item(value: Any) -> None:
        network.params["W1"] = value

    xp = backend.xp
    large = backend.asarray(np.full((4, 5), 1e300))
    for put in (set_attribute, set_item):
        with pytest.raises(ValueError, match=r"expected numbers that fit into float32, got 1e\+300"):
            put(large)
        with pytest.raises(TypeError, match="expected numbers of a dtype such as float32, got complex64"):
            put(xp.astype(layer.W, xp.complex64))
        with pytest.raises(TypeError, match="expected numbers of a dtype such as float32, got int64"):
            put(xp.ones((4, 5), dtype=xp.int64))
        with pytest.raises(TypeError, match="MaskedArray|expected an array of"):
            put(np.ma.masked_array(np.ones((4, 5))))
        with pytest.raises(ValueError, match=r"expected an array of shape \(4, 5\), got 'one'"):
            put("one")
    np.testing.assert_array_equal(backend.to_numpy(layer.W), before)
    layer.W = backend.asarray(np.full((4, 5), 0.5))
    assert backend.to_numpy(network.params["W1"]).tolist() == [[0.5] * 5] * 4
