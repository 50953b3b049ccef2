"""Blocks with a shortcut."""

from __future__ import annotations

import pickle
from copy import deepcopy
from typing import Any

import numpy as np
import pytest

from backends import Backend, dtype_name, get_backend
from backprop import Affine, BatchNormalization, LeakyReLU, MultiLayerNet, Network, ReLU, Residual


def ones(backend: Backend, *shape: int) -> Any:
    return backend.asarray(np.ones(shape), dtype="float32")


def test_a_layer_of_a_network_is_not_put_into_a_block() -> None:
    net = MultiLayerNet(4, [3], 2, rng=0)
    with pytest.raises(ValueError, match="Affine1 is already in a network or block"):
        Residual({"Affine1": net.layers["Affine1"]})


def test_a_layer_has_one_place() -> None:
    """A second one would change what the first one keeps for backward."""
    layer = Affine(np.ones((3, 3)), np.ones(3))
    with pytest.raises(ValueError, match="Residual: a layer stands in this block twice"):
        Residual([layer, layer])
    block = Residual([layer])
    network = Network([block]).to(dtype="float32")
    for taken in (block, deepcopy(block), pickle.loads(pickle.dumps(block)), block.to(get_backend("cpu")),
                  Residual([Residual([layer.to(get_backend("cpu"))])]), network.layers["Residual1"],
                  deepcopy(network).layers["Residual1"]):  # fmt: skip
        inner = next(iter(taken.layers.values()))
        with pytest.raises(ValueError, match="is already in a network or block"):
            Residual([inner])
        with pytest.raises(ValueError, match="this layer is already in a network or block"):
            Network([inner])
        Network([inner.to(get_backend("cpu"))])


def test_the_pieces_of_a_block(backend: Backend, rng: np.random.Generator) -> None:
    """One list of what its layers say about what reaches them; a smooth block says nothing."""
    first, second = (Affine(rng.standard_normal((3, 3)), rng.standard_normal(3)) for _ in range(2))
    block = Residual([first, ReLU(), second, LeakyReLU()]).to(backend)
    x = rng.standard_normal((5, 3))
    hidden = x @ first.params["W"] + first.params["b"]
    out = np.maximum(hidden, 0.0) @ second.params["W"] + second.params["b"]
    expected = np.concatenate([(hidden > 0.0).ravel(), (out > 0.0).ravel()])
    found = block.region(backend.asarray(x))
    np.testing.assert_array_equal(backend.to_numpy(found), expected)
    assert Residual([first.to(backend)]).region(backend.asarray(x)) is None


def test_the_pieces_of_a_block_are_those_of_training(backend: Backend, rng: np.random.Generator) -> None:
    block = Residual([BatchNormalization(np.ones(3), np.zeros(3)), ReLU()]).to(backend)
    x = rng.standard_normal((5, 3)) + 10.0
    found = backend.to_numpy(block.region(backend.asarray(x)))
    np.testing.assert_array_equal(found, (x > x.mean(axis=0)).ravel())


def test_a_layer_of_a_block_is_named_in_errors() -> None:
    block = Residual([Affine(np.ones((3, 3)), np.ones(3))])
    with pytest.raises(ValueError, match=r"^Residual\.Affine1: expected input \(N, 3\), got \(4, 2\)"):
        block.forward(np.ones((4, 2)))


def test_a_block_in_another_dtype(backend: Backend) -> None:
    layer = Affine(ones(backend, 2, 2), ones(backend, 2))
    block = Residual([layer]).to(backend, "float64")
    assert dtype_name(block.layers["Affine1"].params["W"].dtype) == "float64"


@pytest.mark.parametrize(
    ("make", "x", "message"),
    [
        (lambda: Residual([Affine(np.ones((3, 2)), np.ones(2))]), np.ones((4, 3)),
         r"Residual: expected a block that keeps the shape \(4, 3\), got \(4, 2\)"),
        (lambda: Residual([3]), None, "Residual: int1: expected a layer, such as .* got an int; a layer of your own derives from backprop.Layer"),
    ],
)  # fmt: skip
def test_bad_input(make: Any, x: np.ndarray | None, message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        make().forward(x, training=True)
