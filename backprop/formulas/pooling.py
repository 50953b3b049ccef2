"""The formulas of pooling."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..backends import HostArray
from ..layers import AveragePooling, MaxPooling
from .expression import Expression, Partial, Symbol, equation, max_over, sum_over
from .formula import Entry, Formula, Step, Steps, at, largest, partial, total
from .windows import Window

if TYPE_CHECKING:
    from ..tracing.record import NodeTrace

OUTPUT = ("n", "c", "i", "j")


def max_pooling(node: MaxPooling) -> Formula:
    """y[n,c,i,j] = the largest x[n,c,i+u,j+v]."""
    window = _window(node)

    def entry(trace: NodeTrace, index: Entry) -> Steps:
        x, places = trace.inputs[0], _under(window, index, trace.inputs[0])
        values = np.asarray([x[place] for place in places], np.float64)
        return (Step(Symbol("y", index), largest(values, lambda i: at("x", x, *places[i]))),)

    def dx(trace: NodeTrace, index: Entry) -> Steps:
        x, dout = trace.inputs[0], trace.dout
        windows = _over(window, index, dout)
        chosen = [float(_first_largest(x, _under(window, place, x)) == index) for place in windows]
        values = np.asarray([dout[place] for place in windows], np.float64) * chosen

        def term(i: int) -> Expression:
            return partial("y", dout, *windows[i]) * Symbol("m", windows[i], chosen[i])

        return (Step(Partial("x", index), total(values, term)),)

    gradient = sum_over("i,j", Partial("y", OUTPUT) * Symbol("m", OUTPUT))
    return Formula(
        equation(Symbol("y", OUTPUT), max_over("u,v", Symbol("x", ("n", "c", *window.pixel())))),
        equation(Partial("x", ("n", "c", "r", "q")), gradient),
        _size(window),
        "m is 1 if x[n,c,r,q] is the first of the largest in the window (i, j), else 0",
        entry,
        {"x": dx},
    )


def average_pooling(node: AveragePooling) -> Formula:
    """y[n,c,i,j] = the mean of x[n,c,i+u,j+v]."""
    window = _window(node)
    size = window.height * window.width

    def entry(trace: NodeTrace, index: Entry) -> Steps:
        x, places = trace.inputs[0], _under(window, index, trace.inputs[0])
        values = np.asarray([x[place] for place in places], np.float64)
        return (Step(Symbol("y", index), total(values, lambda i: at("x", x, *places[i])) / size),)

    def dx(trace: NodeTrace, index: Entry) -> Steps:
        dout, windows = trace.dout, _over(window, index, trace.dout)
        values = np.asarray([dout[place] for place in windows], np.float64)
        return (Step(Partial("x", index), total(values, lambda i: partial("y", dout, *windows[i])) / size),)

    outside = "; x is 0 outside the image" if window.pad else ""
    return Formula(
        equation(Symbol("y", OUTPUT), sum_over("u,v", Symbol("x", ("n", "c", *window.pixel()))) / size),
        equation(Partial("x", ("n", "c", "r", "q")), sum_over("i,j", Partial("y", OUTPUT)) / size),
        f"{_size(window)}{outside}",
        "the gradient sums over the windows with x[n,c,r,q] in them",
        entry,
        {"x": dx},
    )


def _window(node: MaxPooling | AveragePooling) -> Window:
    return Window(node.pool_h, node.pool_w, node.stride_h, node.stride_w, node.pad)


def _size(window: Window) -> str:
    return f"windows of {window.height}×{window.width}"


def _under(window: Window, index: Entry, x: HostArray) -> list[Entry]:
    """The entries of x in the window of an entry of the output."""
    return [(*index[:2], r, q) for _, _, r, q in window.pixels(index[2:], x.shape[2:])]


def _over(window: Window, index: Entry, dout: HostArray) -> list[Entry]:
    """The entries of the output whose windows have an entry of x in them."""
    return [(*index[:2], i, j) for i, j, _, _ in window.covering(index[2:], dout.shape[2:])]


def _first_largest(x: HostArray, places: Sequence[Entry]) -> Entry:
    """The first of the largest entries; NaN counts as the largest, the last one if there are several."""
    best = places[0]
    for place in places[1:]:
        if x[place] > x[best] or x[place] != x[place]:
            best = place
    return best
