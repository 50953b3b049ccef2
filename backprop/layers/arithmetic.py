"""Arithmetic with two inputs: the nodes of the book's computational graphs."""

from __future__ import annotations

import math
from numbers import Real
from typing import Any

import numpy as np

from ..backends import Array, namespace_of
from ..dtypes import copied
from .checks import check_dout, check_float, check_like
from .node import Node
from .spec import ArraySpec


class Binary(Node):
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


class Add(Binary):
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


class Mul(Binary):
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


class Sub(Binary):
    """z = x − y; dx = dout, dy = −dout. Numbers, or arrays of one shape.

    >>> sub = Sub()
    >>> sub.forward(200, 450, training=True), sub.backward(1.1)
    (-250, (1.1, -1.1))
    """

    def forward(self, x: Any, y: Any, *, training: bool = False) -> Array:
        self.check_pair(x, y)
        self.saved = (x if isinstance(x, Real) else ArraySpec.of(x)) if training else None
        return x - y

    def backward(self, dout: Array) -> tuple[Array, Array]:
        self.check_gradient(dout, self.saved)
        return (dout if isinstance(self.saved, Real) else copied(dout)), -dout


class Div(Binary):
    """z = x / y, elementwise; dx = dout / y, dy = −dout x / y². Numbers, or arrays of one shape.

    Source: *Deep Learning from Scratch*, section 5.5.2, the node / of the sigmoid.

    >>> div = Div()
    >>> div.forward(3.0, 2.0, training=True), div.backward(1.0)
    (1.5, (0.5, -0.75))
    """

    def forward(self, x: Array, y: Array, *, training: bool = False) -> Array:
        self.check_pair(x, y)
        self.saved = (x, y) if training else None
        return x / y

    def backward(self, dout: Array) -> tuple[Array, Array]:
        x, y = self.saved
        self.check_gradient(dout, x)
        dx = dout / y
        return dx, -dx * (x / y)

    @classmethod
    def case(cls, rng: np.random.Generator) -> tuple[Any, ...]:
        x, y = rng.standard_normal((3, 4)), rng.uniform(0.5, 2.0, (3, 4))
        return cls(), x, y * rng.choice([-1.0, 1.0], (3, 4))


class Pow(Binary):
    """z = x^y, elementwise, for x above 0; dx = dout y x^(y − 1), dy = dout z log x.

    Numbers, or arrays of one shape. With a fixed exponent, x may have any sign: see `Power`.

    >>> pow = Pow()
    >>> pow.forward(1.0, 3.0, training=True), pow.backward(1.0)
    (1.0, (3.0, 0.0))
    """

    def forward(self, x: Any, y: Any, *, training: bool = False) -> Array:
        self.check_pair(x, y)
        if isinstance(x, Real) and x <= 0:
            raise ValueError(f"{self.name}: expected a base above 0, got {x}")
        self.saved = (x, y) if training else None
        return x**y

    def backward(self, dout: Array) -> tuple[Array, Array]:
        x, y = self.saved
        self.check_gradient(dout, x)
        log = math.log(x) if isinstance(x, Real) else namespace_of(x).log(x)
        return dout * y * x ** (y - 1.0), dout * x**y * log

    @classmethod
    def case(cls, rng: np.random.Generator) -> tuple[Any, ...]:
        return cls(), rng.uniform(0.5, 2.0, (3, 4)), rng.standard_normal((3, 4))


class MatMul(Node):
    """z = x y, the product of two matrices (N, K) and (K, M); dx = dout yᵀ, dy = xᵀ dout.

    Source: *Deep Learning from Scratch*, section 5.6.1, where the node is called dot.

    >>> import numpy as np
    >>> MatMul().forward(np.asarray([[1.0, 2.0]]), np.asarray([[3.0], [4.0]]))
    array([[11.]])
    """

    def forward(self, x: Array, y: Array, *, training: bool = False) -> Array:
        xp = check_float(self.name, x)
        check_like(self.name, y, x, "y and x")
        if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[0]:
            raise ValueError(
                f"{self.name}: expected matrices (N, K) and (K, M), got {tuple(x.shape)} and {tuple(y.shape)}"
            )
        z = xp.matmul(x, y)
        self.saved = (x, y, ArraySpec.of(z)) if training else None
        return z

    def backward(self, dout: Array) -> tuple[Array, Array]:
        x, y, form = self.saved
        check_dout(self.name, dout, form)
        xp = form.xp
        return xp.matmul(dout, xp.matrix_transpose(y)), xp.matmul(xp.matrix_transpose(x), dout)

    @classmethod
    def case(cls, rng: np.random.Generator) -> tuple[Any, ...]:
        return cls(), rng.standard_normal((3, 4)), rng.standard_normal((4, 2))
