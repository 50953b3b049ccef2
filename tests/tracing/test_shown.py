"""One layer in a notebook."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import numpy as np

from backends import Array
from backprop import MeanSquaredError, Network
from backprop.graphs.plain import line_of
from backprop.layers import Layer

from .traces import two_layers


def test_the_formula_and_all_arrays() -> None:
    node = two_layers()["Affine2"]
    page = node._repr_html_()
    ElementTree.fromstring(page)
    assert page.startswith('<div class="backprop">')
    assert "<p>y = x W + b</p>" in page
    rows = re.findall(r'<th scope="row">(.*?)</th><td>(.*?)</td>', page)
    assert rows == [(name, line_of(values)) for name, values in node.arrays.items()]
    assert len(rows) == 8


def test_the_loss() -> None:
    assert "<p>SoftmaxWithLoss: " in two_layers().loss._repr_html_()


def test_without_a_formula_and_with_a_name_that_is_html() -> None:
    class Own(Layer):
        def forward(self, x: Array, *, training: bool = False) -> Array:
            return x

        def backward(self, dout: Array) -> Array:
            return dout

    network = Network({"<script>": Own()}, MeanSquaredError()).to(dtype="float64")
    page = network.trace(np.ones((1, 2)), np.ones((1, 2)))["<script>"]._repr_html_()
    assert "<script" not in page
    assert re.findall("<p>(.*?)</p>", page) == ["&lt;script&gt;: Own()"]
