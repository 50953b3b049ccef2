"""Sum, mean and maximum over axes, and their opposite: repetition along axes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..backends import Array, namespace_of
from ..dtypes import copied, is_whole, narrowed, widened
from .checks import check_dout, check_float
from .layer import Layer
from .spec import ArraySpec

Axis = int | tuple[int, ...] | None


class _Reduction(Layer):
    def __init__(self, axis: Axis = None, keepdims: bool = False) -> None:
        super().__init__()
        axes = axis if isinstance(axis, tuple) else (axis,)
        if axis is not None and not (axes and all(map(is_whole, axes))):
            raise TypeError(f"{self.name}: expected an axis, a tuple of axes, or None for all, got {axis!r}")
        self.axis, self.keepdims = axis, bool(keepdims)

    def reduced(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of the result, with axes of size 1 where x is reduced."""
        if self.axis is None:
            return (1,) * len(shape)
        axes = self.axis if isinstance(self.axis, tuple) else (self.axis,)
        if not all(-len(shape) <= axis < len(shape) for axis in axes):
            raise ValueError(f"{self.name}: no axis {self.axis} in an input of shape {shape}")
        chosen = {axis % len(shape) for axis in axes}
        if len(chosen) < len(axes):
            raise ValueError(f"{self.name}: axis {self.axis} names one axis of an input {shape} twice")
        return tuple(1 if i in chosen else size for i, size in enumerate(shape))

    def check_not_empty(self, shape: tuple[int, ...]) -> None:
        """Raise unless an input of this shape has entries."""
        if math.prod(shape) == 0:
            raise ValueError(f"{self.name}: expected at least one entry, got {shape}")

    def repeated(self, values: Array, shape: tuple[int, ...]) -> Array:
        """Values of the result's shape, repeated to the shape of x."""
        xp = namespace_of(values)
        return xp.broadcast_to(xp.reshape(values, self.reduced(shape)), shape)


class Sum(_Reduction):
    """y = Σ x over an axis, several, or by default all; dx = dout, repeated to the shape of x.

    Parameters
    ----------
    axis : an axis, a tuple of axes, or None for all
    keepdims : whether the result keeps the axes, with size 1

    Source: *Deep Learning from Scratch*, section 5.6.2, where the bias's gradient is a sum.

    >>> import numpy as np
    >>> Sum(axis=0).forward(np.asarray([[1.0, 2.0], [3.0, 4.0]]))
    array([4., 6.])
    """

    def forward(self, x: Array, *, training: bool = False) -> Array:
        xp = check_float(self.name, x)
        self.reduced(tuple(x.shape))
        y = narrowed(xp.sum(widened(x), axis=self.axis, keepdims=self.keepdims), x.dtype)
        self.saved = (tuple(x.shape), ArraySpec.of(y)) if training else None
        return y

    def backward(self, dout: Array) -> Array:
        shape, form = self.saved
        check_dout(self.name, dout, form)
        return copied(self.repeated(dout, shape))

    @classmethod
    def case(cls, rng: np.random.Generator) -> tuple[Sum, np.ndarray]:
        return cls(axis=1), rng.standard_normal((3, 4))


class Mean(_Reduction):
    """y = the mean of the n entries of x over an axis, several, or by default all; dx = dout / n, repeated.

    Parameters
    ----------
    axis : an axis, a tuple of axes, or None for all
    keepdims : whether the result keeps the axes, with size 1

    >>> import numpy as np
    >>> Mean(axis=0).forward(np.asarray([[1.0, 2.0], [3.0, 4.0]]))
    array([2., 3.])
    """

    def forward(self, x: Array, *, training: bool = False) -> Array:
        xp = check_float(self.name, x)
        shape = tuple(x.shape)
        left = math.prod(self.reduced(shape))
        self.check_not_empty(shape)
        n = math.prod(shape) // left
        y = narrowed(xp.mean(widened(x), axis=self.axis, keepdims=self.keepdims), x.dtype)
        self.saved = (shape, n, ArraySpec.of(y)) if training else None
        return y

    def backward(self, dout: Array) -> Array:
        shape, n, form = self.saved
        check_dout(self.name, dout, form)
        return self.repeated(dout, shape) / float(n)

    @classmethod
    def case(cls, rng: np.random.Generator) -> tuple[Mean, np.ndarray]:
        return cls(axis=1), rng.standard_normal((3, 4))


