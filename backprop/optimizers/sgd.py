"""Stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any

from ..backends import Array
from .base import Optimizer
from .checks import check_grads


class SGD(Optimizer):
    """Stochastic gradient descent: W ← W − lr · ∂L/∂W.

    `fit` computes W ← W − ∂(lr · L)/∂W, which saves a pass over all parameters.

    Parameters
    ----------
    lr, max_norm : see `Optimizer`

    Source: *Deep Learning from Scratch*, section 6.1.2.

    >>> import numpy as np
    >>> params = {"W": np.asarray([1.0, 2.0])}
    >>> SGD(lr=0.5).update(params, {"W": np.asarray([1.0, -1.0])})
    >>> params["W"]
    array([0.5, 2.5])
    """

    @property
    def _scales_loss(self) -> bool:
        """Whether the gradient contains lr: not where its norm matters, nor for a subclass's rule."""
        return type(self) is SGD and self.max_norm is None

    def loss_scale(self, scalars: Sequence[Any]) -> Any:
        """Return the learning rate, so that the gradient contains it; 1 with clipping or in a subclass."""
        return scalars[0] if self._scales_loss else super().loss_scale(scalars)

    def apply(
        self,
        params: MutableMapping[str, Array],
        grads: Mapping[str, Array],
        slots: MutableMapping[str, Array],
        scalars: Sequence[Any],
    ) -> None:
        """Take one step: W ← W − g with g = ∂(lr · L)/∂W, or by `rule` where g does not contain lr."""
        if not self._scales_loss:
            super().apply(params, grads, slots, scalars)
            return
        check_grads(type(self).__name__, params, grads)
        for key in params:
            params[key] -= grads[key]

    @staticmethod
    def rule(p: Array, g: Array, lr: Array) -> tuple[Array, ...]:
        """Return p − lr · g."""
        p -= lr * g
        return (p,)
