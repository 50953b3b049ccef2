"""Graphs that are too large to draw, folded."""

from __future__ import annotations

import numpy as np
import pytest

from backprop.graphs import Graph, GraphEdge, GraphNode, Kind, Variable
from backprop.graphs.folded import MOST_DEEP, MOST_EDGES, MOST_INPUTS, MOST_NODES, folded, is_too_large

from .samples import chain, random_graph, stack


def folding(graph: Graph) -> Graph:
    return Graph(*folded(graph.nodes, graph.edges))


def by_ends(graph: Graph) -> dict[str, GraphEdge]:
    labels = {node.id: node.label for node in graph.nodes}
    return {f"{labels[edge.source]} → {labels[edge.target]}": edge for edge in graph.edges}


def long_sum(terms: int) -> tuple[Variable, Variable, Graph]:
    """x + x + … + x of this many terms, its first one, and its graph."""
    x = y = Variable(0.5, "x")
    for _ in range(terms - 1):
        y = y + x
    return y, x, y.graph("a sum")


@pytest.mark.parametrize(("nodes", "edges", "found"), [
    (MOST_NODES, 0, False), (MOST_NODES + 1, 0, True), (2, MOST_EDGES, False), (2, MOST_EDGES + 1, True),
])  # fmt: skip
def test_what_is_too_large(nodes: int, edges: int, found: bool) -> None:
    given = [GraphNode(str(i), "a", Kind.VALUE) for i in range(nodes)]
    assert is_too_large(given, [GraphEdge("0", "1")] * edges) is found


def test_what_is_too_deep() -> None:
    for count, found in ((MOST_DEEP, False), (MOST_DEEP + 1, True)):
        graph = stack(count)
        assert is_too_large(graph.nodes, graph.edges) is found


def test_a_long_sum_keeps_its_input_and_what_is_nearest_its_result() -> None:
    y, x, graph = long_sum(2000)
    small = folding(graph)
    kept = sum(node.label == "+" for node in small.nodes)
    fold = f"{1999 - kept:,} operations"
    assert [node.label for node in small.nodes] == [fold, "x", *["+"] * kept, "result"]
    assert kept > 5
    edges = by_ends(small)
    into = edges[f"x → {fold}"]
    assert (into.name, into.forward, into.backward) == (f"{2000 - kept:,} uses", 0.5, 2000.0 - kept)
    out = edges[f"{fold} → +"]
    assert (out.forward, out.backward) == (0.5 * (2000 - kept), 1.0)
    y.backward()
    parts = [edge.backward for edge in small.edges if edge.source == into.source]
    assert sum(map(float, parts)) == x.grad == 2000.0  # type: ignore[arg-type]
    assert edges["+ → result"].forward == y.value


def test_named_inputs_stay_and_others_are_counted() -> None:
    y = Variable(2.0, "apple") * Variable(3.0, "tax")
    for _ in range(500):
        y = y * 1.001
    small = folding(y.graph())
    labels = [node.label for node in small.nodes]
    constants = 500 - labels.count("constant")
    operations = 501 - labels.count("×")
    assert labels[:3] == [f"{operations} operations, {constants} inputs", "apple", "tax"]
    assert labels.count("constant") == labels.count("×")
    assert by_ends(small)[f"tax → {labels[0]}"].forward == 3.0


def test_many_inputs_of_one_node() -> None:
    count = 1000
    nodes = [GraphNode(str(i), f"x{i}", Kind.VALUE) for i in range(count)]
    edges = [GraphEdge(str(i), "sum", np.asarray(float(i)), np.asarray(1.0)) for i in range(count)]
    small = folding(Graph((*nodes, GraphNode("sum", "sum", Kind.OPERATION)), tuple(edges)))
    fold = f"{count - MOST_INPUTS} inputs"
    assert len(small.nodes) == MOST_INPUTS + 2
    assert small.nodes[0].label == fold
    edge = by_ends(small)[f"{fold} → sum"]
    assert (edge.name, edge.forward, edge.backward) == (f"{count - MOST_INPUTS} values", None, None)


def test_edges_side_by_side_become_one() -> None:
    nodes = GraphNode("a", "a", Kind.VALUE), GraphNode("b", "b", Kind.OPERATION)
    for last, shown in ((2.0, 2.0), (3.0, None)):
        values = [2.0] * MOST_EDGES + [last]
        edges = tuple(GraphEdge("a", "b", np.asarray(x), np.asarray(0.5)) for x in values)
        small = folding(Graph(nodes, edges))
        assert small.nodes == nodes
        (edge,) = small.edges
        assert edge.forward == shown
        assert edge.backward == (None if shown is None else 0.5 * len(values))


def test_where_many_edges_meet_fewer_nodes_stay() -> None:
    inputs = [GraphNode(f"x{i}", f"x{i}", Kind.VALUE) for i in range(MOST_INPUTS)]
    sums = [GraphNode(f"sum{i}", f"sum{i}", Kind.OPERATION) for i in range(20)]
    edges = [GraphEdge(one.id, other.id) for one in inputs for other in sums] * 2
    small = folding(Graph((*inputs, *sums), tuple(edges)))
    assert [node.label for node in small.nodes if node.kind is Kind.OPERATION] == [
        "19 operations", "sum19",
    ]  # fmt: skip
    assert len(small.edges) == MOST_INPUTS * (2 + 1)


def test_layers_are_folded_into_a_box() -> None:
    small = folding(stack(200))
    assert small.nodes[0].kind is Kind.LAYER
    kept = len(small.nodes) - 2
    assert small.nodes[0].label == f"{200 - 1 - kept} nodes"


@pytest.mark.parametrize("seed", range(20))
def test_any_graph_becomes_small_and_stays_one(seed: int) -> None:
    """Graph itself refuses cycles, edges to nowhere, and gradients that do not fit."""
    sizes = ((12, 18), (150, 100), (150, 600), (40, 2000), (400, 0))
    for nodes, edges in sizes:
        graph = random_graph(seed, nodes, edges)
        small = folding(graph)
        assert not is_too_large(small.nodes, small.edges)
        own = {id(edge.forward) for edge in graph.edges}
        assert all(edge.forward is None or id(edge.forward) in own for edge in small.edges)


def test_an_id_of_its_own() -> None:
    graph = chain(*[(1.0, 1.0)] * 200)
    small = folding(Graph((*graph.nodes, GraphNode("folded0", "a", Kind.VALUE)), graph.edges))
    assert [node.id for node in small.nodes if node.id.startswith("folded")] == ["folded1", "folded0"]
