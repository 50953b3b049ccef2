"""Formulas of the activation functions."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ..backends import HostArray
from ..layers import GELU, Identity, LeakyReLU, ReLU, Sigmoid, Softmax, Tanh
from ..text import digits
from .elementwise import of_one
from .expression import Expression, Partial, Symbol, call, choice, equation, lines, root, sum_over
from .formula import Entry, Formula, Step, Steps, at, partial, total

if TYPE_CHECKING:
    from ..tracing.record import NodeTrace


def identity(node: Identity) -> Formula:
    """y = x."""
    return of_one(lambda x: x, lambda dy, x, y: dy)


def relu(node: ReLU) -> Formula:
    """y = max(x, 0)."""
    return of_one(lambda x: call("max", x, 0), lambda dy, x, y: choice(dy, x, 0, 0))


def leaky_relu(node: LeakyReLU) -> Formula:
    """y = x if x > 0, else α x."""
    slope = Symbol("α", number=node.slope)
    return of_one(
        lambda x: choice(x, x, 0, slope * x),
        lambda dy, x, y: choice(dy, x, 0, slope * dy),
        f"α = {digits(node.slope)}",
    )


def sigmoid(node: Sigmoid) -> Formula:
    """y = 1 / (1 + exp(−x))."""
    return of_one(lambda x: 1 / (1 + call("exp", -x)), lambda dy, x, y: dy * y * (1 - y))


def tanh(node: Tanh) -> Formula:
    """The hyperbolic tangent."""
    return of_one(lambda x: call("tanh", x), lambda dy, x, y: dy * (1 - y**2))


def gelu(node: GELU) -> Formula:
    """y = x/2 (1 + tanh u), with u = √(2/π) (x + 0.044715 x³)."""
    x, u = Symbol("x"), Symbol("u")
    return Formula(
        lines(equation(u, _gelu_u(x)), equation(Symbol("y"), _gelu(x, u))),
        equation(Partial("x"), _gelu_gradient(Partial("y"), x, u)),
        "the form with tanh, which needs no error function",
        entry=_gelu_entry,
        gradients={"x": _gelu_back},
    )


def softmax(node: Softmax) -> Formula:
    """y = exp(x − m) / Σ exp(x − m), with the largest x as m."""
    x, y, m = (Symbol(name, ("k",)) for name in "xym")
    m, other = Symbol("m"), Symbol("x", ("j",))
    dy = Partial("y", ("j",)) * Symbol("y", ("j",))
    exp_sum = sum_over("j", call("exp", other - m))
    return Formula(
        equation(y, call("exp", x - m) / exp_sum),
        equation(Partial("x", ("k",)), y * (Partial("y", ("k",)) - sum_over("j", dy))),
        "m is the largest x of the sample: without it, the exponentials could overflow; sums go along the "
        "last axis",
        entry=_softmax_entry,
        gradients={"x": _softmax_back},
    )


def exponentials(x: HostArray, index: Entry) -> tuple[Step, Step]:
    """The largest number m of a row x[index], and S, the sum of exp(x − m) along it."""
    row = x[index].astype(np.float64)
    largest = Step(Symbol("m", index), at("x", x, *index, int(np.argmax(row))))
    m = largest.known()
    with np.errstate(all="ignore"):
        exp = np.exp(row - largest.value)
    return largest, Step(Symbol("S", index), total(exp, lambda j: call("exp", at("x", x, *index, j) - m)))


def _softmax_entry(trace: NodeTrace, index: Entry) -> Steps:
    x, lead = trace.inputs[0], index[:-1]
    largest, exp_sum = exponentials(x, lead)
    y = call("exp", at("x", x, *index) - largest.known()) / exp_sum.known()
    return largest, exp_sum, Step(Symbol("y", index), y)


def _softmax_back(trace: NodeTrace, index: Entry) -> Steps:
    y, dout, lead = trace.output, trace.dout, index[:-1]

    def term(j: int) -> Expression:
        return partial("y", dout, *lead, j) * at("y", y, *lead, j)

    products = dout[lead].astype(np.float64) * y[lead]
    mean = Step(Symbol("s", lead), total(products, term))
    dx = at("y", y, *index) * (partial("y", dout, *index) - mean.known())
    return mean, Step(Partial("x", index), dx)


UNIT, CUBE = root(2 / Symbol("π", number=math.pi)), 0.044715


def _gelu_u(x: Expression) -> Expression:
    return UNIT * (x + CUBE * x**3)


def _gelu(x: Expression, u: Expression) -> Expression:
    return x / 2 * (1 + call("tanh", u))


def _gelu_gradient(dy: Expression, x: Expression, u: Expression) -> Expression:
    slope = UNIT * (1 + 3 * CUBE * x**2)
    return dy * ((1 + call("tanh", u)) / 2 + x / 2 * (1 - call("tanh", u) ** 2) * slope)


def _gelu_entry(trace: NodeTrace, index: Entry) -> Steps:
    x = at("x", trace.inputs[0], *index)
    u = Step(Symbol("u", index), _gelu_u(x))
    return u, Step(Symbol("y", index), _gelu(x, u.known()))


def _gelu_back(trace: NodeTrace, index: Entry) -> Steps:
    x = at("x", trace.inputs[0], *index)
    u = Step(Symbol("u", index), _gelu_u(x))
    dx = _gelu_gradient(partial("y", trace.dout, *index), x, u.known())
    return u, Step(Partial("x", index), dx)
