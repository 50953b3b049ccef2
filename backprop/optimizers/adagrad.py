"""AdaGrad."""

from __future__ import annotations

from ..backends import Array
from .base import Optimizer, Schedule
from .checks import positive


class AdaGrad(Optimizer):
    """h ← h + g²; W ← W − lr · g / (√h + ε): steps that shrink with the sum of all squared gradients.

    Parameters
    ----------
    lr, max_norm : see `Optimizer`
    epsilon : ε, above 0

    Source: *Deep Learning from Scratch*, section 6.1.5.

    >>> import numpy as np
    >>> params = {"W": np.asarray([1.0])}
    >>> AdaGrad(lr=0.5).update(params, {"W": np.asarray([-3.0])})
    >>> params["W"].round(6)
    array([1.5])
    """

    slot_names = ("h",)

    def __init__(
        self, lr: float | Schedule = 0.01, *, epsilon: float = 1e-7, max_norm: float | None = None
    ) -> None:
        super().__init__(lr, max_norm=max_norm)
        self.epsilon = positive(type(self).__name__, "epsilon", epsilon)

    def scalars(self, step: int) -> tuple[float, ...]:
        """Return the learning rate and ε."""
        return self.rate(step), self.epsilon

    @staticmethod
    def rule(p: Array, h: Array, g: Array, lr: Array, epsilon: Array) -> tuple[Array, ...]:
        """Return W and h after the step."""
        h += g * g
        p -= lr * g / (h**0.5 + epsilon)
        return p, h