class Max(_Reduction):
    """y = the largest entry of x over an axis, several, or by default all; dx = dout there, elsewhere 0.

    Where several entries are the largest, each gets an equal part of dout.

    Parameters
    ----------
    axis : an axis, a tuple of axes, or None for all
    keepdims : whether the result keeps the axes, with size 1

    >>> import numpy as np
    >>> Max(axis=0).forward(np.asarray([[1.0, 4.0], [3.0, 2.0]]))
    array([3., 4.])
    """

    def forward(self, x: Array, *, training: bool = False) -> Array:
        xp = check_float(self.name, x)
        shape = tuple(x.shape)
        self.check_not_empty(shape)
        self.reduced(shape)
        y = xp.max(x, axis=self.axis, keepdims=self.keepdims)
        self.saved = (self.region(x), ArraySpec.of(y)) if training else None
        return y

    def backward(self, dout: Array) -> Array:
        largest, form = self.saved
        check_dout(self.name, dout, form)
        share = form.xp.astype(largest, form.dtype)
        count = form.xp.sum(share, axis=self.axis, keepdims=True)
        return share * (self.repeated(dout, tuple(largest.shape)) / count)

    def region(self, x: Array) -> Array:
        return x == namespace_of(x).max(x, axis=self.axis, keepdims=True)

    @classmethod
    def case(cls, rng: np.random.Generator) -> tuple[Max, np.ndarray]:
        return cls(axis=1), rng.permutation(np.linspace(-1.0, 1.0, 12)).reshape(3, 4)


class Broadcast(Layer):
    """y = x repeated to a larger shape, by the rules of broadcasting; dx = dout, summed over the copies.

    Parameters
    ----------
    shape : the shape of the output, whole numbers

    Source: *Deep Learning from Scratch*, section 5.6.2: a bias is added to every sample.

    >>> import numpy as np
    >>> layer = Broadcast((2, 3))
    >>> layer.forward(np.asarray([1.0, 2.0, 3.0]), training=True)
    array([[1., 2., 3.],
           [1., 2., 3.]])
    >>> layer.backward(np.asarray([[1.0, 1.0, 1.0], [10.0, 10.0, 10.0]]))
    array([11., 11., 11.])
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.shape = tuple(shape)
        if not all(is_whole(n) and n >= 0 for n in self.shape):
            raise ValueError(f"{self.name}: expected whole numbers as shape, got {shape}")

    def forward(self, x: Array, *, training: bool = False) -> Array:
        xp, old = check_float(self.name, x), tuple(x.shape)
        pairs = zip(reversed(old), reversed(self.shape), strict=False)
        if len(old) > len(self.shape) or not all(one in (1, other) for one, other in pairs):
            raise ValueError(f"{self.name}: an input {old} cannot be repeated to {self.shape}")
        y = copied(xp.broadcast_to(x, self.shape))
        self.saved = (old, ArraySpec.of(y)) if training else None
        return y

    def backward(self, dout: Array) -> Array:
        old, form = self.saved
        check_dout(self.name, dout, form)
        ones = (1,) * (len(self.shape) - len(old)) + old
        axes = tuple(i for i, (one, other) in enumerate(zip(ones, self.shape, strict=True)) if one != other)
        dx: Any = form.xp.sum(widened(dout), axis=axes, keepdims=True) if axes else copied(widened(dout))
        return form.xp.reshape(narrowed(dx, form.dtype), old)

    @classmethod
    def case(cls, rng: np.random.Generator) -> tuple[Broadcast, np.ndarray]:
        return cls((2, 3, 4)), rng.standard_normal((3, 1))
