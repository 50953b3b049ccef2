"""Addition and multiplication of two inputs: the nodes of the book's computational graphs."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np

from ..backends import Array
from ..dtypes import copied
from .checks import check_dout, check_float, check_like
from .node import Node
from .spec import ArraySpec


class _Binary(Node):
    """A node with two inputs: two Python numbers, or two arrays of one shape."""

    def check_pair(self, x: Any, y: Any) -> None:
        """Raise unless `x` and `y` can be combined without broadcasting or promotion."""
        if isinstance(x, Real) and isinstance(y, Real):
            return
        check_float(self.name, x)
        check_like(self.name, y, x, "y and x")
        if x.shape != y.shape:
            raise ValueError(
                f"{self.name}: expected inputs of one shape, got {tuple(x.shape)} and {tuple(y.shape)}"
            )

    def check_gradient(self, dout: Any, x: Any) -> None:
        """Raise unless `dout` is a number where `x` is, or an array that fits it."""
        if not isinstance(x, Real):
            check_dout(self.name, dout, x)

    @classmethod
    def case(cls, rng: np.random.Generator) -> tuple[Any, ...]:
        return cls(), rng.standard_normal((3, 4)), rng.standard_normal((3, 4))


class Add(_Binary):
    """z = x + y; dx = dout, dy = dout. Numbers, or arrays of one shape.

    Source: *Deep Learning from Scratch*, section 5.4.2 (`AddLayer`).

    >>> add = Add()
    >>> add.forward(200, 450, training=True), add.backward(1.1)
    (650, (1.1, 1.1))
    """

    def forward(self, x: Any, y: Any, *, training: bool = False) -> Array:
        self.check_pair(x, y)
        self.saved = (x if isinstance(x, Real) else ArraySpec.of(x)) if training else None
        return x + y

    def backward(self, dout: Array) -> tuple[Array, Array]:
        self.check_gradient(dout, self.saved)
        return (dout, dout) if isinstance(self.saved, Real) else (copied(dout), copied(dout))


class Mul(_Binary):
    """z = x y, elementwise; dx = dout y, dy = dout x. Numbers, or arrays of one shape.

    Source: *Deep Learning from Scratch*, section 5.4.1 (`MulLayer`).

    >>> mul = Mul()
    >>> mul.forward(100, 2, training=True), mul.backward(1.5)
    (200, (3.0, 150.0))
    """

    def forward(self, x: Array, y: Array, *, training: bool = False) -> Array:
        self.check_pair(x, y)
        self.saved = (x, y) if training else None
        return x * y

    def backward(self, dout: Array) -> tuple[Array, Array]:
        x, y = self.saved
        self.check_gradient(dout, x)
        return dout * y, dout * x
