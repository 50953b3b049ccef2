"""Elementary functions of every entry: the nodes of an expression with one input."""

from __future__ import annotations

import math

import numpy as np

from ..backends import Array
from ..dtypes import copied
from .checks import check_dout, check_float
from .layer import Layer
from .spec import ArraySpec


class Neg(Layer):
    """y = −x, dx = −dout.

    >>> import numpy as np
    >>> Neg().forward(np.asarray([1.0, -2.0]))
    array([-1.,  2.])
    """

    def forward(self, x: Array, *, training: bool = False) -> Array:
        check_float(self.name, x)
        self.saved = ArraySpec.of(x) if training else None
        return -x

    def backward(self, dout: Array) -> Array:
        check_dout(self.name, dout, self.saved)
        return -dout

    @classmethod
    def case(cls, rng: np.random.Generator) -> tuple[Neg, np.ndarray]:
        return cls(), rng.standard_normal((3, 4))


class Exp(Layer):
    """y = exp(x); dx = dout · y.

    Source: *Deep Learning from Scratch*, section 5.5.2, a node of the sigmoid.

    >>> import numpy as np
    >>> Exp().forward(np.asarray([0.0, 1.0]))
    array([1.        , 2.71828183])
    """

    def forward(self, x: Array, *, training: bool = False) -> Array:
        y = check_float(self.name, x).exp(x)
        self.saved = copied(y) if training else None
        return y

    def backward(self, dout: Array) -> Array:
        check_dout(self.name, dout, self.saved)
        return dout * self.saved

    @classmethod
    def case(cls, rng: np.random.Generator) -> tuple[Exp, np.ndarray]:
        return cls(), rng.standard_normal((3, 4))


class Log(Layer):
    """y = log(x), the natural logarithm of x above 0; dx = dout / x.

    Source: *Deep Learning from Scratch*, appendix A.1, a node of the cross-entropy error.

    >>> import numpy as np
    >>> Log().forward(np.asarray([1.0, 10.0]))
    array([0.        , 2.30258509])
    """

    def forward(self, x: Array, *, training: bool = False) -> Array:
        y = check_float(self.name, x).log(x)
        self.saved = x if training else None
        return y

    def backward(self, dout: Array) -> Array:
        check_dout(self.name, dout, self.saved)
        return dout / self.saved

    @classmethod
    def case(cls, rng: np.random.Generator) -> tuple[Log, np.ndarray]:
        return cls(), rng.uniform(0.2, 3.0, (3, 4))


class Sqrt(Layer):
    """y = √x for x above 0; dx = dout / (2 y).

    >>> import numpy as np
    >>> Sqrt().forward(np.asarray([1.0, 4.0]))
    array([1., 2.])
    """

    def forward(self, x: Array, *, training: bool = False) -> Array:
        y = check_float(self.name, x).sqrt(x)
        self.saved = 2.0 * y if training else None
        return y

    def backward(self, dout: Array) -> Array:
        check_dout(self.name, dout, self.saved)
        return dout / self.saved

    @classmethod
    def case(cls, rng: np.random.Generator) -> tuple[Sqrt, np.ndarray]:
        return cls(), rng.uniform(0.2, 3.0, (3, 4))


class Sin(Layer):
    """y = sin(x); dx = dout · cos(x).

    >>> import numpy as np
    >>> Sin().forward(np.asarray([0.0, np.pi / 2]))
    array([0., 1.])
    """

    def forward(self, x: Array, *, training: bool = False) -> Array:
        xp = check_float(self.name, x)
        self.saved = xp.cos(x) if training else None  # dy/dx
        return xp.sin(x)

    def backward(self, dout: Array) -> Array:
        check_dout(self.name, dout, self.saved)
        return dout * self.saved

    @classmethod
    def case(cls, rng: np.random.Generator) -> tuple[Sin, np.ndarray]:
        return cls(), 2.0 * rng.standard_normal((3, 4))


class Cos(Layer):
    """y = cos(x); dx = −dout · sin(x).

    >>> import numpy as np
    >>> Cos().forward(np.asarray([0.0, np.pi]))
    array([ 1., -1.])
    """

    def forward(self, x: Array, *, training: bool = False) -> Array:
        xp = check_float(self.name, x)
        self.saved = -xp.sin(x) if training else None  # dy/dx
        return xp.cos(x)

    def backward(self, dout: Array) -> Array:
        check_dout(self.name, dout, self.saved)
        return dout * self.saved

    @classmethod
    def case(cls, rng: np.random.Generator) -> tuple[Cos, np.ndarray]:
        return cls(), 2.0 * rng.standard_normal((3, 4))


class Power(Layer):
    """y = x^a with a fixed exponent a; dx = dout · a x^(a − 1).

    Parameters
    ----------
    exponent : a finite number; unless it is whole, x must not be negative

    >>> import numpy as np
    >>> Power(2).forward(np.asarray([3.0, -4.0]))
    array([ 9., 16.])
    """

    def __init__(self, exponent: float) -> None:
        super().__init__()
        is_number = isinstance(exponent, int | float | np.integer | np.floating) and not isinstance(
            exponent, bool
        )
        if not is_number or not math.isfinite(exponent):
            raise ValueError(f"{self.name}: expected a finite number as exponent, got {exponent!r}")
        self.exponent = float(exponent)

    def forward(self, x: Array, *, training: bool = False) -> Array:
        check_float(self.name, x)
        self.saved = x if training else None
        return x**self.exponent

    def backward(self, dout: Array) -> Array:
        x = self.saved
        check_dout(self.name, dout, x)
        if self.exponent == 0.0:
            return dout * 0.0
        return dout * (self.exponent * x ** (self.exponent - 1.0))

    @classmethod
    def case(cls, rng: np.random.Generator) -> tuple[Power, np.ndarray]:
        return cls(3), rng.uniform(0.2, 2.0, (3, 4)) * rng.choice([-1.0, 1.0], (3, 4))
