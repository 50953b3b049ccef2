"""Computational graphs with their numbers on the edges, and variables that build them.

>>> from backprop.graphs import Variable, exp
>>> x = Variable(2.0, "x")
>>> y = exp(-x) * x
>>> y.backward()
>>> x.grad
-0.1353352832366127
"""

from .functions import (
    add,
    cos,
    divide,
    exp,
    log,
    matmul,
    max,
    mean,
    multiply,
    negative,
    power,
    relu,
    sigmoid,
    sin,
    sqrt,
    square,
    subtract,
    sum,
    tanh,
)
from .graph import Graph, GraphEdge, GraphNode, Kind
from .variable import Variable

__all__ = [
    "Graph",
    "GraphEdge",
    "GraphNode",
    "Kind",
    "Variable",
    "add",
    "cos",
    "divide",
    "exp",
    "log",
    "matmul",
    "max",
    "mean",
    "multiply",
    "negative",
    "power",
    "relu",
    "sigmoid",
    "sin",
    "sqrt",
    "square",
    "subtract",
    "sum",
    "tanh",
]
