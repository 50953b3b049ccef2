"""Random draws and counters of layers in the book's style, remembered and repeated."""

from __future__ import annotations

from typing import Any

import numpy as np

from backprop import ReLU, Residual
from backprop.layers.adapter import adapted
from backprop.layers.book_style.draws import Draws, book_layers

from ...book_layers import Dropout, OwnGenerator, Relu

X = np.ones((20, 3))


def test_the_same_draws_again() -> None:
    layers = {"Dropout1": adapted(Dropout()), "OwnGenerator1": adapted(OwnGenerator())}
    draws = Draws.of(layers)

    def masks() -> Any:
        return [layer.forward(X, training=True) for layer in layers.values()]

    first, other = masks(), masks()
    assert Draws.of(layers) != draws
    draws.restore(layers)
    assert Draws.of(layers) == draws
    for found, expected, another in zip(masks(), first, other, strict=True):
        np.testing.assert_array_equal(found, expected)
        assert (found != another).any()


def test_layers_within_blocks_are_found_by_their_path() -> None:
    block = Residual([Relu(), ReLU(), Residual([OwnGenerator()])])
    assert [name for name, _ in book_layers({"Residual1": block, "ReLU1": ReLU()})] == [
        "Residual1.Relu1",
        "Residual1.Residual1.OwnGenerator1",
    ]


def test_without_such_layers_the_global_generator_is_left_alone() -> None:
    draws = Draws.of({"ReLU1": ReLU()})
    assert draws.generator is None
    before = np.random.get_state()[2]  # type: ignore[index]
    np.random.rand(2)
    draws.restore({"ReLU1": ReLU()})
    assert np.random.get_state()[2] != before  # type: ignore[index]
