"""The formula of the affine transformation."""

from __future__ import annotations

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
    x, W, (n, j) = trace.inputs[0], trace.params["W"], index
    products = x[n].ravel().astype(np.float64) * W[:, j]
    y = total(products, lambda i: at("x", x, n, *_place(x, i)) * at("W", W, i, j))
    return (Step(Symbol("y", index), y + at("b", trace.params["b"], j)),)


def _dx(trace: NodeTrace, index: Entry) -> Steps:
    dout, W, n = trace.dout, trace.params["W"], index[0]
    i = int(np.ravel_multi_index(index[1:], trace.inputs[0].shape[1:]))
    products = dout[n].astype(np.float64) * W[i]
    dx = total(products, lambda j: partial("y", dout, n, j) * at("W", W, i, j))
    return (Step(Partial("x", index), dx),)


def _dweights(trace: NodeTrace, index: Entry) -> Steps:
    x, dout, (i, j) = trace.inputs[0], trace.dout, index
    place = _place(x, i)
    products = x.reshape(len(x), -1)[:, i].astype(np.float64) * dout[:, j]
    dW = total(products, lambda n: at("x", x, n, *place) * partial("y", dout, n, j))
    return (Step(Partial("W", index), dW),)


def _db(trace: NodeTrace, index: Entry) -> Steps:
    dout, (j,) = trace.dout, index
    return (Step(Partial("b", index), total(dout[:, j], lambda n: partial("y", dout, n, j))),)


def _place(x: HostArray, i: int) -> Entry:
    """The place in a sample of the input that meets row i of W; of an image, (channel, row, column)."""
    return tuple(int(k) for k in np.unravel_index(i, x.shape[1:]))
