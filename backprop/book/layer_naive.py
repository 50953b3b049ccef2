"""The nodes of the book's computational graphs, as in its `ch05/layer_naive.py`."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np

from .carried import Carried
from .checks import kept, numbers

__all__ = ["AddLayer", "MulLayer"]


class MulLayer:
    """z = x y; dx = dout y, dy = dout x. Numbers, or arrays of one shape, or `Variable`s of these.

    Source: *Deep Learning from Scratch*, section 5.4.1.

    >>> mul_apple_layer = MulLayer()
    >>> mul_apple_layer.forward(100, 2), mul_apple_layer.backward(1.1)
    (200, (2.2, 110.00000000000001))
    >>> from backprop.graphs import Variable
    >>> print(MulLayer().forward(Variable(100, "apple"), Variable(2, "number")).graph())
    from    to      forward  gradient
    apple   ×       100      2
    number  ×       2        100
    ×       result  200      1
    """

    formula = Carried("mul")

    def __init__(self) -> None:
        self.x: Any = None
        self.y: Any = None

    def forward(self, x: Any, y: Any) -> Any:
        self.x, self.y = _pair("MulLayer", x, y)
        return self.x * self.y

    def backward(self, dout: Any) -> tuple[Any, Any]:
        x, y = kept("MulLayer", self.x, ", y"), self.y
        dout = _gradient("MulLayer", dout, _shape(x))
        return dout * y, dout * x


class AddLayer:
    """z = x + y; dx = dout, dy = dout. Numbers, or arrays of one shape, or `Variable`s of these.

    Source: *Deep Learning from Scratch*, section 5.4.2.

    >>> AddLayer().forward(200, 450)
    650
    """

    formula = Carried("add")

    def __init__(self) -> None:
        self._shape: tuple[int, ...] | None = None

    def forward(self, x: Any, y: Any) -> Any:
        x, y = _pair("AddLayer", x, y)
        self._shape = _shape(x)
        return x + y

    def backward(self, dout: Any) -> tuple[Any, Any]:
        dout = _gradient("AddLayer", dout, kept("AddLayer", self._shape, ", y"))
        return dout * 1, dout * 1


def _pair(name: str, x: Any, y: Any) -> tuple[Any, Any]:
    """Return both inputs as numbers, or as arrays; raise unless they have one shape."""
    if _shape(x) != _shape(y):
        raise ValueError(
            f"{name}: expected two numbers, or arrays of one shape, got {_shape(x)} and {_shape(y)}"
        )
    return _value(name, x), _value(name, y)


def _gradient(name: str, dout: Any, shape: tuple[int, ...]) -> Any:
    """Return the gradient that comes back, as numbers; raise unless it has this shape."""
    if _shape(dout) != shape:
        raise ValueError(f"{name}: expected dout {shape}, got {_shape(dout)}")
    return _value(name, dout)


def _value(name: str, x: Any) -> Any:
    """Return a number or variable as it is, and anything else as an array of floating-point numbers."""
    return x if isinstance(x, Real) or _is_variable(x) else numbers(name, x)[()]


def _shape(x: Any) -> tuple[int, ...]:
    shape: tuple[int, ...] = x.shape if _is_variable(x) else np.shape(x)
    return shape


def _is_variable(x: Any) -> bool:
    if isinstance(x, Real | np.ndarray):
        return False
    from ..graphs import Variable  # which numbers and arrays do not need

    return isinstance(x, Variable)
