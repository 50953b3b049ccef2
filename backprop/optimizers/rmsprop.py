"""RMSprop."""

from __future__ import annotations

from ..backends import Array
from .base import Optimizer, Schedule
from .checks import fraction, positive


class RMSprop(Optimizer):
    """h ← ρ h + (1 − ρ) g²; W ← W − lr · g / (√h + ε): AdaGrad that forgets.

    Parameters
    ----------
    lr, max_norm : see `Optimizer`
    decay_rate : ρ, from 0 to below 1
    epsilon : ε, above 0

    Source: *Deep Learning from Scratch*, section 6.1.5 and `common/optimizer.py`.

    >>> import numpy as np
    >>> params = {"W": np.asarray([1.0])}
    >>> RMSprop(lr=0.1).update(params, {"W": np.asarray([-3.0])})
    >>> params["W"].round(6)
    array([2.])
    """

    slot_names = ("h",)

    def __init__(
        self,
        lr: float | Schedule = 0.01,
        decay_rate: float = 0.99,
        *,
        epsilon: float = 1e-7,
        max_norm: float | None = None,
    ) -> None:
        super().__init__(lr, max_norm=max_norm)
        name = type(self).__name__
        self.decay_rate = fraction(name, "decay_rate", decay_rate)
        self.epsilon = positive(name, "epsilon", epsilon)

    def scalars(self, step: int) -> tuple[float, ...]:
        """Return the learning rate, ρ, 1 − ρ and ε."""
        return self.rate(step), self.decay_rate, 1.0 - self.decay_rate, self.epsilon

    @staticmethod
    def rule(
        p: Array, h: Array, g: Array, lr: Array, decay: Array, rest: Array, epsilon: Array
    ) -> tuple[Array, ...]:
        """Return W and h after the step."""
        h *= decay
        h += rest * g * g
        p -= lr * g / (h**0.5 + epsilon)
        return p, h
