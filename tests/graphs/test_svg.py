"""The image: its XML, and that it says what the arrays say."""

from __future__ import annotations

import re

import numpy as np
import pytest

from backprop.graphs import Graph, GraphEdge, GraphNode, Kind

from ..tables import number
from .samples import SVG, apples, chain, groups, parsed, random_graph, stack, texts

SHAPE = re.compile(r"\d+ numbers?|\d+(×\d+)+")


def test_the_apples_are_those_of_the_book() -> None:
    """Section 5.4.2: price 715; gradients 2.2, 110, 3.3, 165 and 650."""
    price, inputs = apples()
    root = parsed(price.graph("Apples").to_svg())
    assert texts(root, "forward")[1:] == ["100", "2", "150", "3", "200", "450", "650", "1.1", "715"]
    assert texts(root, "backward")[1:] == ["2.2", "110", "3.3", "165", "1.1", "1.1", "1.1", "650", "1"]
    assert {*texts(root, "name")} == {*inputs, "price", "×", "+"}


@pytest.mark.parametrize("seed", range(8))
def test_labels_are_the_numbers_of_the_arrays(seed: int) -> None:
    graph = random_graph(seed)
    labelled = [e for e in graph.edges if e.name or e.forward is not None or e.backward is not None]
    drawn = groups(parsed(graph.to_svg()), "edge")
    assert len(drawn) == len(labelled)
    for edge, group in zip(labelled, drawn, strict=True):
        for kind, values in (("forward", edge.forward), ("backward", edge.backward)):
            found = [
                text for text in texts(group, kind) if text not in ("↓", "↑") and not SHAPE.fullmatch(text)
            ]
            if values is None:
                assert found == []
            elif values.size > 12:
                assert [number(x) for x in found[0].split(" ± ")] == pytest.approx(
                    [values.mean(), values.std()], rel=6e-4
                )
            else:
                np.testing.assert_allclose([number(x) for x in found], values.ravel(), rtol=6e-4)


@pytest.mark.parametrize(
    "text", ["<script>alert(1)</script>", "a & b", '"quoted"', "]]>", "\x1b[2J\x00", "\udcff", "\ufffe"]
)
def test_text_is_escaped(text: str) -> None:
    nodes = (GraphNode("a", text, Kind.VALUE, text), GraphNode("b", text, Kind.LAYER, text))
    graph = Graph(nodes, (GraphEdge("a", "b", np.asarray(1.0), None, text),), text)
    root = parsed(graph.to_svg())
    assert {element.tag.removeprefix(SVG) for element in root.iter()} <= {
        "svg", "title", "desc", "style", "rect", "text", "path", "g"
    }  # fmt: skip
    shown = "".join(root.itertext())
    assert text.isprintable() is (text in shown)
    assert "\x1b" not in shown


def test_an_image_needs_nothing_from_outside() -> None:
    for graph in (stack(4), random_graph(3), apples()[0].graph()):
        svg = graph.to_svg()
        assert not re.search(r"<script|\bid=|url\(|href|@import|\bon\w+=|currentColor", svg)
        assert re.findall(r"https?://[^\"\s]*", svg) == ["http://www.w3.org/2000/svg"]
        assert "prefers-color-scheme: dark" in svg


def test_screen_readers_are_told() -> None:
    graph = apples()[0].graph("Apples")
    root = parsed(graph.to_svg())
    title, desc = list(root)[:2]
    assert (title.tag, title.text) == (f"{SVG}title", "Apples")
    assert "apple to ×₁: forward 100, gradient 2.2" in (desc.text or "")
    assert root.get("role") == "img"
    many = parsed(random_graph(0, 30, 60).to_svg())
    assert list(many)[1].text == "30 nodes, 60 edges"
    assert many.get("role") == "group"  # what an image contains could not be focused


def test_every_edge_and_node_says_what_it_is() -> None:
    root = parsed(stack(2).to_svg())
    (edge,) = groups(root, "edge")
    title = edge.find(f"{SVG}title")
    assert title is not None
    assert (title.text or "").startswith("Affine0 → Affine1; forward 100×50 float64: mean ")
    assert "; gradient 100×50 float64: mean " in (title.text or "")
    titles = [group.findtext(f"{SVG}title") for group in groups(root, "node")]
    assert titles == ["Affine0: y = x W + b", "Affine1: y = x W + b"]


