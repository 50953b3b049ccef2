"""Layers that change only the shape."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from ..backends import Array, namespace_of
from ..dtypes import copied, is_whole
from .checks import check_dout, check_float
from .layer import Layer
from .spec import ArraySpec


class Reshape(Layer):
    """y = x with the shape (N, *shape); dx = dout with the shape of x.

    Parameters
    ----------
    shape : the shape of a sample, whole numbers of at least 1

    >>> import numpy as np
    >>> Reshape((1, 28, 28)).forward(np.zeros((5, 784))).shape
    (5, 1, 28, 28)
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        if not isinstance(shape, Iterable):
            raise TypeError(f"{self.name}: expected a shape such as (6,), got {shape!r}")
        self.shape = tuple(shape)
        if not all(is_whole(n) and n >= 1 for n in self.shape):
            raise ValueError(f"{self.name}: expected whole numbers of at least 1 in shape, got {shape}")

    def forward(self, x: Array, *, training: bool = False) -> Array:
        xp, old = check_float(self.name, x), tuple(x.shape)
        new = self.target(old)
        if not old or math.prod(new) != math.prod(old[1:]):
            raise ValueError(
                f"{self.name}: expected input (N, …) with {math.prod(new)} numbers a sample, got {old}"
            )
        y = xp.reshape(copied(x), (old[0], *new))
        self.saved = (old, ArraySpec.of(y)) if training else None
        return y

    def backward(self, dout: Array) -> Array:
        old, form = self.saved
        check_dout(self.name, dout, form)
        return namespace_of(dout).reshape(copied(dout), old)

    def target(self, old: tuple[int, ...]) -> tuple[int, ...]:
        """The new shape of a sample, for an input of the shape `old`."""
        return self.shape

    @classmethod
    def case(cls, rng: np.random.Generator) -> tuple[Reshape, np.ndarray]:
        return cls((3, 2)), rng.standard_normal((4, 6))


class Flatten(Reshape):
    """y = x as (N, D), one row per sample; dx = dout with the shape of x.

    `Affine` flattens its input itself, like the book's.

    >>> import numpy as np
    >>> Flatten().forward(np.zeros((5, 1, 28, 28))).shape
    (5, 784)
    """

    def __init__(self) -> None:
        super().__init__(())

    def target(self, old: tuple[int, ...]) -> tuple[int, ...]:
        """One row."""
        return (math.prod(old[1:]),)

    @classmethod
    def case(cls, rng: np.random.Generator) -> tuple[Flatten, np.ndarray]:
        return cls(), rng.standard_normal((4, 3, 2))
