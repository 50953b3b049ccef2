"""Nodes as they are drawn."""

from __future__ import annotations

import re

from backprop.graphs import Graph, GraphEdge, GraphNode, Kind


def test_a_node_may_be_a_link() -> None:
    nodes = GraphNode("x", "x", Kind.VALUE), GraphNode("a", "Affine1", Kind.LAYER, link="#step-<3>")
    drawing = Graph(nodes, (GraphEdge("x", "a"),)).to_svg()
    (link,) = re.findall(r"<a .*?</a>", drawing, re.DOTALL)
    assert link.startswith('<a href="#step-&lt;3&gt;">\n<g class="node layer">')
    assert "Affine1" in link
