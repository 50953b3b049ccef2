"""A graph that is too large to draw, made smaller: what lies far from the results becomes one node."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import count

import numpy as np

from .layering import levels
from .parts import GraphEdge, GraphNode, Kind
from .shapes import total_gradient

MOST_NODES, MOST_EDGES, MOST_DEEP = 100, 150, 36
"""A drawing with more is hard to read: 36 layers one above the other are some 6,000 pixels high."""

KEPT = (12, 6, 3, 1)
"""How many nodes nearest to the results stay: the first of these that makes the graph small enough."""

MOST_INPUTS = 24
"""How many inputs stay at most."""

MOST_PARALLEL = 2
"""More edges between the same two nodes become one."""

Parts = tuple[tuple[GraphNode, ...], tuple[GraphEdge, ...]]
"""The nodes and edges of a graph."""


def is_too_large(nodes: Sequence[GraphNode], edges: Sequence[GraphEdge]) -> bool:
    """Whether there are too many nodes or edges to draw, or too many nodes one after another."""
    if len(nodes) > MOST_NODES or len(edges) > MOST_EDGES:
        return True
    return max(levels(len(nodes), _links(nodes, edges), near=1)) >= MOST_DEEP


def folded(nodes: Sequence[GraphNode], edges: Sequence[GraphEdge]) -> Parts:
    """The graph with one node for all but those nearest to the results and some inputs.

    Of the inputs, those of the nodes that stay do so first, then those whose name no other has. Only from
    inputs do edges lead into the new node, so there is no cycle.
    """
    smaller = (_folded(nodes, edges, most) for most in KEPT)
    return next(graph for graph in smaller if not is_too_large(*graph))


def _folded(nodes: Sequence[GraphNode], edges: Sequence[GraphEdge], most: int) -> Parts:
    targets = {edge.target for edge in edges}
    kept = set(_nearest(nodes, edges, most))
    kept |= set(_inputs(nodes, edges, kept)[:MOST_INPUTS])
    rest = [node for node in nodes if node.id not in kept]
    fold = [_fold(rest, targets, _free(nodes))] if rest else []
    bundles: dict[tuple[str, str], list[GraphEdge]] = {}
    for edge in edges:
        source, target = (end if end in kept else fold[0].id for end in (edge.source, edge.target))
        if source != target:
            bundles.setdefault((source, target), []).append(edge)
    found = [edge for ends, bundle in bundles.items() for edge in _bundled(*ends, bundle)]
    return (*fold, *(node for node in nodes if node.id in kept)), tuple(found)


def _nearest(nodes: Sequence[GraphNode], edges: Sequence[GraphEdge], most: int) -> list[str]:
    """The nodes nearest to the results, inputs apart; all that these lead to are among them."""
    targets = {edge.target for edge in edges}
    back = [(target, source) for source, target in _links(nodes, edges)]
    distance = levels(len(nodes), back, near=len(nodes))
    inner = [i for i, node in enumerate(nodes) if node.id in targets]
    return [nodes[i].id for i in sorted(inner, key=lambda i: (distance[i], -i))[:most]]


def _inputs(nodes: Sequence[GraphNode], edges: Sequence[GraphEdge], kept: set[str]) -> list[str]:
    """The inputs of the nodes that are kept, then those whose name no other has."""
    targets = {edge.target for edge in edges}
    inputs = [node for node in nodes if node.id not in targets]
    names = Counter(node.label for node in inputs)
    beside = [edge.source for edge in reversed(edges) if edge.target in kept and edge.source not in targets]
    return list(dict.fromkeys([*beside, *(node.id for node in inputs if names[node.label] == 1)]))


def _fold(rest: Sequence[GraphNode], targets: set[str], id: str) -> GraphNode:
    """The node that stands for the rest, and says how much that is."""
    inner = [node for node in rest if node.id in targets]
    what = "operation" if all(node.kind is Kind.OPERATION for node in inner) else "node"
    counts = {what: len(inner), "input": len(rest) - len(inner)}
    label = ", ".join(f"{n:,} {name}{'s' * (n != 1)}" for name, n in counts.items() if n)
    has_boxes = any(node.kind in (Kind.LAYER, Kind.LOSS) for node in inner)
    return GraphNode(id, label, Kind.LAYER if has_boxes else Kind.OPERATION)


def _free(nodes: Sequence[GraphNode]) -> str:
    """An id that no node has."""
    ids = {node.id for node in nodes}
    return next(id for i in count() if (id := f"folded{i}") not in ids)


def _bundled(source: str, target: str, bundle: Sequence[GraphEdge]) -> Iterator[GraphEdge]:
    """The edges between two nodes; many become one, with its value and the sum of gradients if it has one."""
    first = bundle[0]
    if len(bundle) <= MOST_PARALLEL:
        yield from (replace(edge, source=source, target=target) for edge in bundle)
    elif all(edge.source == first.source and _same(edge, first) for edge in bundle):
        total = total_gradient(first.source, bundle)
        yield GraphEdge(source, target, first.forward, total, f"{len(bundle):,} uses")
    else:
        yield GraphEdge(source, target, name=f"{len(bundle):,} values")


def _same(one: GraphEdge, other: GraphEdge) -> bool:
    if one.forward is None or other.forward is None:
        return one.forward is other.forward
    return np.array_equal(one.forward, other.forward, equal_nan=True)


def _links(nodes: Sequence[GraphNode], edges: Sequence[GraphEdge]) -> list[tuple[int, int]]:
    index = {node.id: i for i, node in enumerate(nodes)}
    return [(index[edge.source], index[edge.target]) for edge in edges]
