"""Elementwise activation functions: any shape in, the same shape out."""

from __future__ import annotations

import math

import numpy as np

from ..backends import Array, Namespace, fused
from ..dtypes import copied, narrowed, widened
from .checks import check_dout, check_float
from .layer import Layer
from .spec import ArraySpec


class Identity(Layer):
    """y = x, dx = dout.

    Source: *Deep Learning from Scratch*, section 3.5 (the output layer for regression).

    >>> import numpy as np
    >>> Identity().forward(np.asarray([[1.0, -2.0]]))
    array([[ 1., -2.]])
    """

    def forward(self, x: Array, *, training: bool = False) -> Array:
        check_float(self.name, x)
        self.saved = ArraySpec.of(x) if training else None
        return copied(x)

    def backward(self, dout: Array) -> Array:
        check_dout(self.name, dout, self.saved)
        return copied(dout)

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
        xp = check_float(self.name, x)
        if not training:
            self.saved = None
            return xp.maximum(x, 0.0)
        y, positive = _relu(x)
        self.saved = positive, ArraySpec.of(y)
        return y

    def backward(self, dout: Array) -> Array:
        positive, form = self.saved
        check_dout(self.name, dout, form)
        return where_true(dout, positive)

    def region(self, x: Array) -> Array:
        return x > 0.0

    @classmethod
    def case(cls, rng: np.random.Generator) -> tuple[ReLU, np.ndarray]:
        return cls(), rng.uniform(0.1, 1.0, (3, 4)) * rng.choice([-1.0, 1.0], (3, 4))


Relu = ReLU


@fused
def _relu(xp: Namespace, x: Array) -> tuple[Array, Array]:
    y = xp.maximum(x, 0.0)
    return y, y > 0.0


@fused
def where_true(xp: Namespace, dout: Array, mask: Array) -> Array:
    """The gradient where the mask is true, else 0."""
    return dout * xp.astype(mask, dout.dtype)


class Sigmoid(Layer):
    """y = 1 / (1 + exp(−x)), computed without overflow for any x; dx = dout · y (1 − y).

    Source: *Deep Learning from Scratch*, section 5.5.2.

    >>> import numpy as np
    >>> Sigmoid().forward(np.asarray([[0.0, -1000.0, 1000.0]]))
    array([[0.5, 0. , 1. ]])
    """

    def forward(self, x: Array, *, training: bool = False) -> Array:
        check_float(self.name, x)
        if not training:
            self.saved = None
            return sigmoid(x)
        y, self.saved = _sigmoid_and_slope(x)
        return y

    def backward(self, dout: Array) -> Array:
        check_dout(self.name, dout, self.saved)
        return dout * self.saved

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
        xp = check_float(self.name, x)
        if not training:
            self.saved = None
            return xp.tanh(x)
        y, self.saved = _tanh_and_slope(x)
        return y

    def backward(self, dout: Array) -> Array:
        check_dout(self.name, dout, self.saved)
        return dout * self.saved

    @classmethod
    def case(cls, rng: np.random.Generator) -> tuple[Tanh, np.ndarray]:
        return cls(), rng.standard_normal((3, 4))


@fused
def _tanh_and_slope(xp: Namespace, x: Array) -> tuple[Array, Array]:
    y = xp.tanh(x)
    return y, 1.0 - y * y


class LeakyReLU(Layer):
    """y = x where x > 0, else slope · x; dx = dout where x > 0, else slope · dout (also at x = 0).

    Parameters
    ----------
    slope : from 0 to below 1

    Source: Maas, Hannun and Ng, *Rectifier nonlinearities improve neural network acoustic models* (2013).

    >>> import numpy as np
    >>> LeakyReLU(0.1).forward(np.asarray([[1.0, -2.0]]))
    array([[ 1. , -0.2]])
    """

    def __init__(self, slope: float = 0.01) -> None:
        super().__init__()
        if not 0.0 <= slope < 1.0:
            raise ValueError(f"LeakyReLU: expected a slope from 0 to below 1, got {slope}")
        self.slope = float(slope)

    def forward(self, x: Array, *, training: bool = False) -> Array:
        xp = check_float(self.name, x)
        self.saved = x if training else None
        if self.slope == 0.0:
            return xp.maximum(x, 0.0)
        return _leaky_relu(x, slope=self.slope)

    def backward(self, dout: Array) -> Array:
        x = self.saved
        check_dout(self.name, dout, x)
        return _leaky_relu_backward(dout, x, slope=self.slope)

    def region(self, x: Array) -> Array:
        return x > 0.0

    @classmethod
    def case(cls, rng: np.random.Generator) -> tuple[LeakyReLU, np.ndarray]:
        return cls(0.2), rng.uniform(0.1, 1.0, (3, 4)) * rng.choice([-1.0, 1.0], (3, 4))


