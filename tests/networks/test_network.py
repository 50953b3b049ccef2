"""Networks as wholes."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from backends import Array, Backend, dtype_name
from backprop import (
    SGD,
    Affine,
    Identity,
    MeanSquaredError,
    MultiLayerNet,
    Network,
    ReLU,
    Residual,
    SigmoidWithLoss,
)
from backprop.layers import Layer

from .small import data, mlp, net


def test_evaluation_in_float16(backend: Backend, rng: np.random.Generator) -> None:
    """The loss of many samples is summed in float32."""
    if not hasattr(backend.xp, "float16"):
        pytest.skip("the standard has no float16")
    net = MultiLayerNet(4, [5], 3, use_batchnorm=True, rng=0, device=backend)
    net.forward(backend.asarray(rng.standard_normal((50, 4)), dtype="float32"), training=True)
    half = net.to(dtype="float16")
    assert {dtype_name(value.dtype) for value in half.state.values()} == {"float32"}
    x, t = rng.standard_normal((200, 4)), rng.integers(0, 3, 200)
    loss, accuracy = half.evaluate(backend.asarray(np.tile(x, (500, 1)), dtype="float16"),
                                   backend.asarray(np.tile(t, 500)))  # fmt: skip
    expected, right = net.evaluate(backend.asarray(x, dtype="float32"), backend.asarray(t))
    assert loss == pytest.approx(expected, rel=3e-3)
    assert accuracy == pytest.approx(right, abs=0.02)


def test_the_books_surface(backend: Backend) -> None:
    network, (x, t) = net(backend), data(backend)
    assert list(network.params) == ["W1", "b1", "W2", "b2"]
    assert list(network.layers) == ["Affine1", "Relu1", "Affine2"]
    assert network.lastLayer is network.last_layer
    assert tuple(network.predict(x).shape) == (6, 3)
    assert network.loss(x, t).shape == ()
    assert isinstance(network.accuracy(x, t), float)
    assert [tuple(g.shape) for g in network.gradient(x, t).values()] == [(4, 5), (5,), (5, 3), (3,)]


def test_copies_are_whole_networks(backend: Backend) -> None:
    network, (x, t) = net(backend), data(backend)
    before = backend.to_numpy(network.predict(x)).copy()
    for clone in (copy.deepcopy(network), pickle.loads(pickle.dumps(network))):
        np.testing.assert_array_equal(backend.to_numpy(clone.predict(x)), before)
        clone.gradient(x, t)
        SGD(1.0).update(clone.flat_params, clone.flat_grads)
        assert np.abs(backend.to_numpy(clone.predict(x)) - before).max() > 0.0
        np.testing.assert_array_equal(backend.to_numpy(network.predict(x)), before)


def test_input_gradient_only_when_asked_for(backend: Backend) -> None:
    called = []

    class Spy(Affine):
        def backward(self, dout: Array) -> Array:
            called.append(self.name)
            return super().backward(dout)

    first, second = (net(backend).layers[name] for name in ("Affine1", "Affine2"))
    network = Network([Identity(), Spy(**first.params), ReLU(), Spy(**second.params)])
    x, t = data(backend)
    network.gradient(x, t)
    assert called == ["Spy2"]
    assert tuple(network.backward().shape) == (6, 4)
    assert called == ["Spy2", "Spy2", "Spy1"]


def test_losses_without_classes(backend: Backend) -> None:
    rng = np.random.default_rng(0)
    layer = Affine(backend.asarray(rng.standard_normal((4, 3))), backend.asarray(np.zeros(3)))
    network = Network([layer], MeanSquaredError())
    x, t = backend.asarray(rng.standard_normal((5, 4))), backend.asarray(rng.standard_normal((5, 3)))
    loss, accuracy = network.evaluate(x, t)
    assert loss == pytest.approx(float(backend.to_numpy(network.loss(x, t))))
    assert accuracy is None
    with pytest.raises(TypeError, match="MeanSquaredError does not classify: this network has no accuracy"):
        network.accuracy(x, t)
    with pytest.raises(ValueError, match=r"expected t between 0 and 1, got .* to "):
        Network([layer.to(backend)], SigmoidWithLoss()).loss(x, t)


def test_evaluation_in_batches_is_evaluation_at_once(backend: Backend) -> None:
    network, (x, t) = net(backend, "float64"), data(backend, 25)
    loss, accuracy = network.evaluate(x, t, batch_size=10)
    assert loss == pytest.approx(float(backend.to_numpy(network.loss(x, t))), rel=1e-12)
    assert accuracy == network.accuracy(x, t)


def test_copy_in_another_dtype_shares_nothing(backend: Backend) -> None:
    network, (x, _) = net(backend), data(backend)
    double, same = network.to(dtype="float64"), network.to()
    assert double.dtype == "float64"
    before = backend.to_numpy(network.predict(x)).copy()
    for other in (double, same):
        other.params["W1"] = other.params["W1"] * 0.0
    np.testing.assert_array_equal(backend.to_numpy(network.predict(x)), before)
    on_host = network.to(device="cpu").predict(backend.to_numpy(x))
    np.testing.assert_allclose(on_host, before, rtol=1e-5, atol=1e-6)


def test_an_error_in_a_property_of_ones_own_network_is_not_hidden() -> None:
    class Own(Network):
        @property
        def first(self) -> Any:
            return self.missing

    with pytest.raises(AttributeError, match="missing"):
        Own([Identity()]).first  # noqa: B018


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


@pytest.mark.parametrize("layer", [ReLU, lambda: Residual([Affine(np.eye(3), np.zeros(3)), ReLU()])])
def test_a_network_that_has_been_differentiated_can_be_copied(layer: Callable[[], Layer]) -> None:
    network = Network([Affine(np.eye(3), np.zeros(3)), layer()])
    x, t = np.eye(3), np.arange(3)
    gradient = network.gradient(x, t)
    for copied in (copy.deepcopy(network), pickle.loads(pickle.dumps(network))):
        assert np.array_equal(copied.gradient(x, t)["W1"], gradient["W1"])
