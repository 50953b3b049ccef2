"""A trace in a notebook."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import numpy as np

from backends import Array
from backprop import Affine, MeanSquaredError, Network, ReLU
from backprop.text import digits

from .traces import convolutions, two_layers


def test_table_and_graph() -> None:
    trace = two_layers()
    page = trace._repr_html_()
    cells = re.findall(r"<td>(.*?)</td>", page)
    assert "3×5" in cells
    assert len(re.findall('<th scope="row">', page)) == 5
    assert trace.graph()._repr_html_() in page
    assert f"loss {digits(trace.value)}" in page


def test_it_is_self_contained_and_well_formed() -> None:
    page = two_layers()._repr_html_()
    assert not re.findall(r"""(?:src|href)=["'](?!#)|url\(|@import|<script""", page)
    ElementTree.fromstring(page)


def test_of_a_large_network_the_collapsed_graph() -> None:
    trace = convolutions()
    page = trace._repr_html_()
    assert "without parameters, with groups of layers as single nodes" in page
    graph = trace.graph().collapsed
    assert graph is not None
    assert graph._repr_html_() in page


def test_of_a_network_of_many_layers_a_graph_that_can_be_read() -> None:
    network = Network([ReLU() for _ in range(60)], MeanSquaredError()).to(dtype="float64")
    page = network.trace(np.ones((1, 2)), np.ones((1, 2)))._repr_html_()
    assert "ReLU2 … ReLU59" in page
    assert "too large" not in page


def test_names_are_escaped() -> None:
    network = Network({"<script>alert(1)</script>": ReLU()}, MeanSquaredError()).to(dtype="float64")
    page = network.trace(np.ones((1, 2)), np.ones((1, 2)))._repr_html_()
    assert "<script" not in page
    assert "&lt;script&gt;" in page


def test_without_a_graph_it_says_why() -> None:
    class Own(Network):
        def forward(self, x: Array, *, training: bool = False) -> Array:
            first, second = self.layers.values()
            return second.forward(2.0 * first.forward(x, training=training), training=training)

    network = Own([Affine(np.eye(2), np.ones(2)), ReLU()], MeanSquaredError())
    page = network.trace(np.ones((1, 2)), np.ones((1, 2)))._repr_html_()
    assert "Own: the graph shows a stack of layers, but ReLU1 does not get what Affine1 gives" in page
    assert "<svg" not in page
