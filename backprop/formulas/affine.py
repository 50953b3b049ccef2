"""The formula of the affine transformation."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ..backends import HostArray
from ..layers import Affine
from .expression import Partial, Symbol, equation, lines, sum_over, transposed
from .formula import Entry, Formula, Step, Steps, at, partial, total

if TYPE_CHECKING:
    from ..tracing.record import NodeTrace


def affine(node: Affine) -> Formula:
    """y = x W + b."""
    x, y, W, b = (Symbol(name) for name in "xyWb")
    dy = Partial("y")
    return Formula(
        equation(y, x * W + b),
        lines(
            equation(Partial("x"), dy * transposed(W)),
            equation(Partial("W"), transposed(x) * dy),
            equation(Partial("b"), sum_over("n", Partial("y", ("n",)))),
        ),
        entry=_entry,
        gradients={"x": _dx, "W": _dweights, "b": _db},
    )


def _entry(trace: NodeTrace, index: Entry) -> Steps:
    x, W, (n, j) = _flat(trace), trace.params["W"], index
    products = x[n].astype(np.float64) * W[:, j]
    y = total(products, lambda i: at("x", x, n, i) * at("W", W, i, j))
    return (Step(Symbol("y", index), y + at("b", trace.params["b"], j)),)


def _dx(trace: NodeTrace, index: Entry) -> Steps:
    dout, W, n = trace.dout, trace.params["W"], index[0]
    i = int(np.ravel_multi_index(index[1:], trace.inputs[0].shape[1:]))
    products = dout[n].astype(np.float64) * W[i]
    dx = total(products, lambda j: partial("y", dout, n, j) * at("W", W, i, j))
    return (Step(Partial("x", index), dx),)


def _dweights(trace: NodeTrace, index: Entry) -> Steps:
    x, dout, (i, j) = _flat(trace), trace.dout, index
    products = x[:, i].astype(np.float64) * dout[:, j]
    dW = total(products, lambda n: at("x", x, n, i) * partial("y", dout, n, j))
    return (Step(Partial("W", index), dW),)


def _db(trace: NodeTrace, index: Entry) -> Steps:
    dout, (j,) = trace.dout, index
    return (Step(Partial("b", index), total(dout[:, j], lambda n: partial("y", dout, n, j))),)


def _flat(trace: NodeTrace) -> HostArray:
    """The input with one row per sample."""
    x = trace.inputs[0]
    return x.reshape(x.shape[0], math.prod(x.shape[1:]))
