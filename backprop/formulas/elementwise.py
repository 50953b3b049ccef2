"""Formulas of layers that treat every entry alike, with one input or two."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .expression import Expression, Partial, Symbol, equation, lines
from .formula import Entry, Formula, Step, Steps, at, partial

if TYPE_CHECKING:
    from ..tracing.record import NodeTrace

Forward = Callable[..., Expression]
Backward = Callable[..., Expression]


def of_one(forward: Forward, backward: Backward, note: str = "") -> Formula:
    """y = forward(x); ∂L/∂x = backward(∂L/∂y, x, y)."""

    def entry(trace: NodeTrace, index: Entry) -> Steps:
        return (Step(Symbol("y", index), forward(at("x", trace.inputs[0], *index))),)

    def gradient(trace: NodeTrace, index: Entry) -> Steps:
        x, y = at("x", trace.inputs[0], *index), at("y", trace.output, *index)
        return (Step(Partial("x", index), backward(partial("y", trace.dout, *index), x, y)),)

    x, y = Symbol("x"), Symbol("y")
    return Formula(
        equation(y, forward(x)),
        equation(Partial("x"), backward(Partial("y"), x, y)),
        note,
        entry=entry,
        gradients={"x": gradient},
    )


def of_two(forward: Forward, dx: Backward, dy: Backward) -> Formula:
    """z = forward(x, y); ∂L/∂x = dx(∂L/∂z, x, y), ∂L/∂y = dy(∂L/∂z, x, y)."""

    def entry(trace: NodeTrace, index: Entry) -> Steps:
        x, y = (at(name, array, *index) for name, array in zip("xy", trace.inputs, strict=True))
        return (Step(Symbol("z", index), forward(x, y)),)

    def gradient(name: str, backward: Backward) -> Any:
        def work(trace: NodeTrace, index: Entry) -> Steps:
            x, y = (at(key, array, *index) for key, array in zip("xy", trace.inputs, strict=True))
            return (Step(Partial(name, index), backward(partial("z", trace.dout, *index), x, y)),)

        return work

    x, y, dz = Symbol("x"), Symbol("y"), Partial("z")
    return Formula(
        equation(Symbol("z"), forward(x, y)),
        lines(equation(Partial("x"), dx(dz, x, y)), equation(Partial("y"), dy(dz, x, y))),
        entry=entry,
        gradients={"x": gradient("x", dx), "y": gradient("y", dy)},
    )
