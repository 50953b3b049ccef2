"""Formulas of the layers that reduce axes, or repeat an array along new ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..backends import HostArray
from ..layers import Broadcast, Max, Mean, Sum
from .expression import Partial, Symbol, equation, max_over, sum_over
from .formula import Entry, Formula, Step, Steps, at, largest, partial, total
from .group import Group

if TYPE_CHECKING:
    from ..tracing.record import NodeTrace

x, y, dx, dy = Symbol("x"), Symbol("y"), Partial("x"), Partial("y")


def sum_(node: Sum) -> Formula:
    """y = Σ x."""

    def entry(trace: NodeTrace, index: Entry) -> Steps:
        group, values = _reduced(node, trace.inputs[0], index)
        return (Step(Symbol("y", index), total(values, lambda j: at("x", trace.inputs[0], *group.place(j)))),)

    def back(trace: NodeTrace, index: Entry) -> Steps:
        return (Step(Partial("x", index), partial("y", trace.dout, *_kept(node, trace, index))),)

    return Formula(equation(y, sum_over("", x)), equation(dx, dy), _over(node), "", entry, {"x": back})


def mean(node: Mean) -> Formula:
    """y = Σ x / n."""

    def entry(trace: NodeTrace, index: Entry) -> Steps:
        group, values = _reduced(node, trace.inputs[0], index)
        added = total(values, lambda j: at("x", trace.inputs[0], *group.place(j)))
        return (Step(Symbol("y", index), added / len(values)),)

    def back(trace: NodeTrace, index: Entry) -> Steps:
        n = trace.inputs[0].size // max(trace.output.size, 1)
        return (Step(Partial("x", index), partial("y", trace.dout, *_kept(node, trace, index)) / n),)

    n = Symbol("n")
    return Formula(
        equation(y, sum_over("", x) / n),
        equation(dx, dy / n),
        _over(node),
        entry=entry,
        gradients={"x": back},
    )


def max_(node: Max) -> Formula:
    """The largest x."""

    def entry(trace: NodeTrace, index: Entry) -> Steps:
        group, values = _reduced(node, trace.inputs[0], index)
        found = largest(values, lambda j: at("x", trace.inputs[0], *group.place(j)))
        return (Step(Symbol("y", index), found),)

    def back(trace: NodeTrace, index: Entry) -> Steps:
        own, kept = trace.inputs[0], _kept(node, trace, index)
        _, values = _reduced(node, own, kept)
        count = float((values == trace.output[kept]).sum())
        m = Symbol("m", index, float(own[index] == trace.output[kept]))
        return (Step(Partial("x", index), partial("y", trace.dout, *kept) * m / Symbol("c", kept, count)),)

    return Formula(
        equation(y, max_over("", x)),
        equation(dx, dy * Symbol("m") / Symbol("c")),
        _over(node),
        "m is 1 where x is the largest, else 0, and c is how many there are of the largest",
        entry,
        {"x": back},
    )


def broadcast(node: Broadcast) -> Formula:
    """y = x, repeated."""

    def source(own: HostArray, index: Entry) -> Entry:
        last = index[len(index) - own.ndim :]
        return tuple(0 if size == 1 else i for i, size in zip(last, own.shape, strict=True))

    def entry(trace: NodeTrace, index: Entry) -> Steps:
        return (Step(Symbol("y", index), at("x", trace.inputs[0], *source(trace.inputs[0], index))),)

    def back(trace: NodeTrace, index: Entry) -> Steps:
        dout, own = trace.dout, trace.inputs[0]
        new = dout.ndim - own.ndim
        ones = (1,) * new + own.shape
        axes = tuple(i for i in range(dout.ndim) if ones[i] != dout.shape[i])
        group = Group(dout.shape, axes, (0,) * new + index)
        copies = total(group.of(dout), lambda j: partial("y", dout, *group.place(j)))
        return (Step(Partial("x", index), copies),)

    notes = f"x is repeated to the shape {node.shape}", "the sum goes over the copies"
    return Formula(equation(y, x), equation(dx, sum_over("", dy)), *notes, entry, {"x": back})


def _over(node: Sum | Mean | Max) -> str:
    if node.axis is None:
        return "over all entries"
    return f"over the axes {node.axis}" if isinstance(node.axis, tuple) else f"over axis {node.axis}"


def _axes(node: Sum | Mean | Max, own: HostArray) -> tuple[int, ...]:
    """The axes of x that are reduced."""
    if node.axis is None:
        return tuple(range(own.ndim))
    axes = node.axis if isinstance(node.axis, tuple) else (node.axis,)
    return tuple(sorted(axis % own.ndim for axis in axes))


def _reduced(node: Sum | Mean | Max, own: HostArray, index: Entry) -> tuple[Group, HostArray]:
    """The entries of x that go into an entry of the output, and their values."""
    axes, kept = _axes(node, own), iter(index)
    first = tuple(
        (next(kept) if node.keepdims else 0) if axis in axes else next(kept) for axis in range(own.ndim)
    )
    group = Group(own.shape, axes, first)
    return group, group.of(own)


def _kept(node: Sum | Mean | Max, trace: NodeTrace, index: Entry) -> Entry:
    """The entry of the output that an entry of x goes into."""
    axes = _axes(node, trace.inputs[0])
    if node.keepdims:
        return tuple(0 if axis in axes else i for axis, i in enumerate(index))
    return tuple(i for axis, i in enumerate(index) if axis not in axes)
