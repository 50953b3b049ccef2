"""Elementwise activation functions: any shape in, the same shape out."""

from __future__ import annotations

import numpy as np

from backends import Array, namespace_of

from .base import Layer


class Identity(Layer):
    """y = x, dx = dout.

    Source: *Deep Learning from Scratch*, section 3.5 (the output layer for regression).

    >>> import numpy as np
    >>> Identity().forward(np.asarray([[1.0, -2.0]]))
    array([[ 1., -2.]])
    """

    def forward(self, x: Array, *, training: bool = False) -> Array:
        self.check_float(x)
        self.saved = x if training else None
        return x

    def backward(self, dout: Array) -> Array:
        self.check_dout(dout, self.saved)
        return dout

    @classmethod
    def case(cls, rng: np.random.Generator) -> tuple[Identity, np.ndarray]:
        return cls(), rng.standard_normal((3, 4))


class ReLU(Layer):
    """y = max(x, 0); dx = dout where x > 0, else 0 (also at x = 0, where there is a kink).

    Source: *Deep Learning from Scratch*, section 5.5.1, where it is spelled `Relu`.

    >>> import numpy as np
    >>> relu = ReLU()
    >>> relu.forward(np.asarray([[1.0, -2.0]]), training=True)
    array([[1., 0.]])
    >>> relu.backward(np.asarray([[5.0, 5.0]]))
    array([[5., 0.]])
    """

    def forward(self, x: Array, *, training: bool = False) -> Array:
        xp = self.check_float(x)
        y = xp.maximum(x, 0.0)
        self.saved = y if training else None
        return y

    def backward(self, dout: Array) -> Array:
        y = self.saved
        self.check_dout(dout, y)
        return dout * namespace_of(y).astype(y > 0.0, y.dtype)

    def region(self, x: Array) -> Array:
        return x > 0.0

    @classmethod
    def case(cls, rng: np.random.Generator) -> tuple[ReLU, np.ndarray]:
        return cls(), rng.uniform(0.1, 1.0, (3, 4)) * rng.choice([-1.0, 1.0], (3, 4))


Relu = ReLU


class Sigmoid(Layer):
    """y = 1 / (1 + exp(−x)), computed without overflow for any x; dx = dout · y (1 − y).

    Source: *Deep Learning from Scratch*, section 5.5.2.

    >>> import numpy as np
    >>> Sigmoid().forward(np.asarray([[0.0, -1000.0, 1000.0]]))
    array([[0.5, 0. , 1. ]])
    """

    def forward(self, x: Array, *, training: bool = False) -> Array:
        self.check_float(x)
        y = sigmoid(x)
        self.saved = y if training else None
        return y

    def backward(self, dout: Array) -> Array:
        y = self.saved
        self.check_dout(dout, y)
        return dout * y * (1.0 - y)

    @classmethod
    def case(cls, rng: np.random.Generator) -> tuple[Sigmoid, np.ndarray]:
        return cls(), rng.standard_normal((3, 4))


class Tanh(Layer):
    """y = tanh(x); dx = dout · (1 − y²).

    Source: *Deep Learning from Scratch*, section 6.2.2.

    >>> import numpy as np
    >>> Tanh().forward(np.asarray([[0.0, 1000.0]]))
    array([[0., 1.]])
    """

    def forward(self, x: Array, *, training: bool = False) -> Array:
        y = self.check_float(x).tanh(x)
        self.saved = y if training else None
        return y

    def backward(self, dout: Array) -> Array:
        y = self.saved
        self.check_dout(dout, y)
        return dout * (1.0 - y * y)

    @classmethod
    def case(cls, rng: np.random.Generator) -> tuple[Tanh, np.ndarray]:
        return cls(), rng.standard_normal((3, 4))


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(−x)) for a floating-point array, from exp(−|x|), which cannot overflow."""
    xp = namespace_of(x)
    z = xp.exp(-xp.abs(x))
    return xp.where(x >= 0.0, 1.0, z) / (1.0 + z)
