"""Formulas of the layers that move or drop numbers, or add a shortcut: shapes, dropout, residual blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..backends import HostArray, get_backend
from ..layers import Dropout, Residual
from ..layers.shape import Reshape
from ..text import digits
from .expression import Partial, Symbol, equation, lines, transposed
from .formula import Entry, Formula, Step, Steps, at, partial

if TYPE_CHECKING:
    from ..tracing.record import NodeTrace


def reshape(node: Reshape) -> Formula:
    """y = x in another shape."""
    return Formula(
        equation(Symbol("y"), Symbol("x")),
        equation(Partial("x"), Partial("y")),
        "the same numbers in another shape",
        entry=_reshaped,
        gradients={"x": _reshaped_back},
    )


def dropout(node: Dropout) -> Formula:
    """y = x m / (1 − r), with a random mask m."""
    share = f"m is a random mask: 0 with probability {digits(node.ratio)}, else 1"
    keep = 1 - Symbol("r", number=node.ratio)

    def entry(trace: NodeTrace, index: Entry) -> Steps | None:
        mask = _mask(trace)
        if mask is None:
            return None
        y = at("x", trace.inputs[0], *index) * at("m", mask, *index)
        return (Step(Symbol("y", index), y / keep if node.inverted else y),)

    def back(trace: NodeTrace, index: Entry) -> Steps | None:
        mask = _mask(trace)
        if mask is None:
            return None
        dx = partial("y", trace.dout, *index) * at("m", mask, *index)
        return (Step(Partial("x", index), dx / keep if node.inverted else dx),)

    y, dx = Symbol("x") * Symbol("m"), Partial("y") * Symbol("m")
    scale = Symbol("r")
    return Formula(
        equation(Symbol("y"), y / (1 - scale) if node.inverted else y),
        equation(Partial("x"), dx / (1 - scale) if node.inverted else dx),
        share + (f", and r = {digits(node.ratio)}" if node.inverted else ""),
        entry=entry,
        gradients={"x": back},
    )


def residual(node: Residual) -> Formula:
    """y = x + F(x)."""
    F, g, slope = Symbol("F"), Symbol("g"), Symbol("∂F") / Symbol("∂x")
    return Formula(
        equation(Symbol("y"), Symbol("x") + F),
        lines(equation(g, transposed(slope) * Partial("y")), equation(Partial("x"), Partial("y") + g)),
        f"F is what {' · '.join(node.layers)} make of x",
        "g is the gradient that comes back through F",
        _residual,
        {"x": _residual_back},
    )


def _reshaped(trace: NodeTrace, index: Entry) -> Steps:
    x = trace.inputs[0]
    return (Step(Symbol("y", index), at("x", x, *_same_place(index, trace.output, x))),)


def _reshaped_back(trace: NodeTrace, index: Entry) -> Steps:
    dout = trace.dout
    return (Step(Partial("x", index), partial("y", dout, *_same_place(index, trace.inputs[0], dout))),)


def _same_place(index: Entry, own: HostArray, other: HostArray) -> Entry:
    """The index of the same number in an array of another shape."""
    place = np.unravel_index(np.ravel_multi_index(index, own.shape), other.shape)
    return tuple(int(i) for i in place)


def _mask(trace: NodeTrace) -> HostArray | None:
    """The mask of the traced pass, drawn again; None if its count is unknown."""
    if "drawn" not in trace.state:
        return None
    dropout = trace.node.to(get_backend("cpu"))
    assert isinstance(dropout, Dropout)
    dropout.state["drawn"] = np.array(trace.state["drawn"])
    mask = dropout.forward(np.ones_like(trace.inputs[0]), training=True)
    return np.asarray(mask > 0.0, np.float64)


def _residual(trace: NodeTrace, index: Entry) -> Steps | None:
    if not trace.parts:
        return None
    through = at("F", trace.parts[-1].output, *index)
    return (Step(Symbol("y", index), at("x", trace.inputs[0], *index) + through),)


def _residual_back(trace: NodeTrace, index: Entry) -> Steps | None:
    through = trace.parts[0].dinputs[0] if trace.parts else None
    if through is None:
        return None
    dx = partial("y", trace.dout, *index) + at("g", through, *index)
    return (Step(Partial("x", index), dx),)