@fused
def _leaky_relu(xp: Namespace, x: Array, *, slope: float) -> Array:
    return xp.maximum(x, xp.minimum(x, 0.0) * slope)  # not ∞ · slope: the slope may round to 0


@fused
def _leaky_relu_backward(xp: Namespace, dout: Array, x: Array, *, slope: float) -> Array:
    return dout * (xp.astype(x > 0.0, x.dtype) * (1.0 - slope) + slope)


class GELU(Layer):
    """y = x/2 (1 + tanh u), u = √(2/π) (x + 0.044715 x³): the tanh form, which needs no error function.

    dx = dout · ((1 + tanh u)/2 + x/2 (1 − tanh² u) √(2/π) (1 + 0.134145 x²)).

    Source: Hendrycks and Gimpel, *Gaussian error linear units* (2016), section 2.

    >>> import numpy as np
    >>> GELU().forward(np.asarray([[0.0, 100.0, -100.0]]))
    array([[  0., 100.,  -0.]])
    """

    def forward(self, x: Array, *, training: bool = False) -> Array:
        check_float(self.name, x)
        y, near, tanh = _gelu(widened(x))
        self.saved = (near, tanh, ArraySpec.of(x)) if training else None
        return narrowed(y, x.dtype)

    def backward(self, dout: Array) -> Array:
        near, tanh, form = self.saved
        check_dout(self.name, dout, form)
        return _gelu_backward(dout, near, tanh)

    @classmethod
    def case(cls, rng: np.random.Generator) -> tuple[GELU, np.ndarray]:
        return cls(), rng.standard_normal((3, 4))


_GELU_UNIT, _GELU_CUBE = math.sqrt(2.0 / math.pi), 0.044715


@fused
def _gelu(xp: Namespace, x: Array) -> tuple[Array, Array, Array]:
    near = xp.minimum(xp.maximum(x, -10.0), 10.0)  # beyond, tanh u is ±1 and x³ may overflow
    tanh = xp.tanh(_GELU_UNIT * near * (1.0 + _GELU_CUBE * near * near))
    return 0.5 * x * (1.0 + tanh), near, tanh


@fused
def _gelu_backward(xp: Namespace, dout: Array, x: Array, tanh: Array) -> Array:
    du = _GELU_UNIT * (1.0 + (3.0 * _GELU_CUBE) * x * x)
    return dout * narrowed(0.5 * (1.0 + tanh) + 0.5 * x * (1.0 - tanh * tanh) * du, dout.dtype)


class Softmax(Layer):
    """y = exp(x) / Σ exp(x) along the last axis, computed without overflow; dx = y (dout − Σ dout y).

    To train a classifier, use `SoftmaxWithLoss`, which is faster and more exact.

    Source: *Deep Learning from Scratch*, section 3.5.

    >>> import numpy as np
    >>> Softmax().forward(np.asarray([[1000.0, 1000.0]]))
    array([[0.5, 0.5]])
    """

    def forward(self, x: Array, *, training: bool = False) -> Array:
        xp = check_float(self.name, x)
        if x.ndim == 0:
            raise ValueError(f"{self.name}: expected input (…, C), got a single number")
        if x.shape[-1] == 0:
            raise ValueError(f"{self.name}: expected input (…, C) with C of at least 1, got {tuple(x.shape)}")
        wide = widened(x)
        exp = xp.exp(wide - xp.max(wide, axis=-1, keepdims=True))
        total = xp.sum(exp, axis=-1, keepdims=True)
        self.saved = (exp, total, ArraySpec.of(x)) if training else None
        return narrowed(exp / total, x.dtype)

    def backward(self, dout: Array) -> Array:
        exp, total, form = self.saved
        check_dout(self.name, dout, form)
        y, dout = exp / total, widened(dout)
        return narrowed(y * (dout - form.xp.sum(dout * y, axis=-1, keepdims=True)), form.dtype)

    @classmethod
    def case(cls, rng: np.random.Generator) -> tuple[Softmax, np.ndarray]:
        return cls(), rng.standard_normal((3, 4))


def sigmoid_of(xp: Namespace, x: Array) -> Array:
    """1 / (1 + exp(−x)) for a floating-point array, from exp(−|x|), which cannot overflow."""
    z = xp.exp(-xp.abs(x))
    return xp.where(x >= 0.0, 1.0, z) / (1.0 + z)


sigmoid = fused(sigmoid_of)


@fused
def _sigmoid_and_slope(xp: Namespace, x: Array) -> tuple[Array, Array]:
    y = sigmoid_of(xp, x)
    return y, y * (1.0 - y)
