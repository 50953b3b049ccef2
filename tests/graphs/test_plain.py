"""Plain text."""

from __future__ import annotations

import io

import numpy as np
import pytest

from backprop.graphs import GraphEdge, GraphNode, Kind
from backprop.graphs.plain import names_of, plain

from .samples import apples, random_graph, stack


def test_numbers_are_a_table() -> None:
    assert (
        apples()[0].graph().to_text(80)
        == """\
from               to     forward  gradient
apple              ×₁     100      2.2
number of apples   ×₁     2        110
orange             ×₂     150      3.3
number of oranges  ×₂     3        165
×₁                 +      200      1.1
×₂                 +      450      1.1
+                  ×₃     650      1.1
tax                ×₃     1.1      650
×₃                 price  715      1"""
    )


def test_a_narrow_terminal_has_one_line_for_each_value() -> None:
    text = apples()[0].graph().to_text(30)
    assert text.startswith("apple → ×₁\n  forward   100\n  gradient  2.2\nnumber of apples → ×₁\n")


@pytest.mark.parametrize("width", [40, 80])
def test_lines_fit(width: int) -> None:
    for graph in (stack(3), *(random_graph(seed) for seed in range(6))):
        assert max(map(len, graph.to_text(width).splitlines())) <= width


def test_rows_of_an_array_are_lines() -> None:
    nodes = [GraphNode("a", "a", Kind.VALUE), GraphNode("b", "b", Kind.VALUE)]
    edge = GraphEdge("a", "b", np.asarray([[1.0, 2.0], [3.0, 4.0]]))
    assert (
        plain(nodes, [edge], 30)
        == """\
a → b
  forward   [[1, 2],
             [3, 4]]
  gradient  –"""
    )


def test_the_terminal_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = apples()[0].graph()
    for columns in (40, 80):
        monkeypatch.setenv("COLUMNS", str(columns))
        assert str(graph) == graph.to_text(columns)
    assert graph.to_text(3) == graph.to_text(30)


def test_names() -> None:
    nodes = [GraphNode(str(i), label, Kind.VALUE) for i, label in enumerate(["x", "+", "+", "\x1b"])]
    assert list(names_of(nodes).values()) == ["x", "+₁", "+₂", "\\x1b"]


def test_a_numbered_name_may_be_taken() -> None:
    nodes = [GraphNode(id, label, Kind.VALUE) for id, label in (("a", "W"), ("b", "W₁"), ("c", "W"))]
    assert names_of(nodes) == {"a": "W₂", "b": "W₁", "c": "W₃"}


def test_a_terminal_without_the_signs(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = apples()[0].graph()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(io.BytesIO(), encoding="ascii"))
    print(graph)  # noqa: T201
    assert str(graph) == graph.to_text().encode("ascii", "replace").decode()
    assert "×" in graph.to_text()