def test_pointing_at_a_large_array_shows_its_histogram() -> None:
    root = parsed(
        chain((1.0, 2.0), (np.ones(20), None), (np.ones(3), np.ones(3)), (np.ones(20), np.ones(20))).to_svg()
    )
    edges, popups = groups(root, "edge"), groups(root, "popup")
    assert [edge.get("tabindex") for edge in edges] == [None, "0", None, "0"]
    style = root.findtext(f"{SVG}style") or ""
    for popup, place in zip(popups, (1, 3), strict=True):
        assert popup.get("class") == f"popup p{place}"
        assert f".e{place}:is(:hover, :focus) ~ .p{place} {{ visibility: visible; }}" in style
    parents = {child: parent for parent in root.iter() for child in parent}
    for popup, edge in zip(popups, (edges[1], edges[3]), strict=True):  # siblings, the edge first
        assert parents[popup] is parents[edge]
        assert list(parents[popup]).index(popup) > list(parents[edge]).index(edge)
    assert [len(groups(popup, "bar")) for popup in popups] == [0, 0]
    assert ["gradient 20 numbers" in texts(popup) for popup in popups] == [False, True]


def test_popups_stay_within_the_image() -> None:
    for graph in (chain((np.ones(20), np.ones(20)), kind=Kind.LAYER), stack(7, (1, 5)), random_graph(2)):
        root = parsed(graph.to_svg())
        width, height = float(root.get("width", "")), float(root.get("height", ""))
        (body,) = (g for g in root if g.get("transform"))
        left, top = map(float, re.findall(r"[-\d.]+", body.get("transform", "")))
        for panel in (rect for rect in root.iter(f"{SVG}rect") if rect.get("class") == "panel"):
            x, y, w, h = (float(panel.get(name, "")) for name in ("x", "y", "width", "height"))
            assert left + x >= 0
            assert top + y >= 0
            assert left + x + w <= width + 0.2
            assert top + y + h <= height + 0.2


def test_the_gradient_of_a_value_used_twice_is_the_sum() -> None:
    nodes = tuple(GraphNode(name, name, Kind.VALUE) for name in "xab")
    edges = (
        GraphEdge("x", "a", np.asarray(1.0), np.asarray(2.5)),
        GraphEdge("x", "b", np.asarray(1.0), np.asarray(0.25)),
    )
    assert "Σ 2.75" in texts(parsed(Graph(nodes, edges).to_svg()), "backward")
    unknown = (*edges, GraphEdge("x", "b", np.asarray(1.0)))  # a part of the sum is not the sum
    assert not any("Σ" in text for text in texts(parsed(Graph(nodes, unknown).to_svg())))


def test_no_values_no_labels() -> None:
    root = parsed(chain((None, None), (1.0, None)).to_svg())
    assert len(groups(root, "edge")) == 1
    assert texts(root, "backward") == []
    assert not any("gradient" in text for text in texts(root))


def test_one_graph_has_one_drawing() -> None:
    for seed in range(4):
        assert random_graph(seed).to_svg() == random_graph(seed).to_svg()


def test_text_is_large_enough_on_a_telephone() -> None:
    """An image shrinks to 92 % at most, its smallest text from 12 to 11 pixels; then its box scrolls."""
    svg = stack(3).to_svg()
    assert "min-width: calc(var(--width) * .92)" in svg
    assert min(map(int, re.findall(r"font-size: (\d+)px", svg))) * 0.92 >= 11.0


def test_the_head_is_broken_into_lines() -> None:
    graph = stack(2)
    long = Graph(graph.nodes, graph.edges, "a title that is much longer than the drawing is wide " * 3)
    root = parsed(long.to_svg())
    headings = [t for t in texts(root, "heading") if not t.startswith("Affine")]
    assert len(headings) > 3
    assert " ".join(headings) == " ".join(long.title.split())
    assert [t for t in texts(parsed(long.to_svg(heading=False)), "heading") if "title" in t] == []
