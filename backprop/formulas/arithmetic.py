"""Formulas of the operations of computational graphs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..layers import Add, Cos, Div, Exp, Log, MatMul, Mul, Neg, Pow, Power, Sin, Sqrt, Sub
from .elementwise import of_one, of_two
from .expression import Partial, Symbol, call, equation, lines, root, transposed
from .formula import Entry, Formula, Step, Steps, at, partial, total

if TYPE_CHECKING:
    from ..tracing.record import NodeTrace


def add(node: Add) -> Formula:
    """z = x + y."""
    return of_two(lambda x, y: x + y, lambda dz, x, y: dz, lambda dz, x, y: dz)


def sub(node: Sub) -> Formula:
    """z = x − y."""
    return of_two(lambda x, y: x - y, lambda dz, x, y: dz, lambda dz, x, y: -dz)


def mul(node: Mul) -> Formula:
    """z = x y."""
    return of_two(lambda x, y: x * y, lambda dz, x, y: dz * y, lambda dz, x, y: dz * x)


def div(node: Div) -> Formula:
    """z = x / y."""
    return of_two(lambda x, y: x / y, lambda dz, x, y: dz / y, lambda dz, x, y: -(dz * x / y**2))


def pow(node: Pow) -> Formula:
    """z = x^y."""
    return of_two(
        lambda x, y: x**y,
        lambda dz, x, y: dz * y * x ** (y - 1),
        lambda dz, x, y: dz * x**y * call("log", x),
    )


def neg(node: Neg) -> Formula:
    """y = −x."""
    return of_one(lambda x: -x, lambda dy, x, y: -dy)


def exp(node: Exp) -> Formula:
    """The exponential function."""
    return of_one(lambda x: call("exp", x), lambda dy, x, y: dy * y)


def log(node: Log) -> Formula:
    """The natural logarithm."""
    return of_one(lambda x: call("log", x), lambda dy, x, y: dy / x)


def sqrt(node: Sqrt) -> Formula:
    """The square root."""
    return of_one(root, lambda dy, x, y: dy / (2 * y))


def sin(node: Sin) -> Formula:
    """The sine."""
    return of_one(lambda x: call("sin", x), lambda dy, x, y: dy * call("cos", x))


def cos(node: Cos) -> Formula:
    """The cosine."""
    return of_one(lambda x: call("cos", x), lambda dy, x, y: -(dy * call("sin", x)))


def power(node: Power) -> Formula:
    """y = x^a with a fixed a."""
    a = node.exponent
    if a == 0.0:
        return of_one(lambda x: x**a, lambda dy, x, y: 0 * dy)
    return of_one(lambda x: x**a, lambda dy, x, y: a * dy * x ** (a - 1.0))


def matmul(node: MatMul) -> Formula:
    """z = x y, a product of matrices."""
    x, y, z, dz = Symbol("x"), Symbol("y"), Symbol("z"), Partial("z")
    return Formula(
        equation(z, x * y),
        lines(equation(Partial("x"), dz * transposed(y)), equation(Partial("y"), transposed(x) * dz)),
        "products of matrices",
        entry=_matmul_entry,
        gradients={"x": _matmul_dx, "y": _matmul_dy},
    )


def _matmul_entry(trace: NodeTrace, index: Entry) -> Steps:
    (x, y), (i, j) = trace.inputs, index
    products = x[i].astype(np.float64) * y[:, j]
    z = total(products, lambda k: at("x", x, i, k) * at("y", y, k, j))
    return (Step(Symbol("z", index), z),)


def _matmul_dx(trace: NodeTrace, index: Entry) -> Steps:
    dout, y, (i, k) = trace.dout, trace.inputs[1], index
    products = dout[i].astype(np.float64) * y[k]
    dx = total(products, lambda j: partial("z", dout, i, j) * at("y", y, k, j))
    return (Step(Partial("x", index), dx),)


def _matmul_dy(trace: NodeTrace, index: Entry) -> Steps:
    dout, x, (k, j) = trace.dout, trace.inputs[0], index
    products = x[:, k].astype(np.float64) * dout[:, j]
    dy = total(products, lambda i: at("x", x, i, k) * partial("z", dout, i, j))
    return (Step(Partial("y", index), dy),)
