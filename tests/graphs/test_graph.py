"""A graph: what it refuses, and how it is saved and shown."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from backprop.files import WriteError
from backprop.graphs import Graph, GraphEdge, GraphNode, Kind
from backprop.graphs.folded import MOST_DEEP, MOST_NODES

from .samples import apples, chain, parsed, stack, texts

A, B = GraphNode("a", "a", Kind.VALUE), GraphNode("b", "b", Kind.VALUE)


@pytest.mark.parametrize(("nodes", "edges", "message"), [
    ([], [], "expected at least one node"),
    ([A, A], [], "expected one node for each id, got several with 'a'"),
    ([A, B], [GraphEdge("a", "c")], "an edge leads from 'a' to 'c', but there is no node 'c'"),
    ([A, B], [GraphEdge("c", "a")], "an edge leads from 'c' to 'a', but there is no node 'c'"),
    ([A, B], [GraphEdge("a", "b"), GraphEdge("b", "a")], "expected no cycle, got [ab] → [ab] → [ab]"),
    ([A], [GraphEdge("a", "a")], "expected no cycle"),
    ([A, B], [GraphEdge("a", "b", np.ones(2), np.ones(3))],
     r"from 'a' to 'b', values \(2,\) but a gradient \(3,\); expected one shape"),
])  # fmt: skip
def test_what_is_no_graph(nodes: list[GraphNode], edges: list[GraphEdge], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Graph(tuple(nodes), tuple(edges))


def test_values_of_an_edge_are_real_numbers() -> None:
    edge = GraphEdge("a", "b", 2, [1.0, 2.0])  # type: ignore[arg-type]
    assert edge.forward == np.asarray(2)
    np.testing.assert_array_equal(edge.backward, np.asarray([1.0, 2.0]))
    for values in ("2", 1j, [None]):
        with pytest.raises(TypeError, match="GraphEdge: expected real numbers, got"):
            GraphEdge("a", "b", values)  # type: ignore[arg-type]


@pytest.mark.parametrize("suffix", [".svg", ".html", ".dot", ".mmd", ".SVG"])
def test_saved(suffix: str, tmp_path: Path) -> None:
    graph = apples()[0].graph("Äpfel")
    path = tmp_path / f"a{suffix}"
    path.write_text("old")
    graph.save(path)
    written = path.read_text("utf-8")
    expected = {".svg": graph.to_svg, ".dot": graph.to_dot, ".mmd": graph.to_mermaid}
    if suffix == ".html":
        assert graph.to_svg(heading=False) in written
        assert "<td>110</td>" in written
        HTMLParser().feed(written)
    else:
        assert written == expected[suffix.lower()]()
    assert list(tmp_path.iterdir()) == [path]


def test_where_a_graph_cannot_be_saved(tmp_path: Path) -> None:
    graph = chain((1.0, 1.0))
    for name in ("a.png", "a", ".svg"):
        with pytest.raises(ValueError, match=r"expected a name that ends in \.svg, \.html, \.dot, \.mmd"):
            graph.save(tmp_path / name)
    with pytest.raises(WriteError, match="there is no folder"):
        graph.save(tmp_path / "none" / "a.svg")
    (tmp_path / "b.svg").mkdir()
    with pytest.raises(OSError, match="it is a folder"):
        graph.save(str(tmp_path / "b.svg"))


def test_a_notebook_shows_the_drawing_in_a_box_that_scrolls() -> None:
    graph = apples()[0].graph('A "title" <b>')
    found = graph._repr_html_()
    assert found.startswith(
        '<div role="region" aria-label="A &quot;title&quot; &lt;b&gt;" tabindex="0" style="overflow-x: auto'
    )
    assert graph.to_svg() in found


def test_a_graph_too_large_to_draw_is_drawn_folded(tmp_path: Path) -> None:
    large = chain(*[(1.0, 1.0)] * MOST_NODES)
    said = f"too large to draw in full: {MOST_NODES + 1} nodes and {MOST_NODES} edges, here folded into"
    written = texts(parsed(large.to_svg()))
    assert said in " ".join(written)
    assert "f0" in written
    assert f"f{MOST_NODES}" in written
    assert "f1" not in written
    large.save(tmp_path / "a.html")
    for page in (large._repr_html_(), (tmp_path / "a.html").read_text("utf-8")):
        assert f">{MOST_NODES - 12} operations</text>" in page
    assert large.to_dot().count("->") == MOST_NODES
    assert large.to_mermaid().count("-->") == MOST_NODES
    assert "too large" not in chain(*[(1.0, 1.0)] * (MOST_DEEP - 1)).to_svg()


def test_the_collapsed_graph_is_drawn_instead() -> None:
    large = replace(chain(*[(1.0, 1.0)] * MOST_NODES), collapsed=stack(3))
    written = texts(parsed(large.to_svg()))
    said = (
        f"a chain too large to draw in full: {MOST_NODES + 1} nodes and {MOST_NODES} edges, "
        "here folded into 3 nodes ↓ forward"
    )
    assert " ".join(written).startswith(said)
    assert "Affine2" in written
    small = replace(stack(4), collapsed=stack(3))
    assert "Affine3" in texts(parsed(small.to_svg()))


def test_several_drawings_on_a_page() -> None:
    """Without ids there is nothing that could clash; the rules of one drawing hold in every other."""
    one, other = stack(3), chain((1.0, 1.0), (np.ones(20), np.ones(20)))
    for svg in (one.to_svg(), other.to_svg()):
        for selector in re.findall(r"^ *([^@\s][^{}\n]*) \{", svg, re.MULTILINE):
            assert all("backprop-graph" in part for part in re.split(r",\s(?=\.)", selector)), selector


def test_repr_is_short() -> None:
    assert repr(stack(20)) == "Graph('a stack': 20 nodes, 19 edges)"
