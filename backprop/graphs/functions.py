"""Functions of variables: each makes a node, applies it and records it."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Real
from typing import TYPE_CHECKING, Any, TypeAlias

from ..layers import (
    Add,
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
    Sqrt,
    Sub,
    Sum,
    Tanh,
)

if TYPE_CHECKING:
    from .variable import Variable

__all__ = [
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

Operand: TypeAlias = Any
"""A variable, or what is constant: a number or an array."""

Axis: TypeAlias = int | tuple[int, ...] | None


def add(x: Operand, y: Operand) -> Variable:
    """x + y."""
    return _result(Add(), x, y)


def subtract(x: Operand, y: Operand) -> Variable:
    """x − y."""
    return _result(Sub(), x, y)


def multiply(x: Operand, y: Operand) -> Variable:
    """x y, entry by entry."""
    return _result(Mul(), x, y)


def divide(x: Operand, y: Operand) -> Variable:
    """x / y, entry by entry."""
    return _result(Div(), x, y)


def matmul(x: Operand, y: Operand) -> Variable:
    """x y, the product of two matrices."""
    return _result(MatMul(), x, y)


def power(x: Operand, y: Operand) -> Variable:
    """x^y; for a number y, x may have any sign, otherwise it must be above 0."""
    if isinstance(y, Real):
        return _result(Power(float(y)), x)
    if isinstance(x, Real) and x <= 0:
        raise ValueError(f"power: expected a base above 0, got {x}")
    return _result(Pow(), x, y)


def square(x: Variable) -> Variable:
    """x²."""
    return _result(Power(2), x)


def negative(x: Operand) -> Variable:
    """−x."""
    return _result(Neg(), x)


def exp(x: Variable) -> Variable:
    """The exponential of x."""
    return _result(Exp(), x)


def log(x: Variable) -> Variable:
    """The natural logarithm of x."""
    return _result(Log(), x)


def sqrt(x: Variable) -> Variable:
    """The square root of x."""
    return _result(Sqrt(), x)


def sin(x: Variable) -> Variable:
    """The sine of x."""
    return _result(Sin(), x)


def cos(x: Variable) -> Variable:
    """The cosine of x."""
    return _result(Cos(), x)


def tanh(x: Variable) -> Variable:
    """The hyperbolic tangent of x."""
    return _result(Tanh(), x)


def sigmoid(x: Variable) -> Variable:
    """1 / (1 + exp(−x))."""
    return _result(Sigmoid(), x)


def relu(x: Variable) -> Variable:
    """max(x, 0)."""
    return _result(ReLU(), x)


def sum(x: Variable, axis: Axis = None, keepdims: bool = False) -> Variable:
    """The sum over an axis, several, or by default all."""
    return _result(Sum(axis, keepdims), x)


def mean(x: Variable, axis: Axis = None, keepdims: bool = False) -> Variable:
    """The mean over an axis, several, or by default all."""
    return _result(Mean(axis, keepdims), x)


def max(x: Variable, axis: Axis = None, keepdims: bool = False) -> Variable:
    """The largest entry over an axis, several, or by default all."""
    return _result(Max(axis, keepdims), x)


BY_NAME: dict[str, Callable[..., Variable]] = {
    function.__name__: function
    for function in (
        *(add, subtract, multiply, divide, matmul, power, square, negative),
        *(exp, log, sqrt, sin, cos, tanh, sum, mean, max),
    )
} | {"dot": matmul}
"""What stands in for the function of NumPy with this name."""


def _result(node: Node, *inputs: Operand) -> Variable:
    found: Variable = node(*inputs)
    return found
