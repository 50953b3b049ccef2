"""Graphs for the tests: the book's apples, random graphs, stacks, and drawings as XML."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from xml.etree import ElementTree

import numpy as np

from backprop.graphs import Graph, GraphEdge, GraphNode, Kind, Variable

SVG = "{http://www.w3.org/2000/svg}"


def apples() -> tuple[Variable, dict[str, Variable]]:
    """The price of two apples and three oranges with tax, and what it is computed from."""
    values = {"apple": 100, "number of apples": 2, "orange": 150, "number of oranges": 3, "tax": 1.1}
    inputs = {name: Variable(value, name) for name, value in values.items()}
    apple, apples, orange, oranges, tax = inputs.values()
    price = (apple * apples + orange * oranges) * tax
    price.name = "price"
    return price, inputs


def chain(*values: Any, kind: Kind = Kind.OPERATION) -> Graph:
    """Nodes in a row; each value is a pair of what goes forward and back."""
    nodes = [GraphNode(str(i), f"f{i}", kind) for i in range(len(values) + 1)]
    edges = [
        GraphEdge(str(i), str(i + 1), *(None if x is None else np.asarray(x) for x in pair))
        for i, pair in enumerate(values)
    ]
    return Graph(tuple(nodes), tuple(edges), "a chain")


def random_graph(seed: int, nodes: int = 12, edges: int = 18) -> Graph:
    """A graph with nodes of every kind, and edges with numbers, small and large arrays, or none."""
    rng = np.random.default_rng(seed)
    kinds = [Kind.VALUE, Kind.OPERATION] if seed % 2 else list(Kind)
    labels = ["×", "exp", "Affine1", "BatchNormalization12", "a name that is long", "日本語"]
    found = [
        GraphNode(str(i), str(rng.choice(labels)), kinds[rng.integers(len(kinds))], "y = x W + b" * (i % 2))
        for i in range(nodes)
    ]
    shapes: list[tuple[int, ...] | None] = [(), (), (2, 3), (3,), (9,), (20, 5), None]
    links = []
    for _ in range(edges):
        source, target = sorted(rng.choice(nodes, 2, replace=False))
        shape = shapes[rng.integers(len(shapes))]
        values, gradient = (None, None) if shape is None else rng.standard_normal((2, *shape))
        name = "a name" if rng.integers(5) == 0 else ""
        links.append(GraphEdge(str(source), str(target), values, gradient, name))
    return Graph(tuple(found), tuple(links), f"random {seed}")


def stack(layers: int, shortcut: tuple[int, int] | None = None) -> Graph:
    """Layers one after another, with arrays of 100 × 50 between them, and a shortcut around some."""
    rng = np.random.default_rng(0)
    nodes = [GraphNode(str(i), f"Affine{i}", Kind.LAYER, "y = x W + b") for i in range(layers)]
    links = [(i, i + 1) for i in range(layers - 1)] + ([shortcut] if shortcut else [])
    edges = [GraphEdge(str(one), str(other), *rng.standard_normal((2, 100, 50))) for one, other in links]
    return Graph(tuple(nodes), tuple(edges), "a stack")


def parsed(svg: str) -> ElementTree.Element:
    """The root of the image; an error if it is no well-formed XML."""
    return ElementTree.fromstring(svg)


def texts(root: ElementTree.Element, kind: str = "") -> list[str]:
    """The texts with this class, in order, with minus signs as Python writes them."""
    return [
        (element.text or "").replace("\N{MINUS SIGN}", "-")
        for element in root.iter(f"{SVG}text")
        if not kind or kind in element.get("class", "").split()
    ]


def groups(root: ElementTree.Element, kind: str) -> Sequence[ElementTree.Element]:
    """The groups with this class."""
    return [group for group in root.iter(f"{SVG}g") if kind in group.get("class", "").split()]
