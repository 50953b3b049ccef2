"""What networks and their parameters show in a notebook."""

from __future__ import annotations

from typing import Any

import numpy as np

from backends import Backend
from backprop import Affine, Convolution, Layer, Network, ReLU, SimpleConvNet, TwoLayerNet

from ..tables import Tables


def test_a_network_shows_its_layers(backend: Backend) -> None:
    network = TwoLayerNet(4, 3, 2, device=backend, rng=0)
    page = network._repr_html_()
    assert f"TwoLayerNet: 23 parameters, float32 on {backend.device}" in page
    assert Tables(page).tables == [
        [
            ["layer", "output", "parameters"],
            ["input", "(N, 4)", ""],
            ["Affine1", "(N, 3)", "15"],
            ["Relu1", "(N, 3)", ""],
            ["Affine2", "(N, 2)", "8"],
            ["SoftmaxWithLoss", "()", ""],
        ]
    ]


def test_merged_layers_have_the_names_of_the_summary() -> None:
    network = SimpleConvNet((1, 8, 8), rng=0)
    (table,) = Tables(network._repr_html_()).tables
    summary = network.summary().splitlines()[1:-1]
    assert [row[0] for row in table[1:]] == [line[: line.index("(")].strip() for line in summary]


def test_without_a_known_input_there_are_no_shapes() -> None:
    network = Network([Convolution(np.ones((2, 1, 3, 3)), np.zeros(2)), ReLU()])
    assert Tables(network._repr_html_()).tables[0][:2] == [["layer", "parameters"], ["input", ""]]


class Fussy(Layer):
    def forward(self, x: Any, *, training: bool = False) -> Any:
        raise RuntimeError("no zeros, please")


def test_a_layer_that_refuses_zeros_does_not_hide_the_network() -> None:
    network = Network({"<first>": Affine(np.ones((2, 2)), np.zeros(2)), "Fussy1": Fussy()})
    rows = Tables(network._repr_html_()).tables[0]
    assert rows[2:4] == [["<first>", "6"], ["Fussy1", ""]]


def test_showing_a_network_changes_nothing() -> None:
    network = TwoLayerNet(4, 3, 2, rng=0)
    x, t = np.ones((2, 4), "float32"), np.asarray([0, 1])
    network.last_layer.forward(network.forward(x, training=True), t, training=True)
    expected = network.backward()
    network.forward(x, training=True)
    network._repr_html_()
    network.summary()
    np.testing.assert_array_equal(network.backward(), expected)


def test_parameters_show_their_shapes(backend: Backend) -> None:
    params = TwoLayerNet(4, 3, 2, device=backend, rng=0).params
    (table,) = Tables(params._repr_html_()).tables
    assert table == [
        ["parameter", "shape", "numbers", "dtype"],
        ["W1", "(4, 3)", "12", "float32"],
        ["b1", "(3,)", "3", "float32"],
        ["W2", "(3, 2)", "6", "float32"],
        ["b2", "(2,)", "2", "float32"],
    ]
