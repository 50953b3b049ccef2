"""In a drawing, nothing lies upon anything else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import combinations, pairwise

import pytest

from backprop.graphs import Graph, GraphNode, Kind
from backprop.graphs.drawing import Drawing, drawn
from backprop.graphs.shapes import Rect

from .samples import apples, chain, random_graph, stack

GRAPHS: dict[str, Graph] = {
    "apples": apples()[0].graph(),
    **{f"random {seed}": random_graph(seed) for seed in range(12)},
    "many edges": random_graph(50, 20, 60),
    "stack": stack(20),
    "shortcut": stack(8, (1, 6)),
    "long shortcut": stack(30, (0, 29)),
}


def overlap(one: Rect, other: Rect) -> bool:
    """Whether two rectangles share an area, which one that is empty has not."""
    return (
        min(one.x + one.width, other.x + other.width) - max(one.x, other.x) > 0.01
        and min(one.y + one.height, other.y + other.height) - max(one.y, other.y) > 0.01
    )


def points(path: str, steps: int = 24) -> Iterator[tuple[float, float]]:
    """Points along a path of lines and cubic curves, close together."""
    commands = re.findall(r"([MLC])([^MLC]*)", path)
    x, y = 0.0, 0.0
    for command, numbers in commands:
        values = [float(v) for v in numbers.split()]
        if command != "M":
            corners = [(x, y), *zip(values[::2], values[1::2], strict=True)]
            for i in range(steps + 1):
                yield de_casteljau(corners, i / steps)
        x, y = values[-2:]


def de_casteljau(corners: list[tuple[float, float]], share: float) -> tuple[float, float]:
    while len(corners) > 1:
        corners = [(a + share * (c - a), b + share * (d - b)) for (a, b), (c, d) in pairwise(corners)]
    return corners[0]


@pytest.mark.parametrize("down", [False, True])
@pytest.mark.parametrize("name", GRAPHS)
def test_nothing_overlaps(name: str, down: bool) -> None:
    graph = GRAPHS[name]
    drawing = Drawing(graph.nodes, graph.edges, down=down)
    rects = [*drawing.node_rects(), *drawing.label_rects()]
    assert [pair for pair in combinations(rects, 2) if overlap(*pair)] == []
    for rect in rects:
        assert rect.x >= -0.01
        assert rect.y >= -0.01
        assert rect.x + rect.width <= drawing.width + 0.01
        assert rect.y + rect.height <= drawing.height + 0.01


@pytest.mark.parametrize("down", [False, True])
@pytest.mark.parametrize("name", GRAPHS)
def test_no_edge_passes_through_a_node_or_a_strange_label(name: str, down: bool) -> None:
    graph = GRAPHS[name]
    drawing = Drawing(graph.nodes, graph.edges, down=down)
    lines = re.findall(r'class="line" d="([^"]*)"', "\n".join(drawing.svg()))
    assert len(lines) == len(graph.edges)
    inner = [Rect(r.x + 1.0, r.y + 1.0, r.width - 2.0, r.height - 2.0) for r in drawing.node_rects()]
    labels = drawing.label_rects()
    for i, line in enumerate(lines):
        others = inner + [rect for j, rect in enumerate(labels) if j != i]
        for x, y in points(line):
            assert not any(r.x < x < r.x + r.width and r.y < y < r.y + r.height for r in others), (
                name,
                i,
                x,
                y,
            )


@pytest.mark.parametrize("down", [False, True])
def test_every_edge_leads_from_its_source_to_its_target(down: bool) -> None:
    for graph in GRAPHS.values():
        drawing = Drawing(graph.nodes, graph.edges, down=down)
        if len(drawing.shapes) > len(graph.nodes):
            continue  # inputs are repeated
        lines = re.findall(r'class="line" d="([^"]*)"', "\n".join(drawing.svg()))
        centres = [shape_rect(drawing, i) for i in range(len(graph.nodes))]
        place = {node.id: i for i, node in enumerate(graph.nodes)}
        for edge, line in zip(graph.edges, lines, strict=True):
            (x0, y0), *_, (x1, y1) = points(line)
            for node, x, y in ((edge.source, x0, y0), (edge.target, x1, y1)):
                rect = centres[place[node]]
                assert rect.x - 8 <= x <= rect.x + rect.width + 8
                assert rect.y - 8 <= y <= rect.y + rect.height + 8


def shape_rect(drawing: Drawing, i: int) -> Rect:
    """The rectangle of a node, without the sum of its gradients."""
    before = sum(1 + (shape.total is not None) for shape in drawing.shapes[:i])
    return drawing.node_rects()[before]


def test_a_stack_is_one_straight_column() -> None:
    drawing = drawn(stack(20).nodes, stack(20).edges)
    assert drawing.down
    assert drawing.width < 360.0
    middles = {round(rect.x + rect.width / 2, 3) for rect in drawing.node_rects()}
    assert len(middles) == 1
    assert not any("C" in line for line in re.findall(r'class="line" d="([^"]*)"', "".join(drawing.svg())))


def test_a_shortcut_leaves_the_other_edges_straight() -> None:
    graph = stack(8, (1, 6))
    lines = re.findall(r'class="line" d="([^"]*)"', "".join(drawn(graph.nodes, graph.edges).svg()))
    assert [i for i, line in enumerate(lines) if "C" in line] == [7]


def test_expressions_are_drawn_to_the_right_unless_they_are_wide() -> None:
    price = apples()[0].graph()
    assert not drawn(price.nodes, price.edges).down
    wide = chain(*[(1.0, 1.0)] * 40)
    assert drawn(wide.nodes, wide.edges).down


def test_an_input_with_many_distant_uses_is_drawn_beside_each() -> None:
    x = price = apples()[1]["tax"]
    for _ in range(12):
        price = price * 1.5 + x
    graph = price.graph()
    drawing = drawn(graph.nodes, graph.edges)
    repeated = list(drawing.shapes[len(graph.nodes) :])
    assert len(repeated) > 5
    assert {shape.name for shape in repeated} == {"tax"}
    assert all(shape.total is None for shape in repeated)
    assert drawing.width < 600.0


def test_a_single_node() -> None:
    drawing = drawn([GraphNode("a", "x", Kind.VALUE)], [])
    assert drawing.node_rects() == [Rect(0.0, 0.0, drawing.width, drawing.height)]
