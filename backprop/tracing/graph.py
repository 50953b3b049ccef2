"""The computational graph of a trace."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from ..backends import HostArray
from ..formulas import formula_of
from ..graphs import Graph, GraphEdge, GraphNode, Kind
from ..layers import ConvolutionReLUPooling, Residual
from .folding import repeats
from .record import NodeTrace

if TYPE_CHECKING:
    from .batch import Trace

LONGEST_DETAIL = 38
"""The longest text below the name in a layer's box."""

MANY = 6
"""So many repetitions of a group are drawn as the first, the last and one node between them."""


def graph_of(trace: Trace) -> Graph:
    """The graph from x through the layers to the loss, with parameters and target coming from the side.

    Its `collapsed` has no parameters, blocks as single nodes, and one node for every group of layers that
    repeats. The next ones have a node for all repetitions of a group but the first and the last one, then
    for all repetitions, and then for all layers.
    """
    check_stack(trace)
    layers = list(trace.layers.values())
    runs = repeats([layer.node.__class__.__name__ for layer in layers])
    repetitions = [layers[run.start : run.stop] for run in runs]
    groups = [[layers[i : i + run.length] for i in range(run.start, run.stop, run.length)] for run in runs]
    ends = [part for run in groups for part in _ends(run)]
    graph = None
    for parts in ([layers], repetitions, ends, [group for run in groups for group in run]):
        drawing = Drawing(trace)
        for part in parts:
            drawing.group(part)
        graph = drawing.finished(graph)
    drawing = Drawing(trace)
    for layer in layers:
        drawing.layer(layer)
    return drawing.finished(graph)


def _ends(groups: list[list[NodeTrace]]) -> list[list[NodeTrace]]:
    """The first and the last one of many groups that repeat, and all others as one between them."""
    if len(groups) < MANY:
        return groups
    first, *middle, last = groups
    return [first, [layer for group in middle for layer in group], last]


def check_stack(trace: Trace) -> None:
    """Raise unless every layer gets what the one before gives, as the graph shows it."""
    for stack in ([*trace.layers.values(), trace.loss], *(node.parts for node in trace.nodes())):
        for below, above in pairwise(stack):
            if not (_same(below.output, above.inputs[0]) and _same(below.dout, above.dinputs[0])):
                raise ValueError(
                    f"{trace.name}: the graph shows a stack of layers, but {above.name} does not get what "
                    f"{below.name} gives; trace.show() shows what both get and give"
                )


def _same(one: HostArray, other: HostArray | None) -> bool:
    return other is not None and np.array_equal(one, other, equal_nan=True)


class Drawing:
    """Nodes and edges from x upward: each method adds to the node that was the last."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.nodes = [GraphNode("x", "x", Kind.VALUE)]
        self.edges: list[GraphEdge] = []
        self.last = "x"

    def layer(self, node: NodeTrace) -> None:
        """A layer with its parameters, or the layers of a block."""
        if node.parts and getattr(type(node.node), "forward", None) is Residual.forward:
            self._residual(node)
            return
        self._add(f"layer {node.name}", node.name, Kind.LAYER, _formula(node), node)
        for key, value in node.params.items():
            is_decayed = self.trace.weight_decay and key.rpartition(".")[2] == "W"
            name = "gradient with λ W" if is_decayed else ""
            self._value(f"{key} of {node.name}", key, value, node.grads[key], name)

    def group(self, nodes: Sequence[NodeTrace]) -> None:
        """One or several layers as one node."""
        first, last = nodes[0], nodes[-1]
        if first is last:
            self._add(f"layer {first.name}", first.name, Kind.LAYER, _formula(first), first)
        else:
            label, detail = f"{first.node.name} … {last.node.name}", _contents(nodes)
            if len(nodes) == 2 and detail == _names(nodes):  # which the label would only repeat
                label, detail = detail, ""
            self._add(f"layers from {first.name}", label, Kind.LAYER, detail, first)

    def finished(self, collapsed: Graph | None) -> Graph:
        """The graph with the loss on top; `collapsed` is the same with fewer nodes."""
        trace, loss = self.trace, self.trace.loss
        self._add("loss", loss.name, Kind.LOSS, _formula(loss), loss)
        self._value("t", "t", trace.t, None)
        result, one = loss.output, loss.dout
        if trace.weight_decay:
            self._join("penalized", "+", result, one)
            result = np.asarray(trace.value, loss.output.dtype)
            self._value("penalty", "λ/2 Σ W²", result - loss.output, one)
        self._join("L", "L", result, one, Kind.VALUE)
        if collapsed and len(collapsed.nodes) >= len(self.nodes):
            collapsed = collapsed.collapsed
        return Graph(tuple(self.nodes), tuple(self.edges), f"{trace.name}, {trace.entries}", collapsed)

    def _residual(self, node: NodeTrace) -> None:
        """Two ways from the last node: through the layers of the block, and past them to the sum."""
        below = self.last
        for part in node.parts:
            self.layer(part)
        self._join(f"sum of {node.name}", "+", node.parts[-1].output, node.dout)
        self.edges.append(GraphEdge(below, self.last, node.inputs[0], node.dout))

    def _add(self, id: str, label: str, kind: Kind, detail: str, node: NodeTrace) -> None:
        """A node that gets the input of this layer from the last one."""
        self._join(id, label, node.inputs[0], node.dinputs[0], kind, detail)

    def _join(
        self, id: str, label: str, forward: HostArray, backward: HostArray | None,
        kind: Kind = Kind.OPERATION, detail: str = "",
    ) -> None:  # fmt: skip
        """A node above the last one, and the edge between them."""
        self.nodes.append(GraphNode(id, label, kind, detail))
        self.edges.append(GraphEdge(self.last, id, forward, backward))
        self.last = id

    def _value(
        self, id: str, label: str, forward: HostArray, backward: HostArray | None, name: str = ""
    ) -> None:
        """A value that goes into the last node from the side."""
        self.nodes.append(GraphNode(id, label, Kind.VALUE))
        self.edges.append(GraphEdge(id, self.last, forward, backward, name))


def _formula(node: NodeTrace) -> str:
    """The equation of the layer's output if it fits into a box, else its class unless the name says it."""
    formula, kind = formula_of(node.node), node.node.__class__.__name__
    *_, equation = [""] if formula is None else formula.forward.text().split("; ")
    if 0 < len(equation) <= LONGEST_DETAIL:
        return equation
    return "" if kind == node.name else kind


def _contents(nodes: Sequence[NodeTrace]) -> str:
    """The names of several layers if they fit into a box, else their classes."""
    names = _names(nodes)
    return names if len(names) <= LONGEST_DETAIL else _kinds(nodes)


def _names(nodes: Sequence[NodeTrace]) -> str:
    return ", ".join(map(_parts, nodes))


def _parts(node: NodeTrace) -> str:
    """The layer's name; for a merged one, those of the layers it stands for."""
    is_merged = isinstance(node.node, ConvolutionReLUPooling)
    return re.sub(" with | and ", ", ", node.name) if is_merged else node.name


def _kinds(nodes: Sequence[NodeTrace]) -> str:
    """The classes of layers, with how often they repeat: "3 × (Affine · ReLU) · Affine"."""
    kinds = [node.node.__class__.__name__ for node in nodes]
    parts = []
    for run in repeats(kinds):
        group = " · ".join(kinds[run.start : run.start + run.length])
        group = f"({group})" if run.length > 1 else group  # which is repeated
        parts.append(f"{run.count} × {group}" if run.count > 1 else group)
    return " · ".join(parts)
