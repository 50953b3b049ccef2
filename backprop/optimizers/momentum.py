"""Momentum, and Nesterov's accelerated gradient."""

from __future__ import annotations

from ..backends import Array
from .base import Optimizer, Schedule
from .checks import fraction


class Momentum(Optimizer):
    """v ← μ v − lr · g; W ← W + v, with g = ∂L/∂W and v = 0 at first.

    Parameters
    ----------
    lr, max_norm : see `Optimizer`
    momentum : μ, from 0 to below 1

    Source: *Deep Learning from Scratch*, section 6.1.4.

    >>> import numpy as np
    >>> params, optimizer = {"W": np.asarray([1.0])}, Momentum(lr=0.5, momentum=0.5)
    >>> for _ in range(2):
    ...     optimizer.update(params, {"W": np.asarray([1.0])})
    >>> params["W"], optimizer.slots["v.W"]
    (array([-0.25]), array([-0.75]))
    """

    slot_names = ("v",)

    def __init__(
        self, lr: float | Schedule = 0.01, momentum: float = 0.9, *, max_norm: float | None = None
    ) -> None:
        super().__init__(lr, max_norm=max_norm)
        self.momentum = fraction(type(self).__name__, "momentum", momentum)

    def scalars(self, step: int) -> tuple[float, ...]:
        """Return the learning rate and μ."""
        return self.rate(step), self.momentum

    @staticmethod
    def rule(p: Array, v: Array, g: Array, lr: Array, momentum: Array) -> tuple[Array, ...]:
        """Return W and v after the step."""
        v *= momentum
        v -= lr * g
        p += v
        return p, v


class Nesterov(Momentum):
    """Momentum with the gradient of where it leads: v ← μ v − lr · g; W ← W + μ v − lr · g.

    This is the form of Bengio and others, *Advances in optimizing recurrent networks* (2012), which
    the book's code follows, except that it uses the new v where the formula has the old one.

    Parameters
    ----------
    lr, momentum, max_norm : see `Momentum`

    >>> import numpy as np
    >>> params = {"W": np.asarray([1.0])}
    >>> Nesterov(lr=0.5, momentum=0.5).update(params, {"W": np.asarray([1.0])})
    >>> params["W"]
    array([0.25])
    """

    @staticmethod
    def rule(p: Array, v: Array, g: Array, lr: Array, momentum: Array) -> tuple[Array, ...]:
        """Return W and v after the step."""
        step = lr * g
        v *= momentum
        v -= step
        p += momentum * v
        p -= step
        return p, v
