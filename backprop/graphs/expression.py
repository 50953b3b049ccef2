"""The graph of an expression: its inputs, its nodes and its result, with all values and gradients."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..backends import Array, HostArray
from ..layers import (
    Add,
    Broadcast,
    Cos,
    Div,
    Exp,
    Log,
    MatMul,
    Max,
    Mean,
    Mul,
    Neg,
    Node,
    Pow,
    Power,
    ReLU,
    Sigmoid,
    Sin,
    Softmax,
    Sqrt,
    Sub,
    Sum,
    Tanh,
)
from ..losses import Loss
from ..text import digits, shape
from .applied import Flow, ancestors, on_host
from .graph import Graph
from .parts import GraphEdge, GraphNode, Kind

if TYPE_CHECKING:
    from .variable import Variable

SYMBOLS: dict[type[Node], str] = {
    Add: "+", Sub: "−", Mul: "×", Div: "/", Pow: "^", MatMul: "dot", Neg: "−", Exp: "exp", Log: "log",
    Sqrt: "√", Sin: "sin", Cos: "cos", Tanh: "tanh", Sigmoid: "sigmoid", ReLU: "ReLU", Softmax: "softmax",
    Sum: "sum", Mean: "mean", Max: "max", Broadcast: "broadcast",
}  # fmt: skip
"""What is written into the circle of a node."""

OPERATIONS = (*SYMBOLS, Power)
"""The operations of expressions."""

ORDERED = {Sub: "left − right", Div: "left / right", Pow: "left ^ right", MatMul: "left · right"}
"""The operations whose inputs cannot change places, and so are named on their edges."""

SUPERSCRIPTS = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")


def graph_of(variable: Variable, flow: Flow, title: str) -> Graph:
    """The graph of how a variable was computed; `flow` has the gradients."""
    nodes: list[GraphNode] = []
    edges: list[GraphEdge] = []
    ids: dict[int, str] = {}
    for current in ancestors(variable):
        id_ = ids[id(current)] = f"n{len(nodes)}"
        if current.origin is None:
            label = current.name or ("constant" if current.is_constant else "input")
            nodes.append(GraphNode(id_, label, Kind.VALUE))
            continue
        node = current.origin.node
        nodes.append(_drawn(id_, node))
        parts = flow.parts.get(id(current), [None] * len(current.origin.inputs))
        for i, (x, part) in enumerate(zip(current.origin.inputs, parts, strict=True)):
            side = ("left", "right")[i] if type(node) in ORDERED else ""
            name = ": ".join(filter(None, (side, x.name if x.origin is not None else "")))
            edges.append(GraphEdge(ids[id(x)], id_, x.host(), _host(part), name))
    if variable.origin is not None:
        nodes.append(GraphNode("result", variable.name or "result", Kind.VALUE))
        dout = _host(flow.totals[id(variable)])
        edges.append(GraphEdge(ids[id(variable)], "result", variable.host(), dout))
    return Graph(tuple(nodes), tuple(edges), title)


def _drawn(id_: str, node: Node) -> GraphNode:
    if isinstance(node, Power):
        return GraphNode(id_, _power(node.exponent), Kind.OPERATION)
    symbol = SYMBOLS.get(type(node))
    if symbol is not None:
        return GraphNode(id_, symbol, Kind.OPERATION, ORDERED.get(type(node), ""))
    kind = Kind.LOSS if isinstance(node, Loss) else Kind.LAYER
    shapes = ", ".join(f"{key} {shape(value.shape)}" for key, value in node.params.items())
    return GraphNode(id_, node.name, kind, shapes)


def _power(exponent: float) -> str:
    """Symbol of a power.

    >>> _power(2.0), _power(-1.0), _power(0.5)
    ('x²', 'x⁻¹', 'x^0.5')
    """
    if exponent == int(exponent):
        return f"x{int(exponent)}".translate(SUPERSCRIPTS)
    return f"x^{digits(exponent)}"


def _host(array: Array | None) -> HostArray | None:
    return None if array is None else on_host(array)
