"""The mean squared error: the loss of regression."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..backends import Array, Namespace, fused, namespace_of
from ..dtypes import narrowed
from ..layers.spec import ArraySpec
from .checks import dout_share
from .real_target import RealTargetLoss


class MeanSquaredError(RealTargetLoss):
    """L = mean of (x − t)² over all entries; dx = 2 (x − t) · dout / (number of entries).

    x: (N,) or (N, …) floating point. t: the same shape. (The book's `sum_squared_error` of section
    4.2.1 is half the sum instead.)

    >>> import numpy as np
    >>> loss = MeanSquaredError()
    >>> float(loss.forward(np.asarray([1.0, 4.0]), np.asarray([0.0, 2.0]), training=True))
    2.5
    >>> loss.backward()
    array([1., 2.])
    """

    def forward(self, x: Array, t: Array, *, training: bool = False) -> Array:
        wide, t = self.pair(x, t)
        difference, square = _difference(wide, t)
        self.saved = (difference, ArraySpec.of(x)) if training else None
        return narrowed(namespace_of(x).mean(square), x.dtype)

    def backward(self, dout: Any = 1.0) -> Array:
        difference, form = self.saved
        share = dout_share(self.name, dout, form, math.prod(difference.shape))
        return narrowed(difference * (2.0 * share), form.dtype)

    @classmethod
    def case(cls, rng: np.random.Generator) -> tuple[MeanSquaredError, np.ndarray, np.ndarray]:
        return cls(), rng.standard_normal((4, 3)), rng.standard_normal((4, 3))


@fused
def _difference(xp: Namespace, x: Array, t: Array) -> tuple[Array, Array]:
    difference = x - t
    return difference, difference * difference
