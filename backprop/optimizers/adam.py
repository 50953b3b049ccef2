"""Adam, and AdamW with decoupled weight decay."""

from __future__ import annotations

import math

from ..backends import Array
from .base import Optimizer, Schedule
from .checks import fraction, non_negative, positive


class Adam(Optimizer):
    """m ← β₁ m + (1 − β₁) g; v ← β₂ v + (1 − β₂) g²; W ← W − lrₜ · m / (√v + ε).

    lrₜ = lr · √(1 − β₂ᵗ) / (1 − β₁ᵗ) in step t. ε stands outside the correction of v, as in the
    book and in section 2 of the paper; PyTorch has it inside. The slots hold m / (1 − β₁) and
    v / (1 − β₂), which saves two multiplications an entry.

    Parameters
    ----------
    lr, max_norm : see `Optimizer`
    beta1, beta2 : β₁ and β₂, from 0 to below 1
    epsilon : ε, above 0

    Source: Kingma and Ba, *Adam: a method for stochastic optimization* (2014); *Deep Learning from
    Scratch*, section 6.1.6.

    >>> import numpy as np
    >>> params = {"W": np.asarray([1.0, 1.0])}
    >>> Adam(lr=0.1).update(params, {"W": np.asarray([-3.0, 0.02])})
    >>> params["W"].round(4)
    array([1.1, 0.9])
    """

    slot_names = ("m", "v")

    def __init__(
        self,
        lr: float | Schedule = 0.001,
        beta1: float = 0.9,
        beta2: float = 0.999,
        *,
        epsilon: float = 1e-7,
        max_norm: float | None = None,
    ) -> None:
        super().__init__(lr, max_norm=max_norm)
        name = type(self).__name__
        self.beta1, self.beta2 = fraction(name, "beta1", beta1), fraction(name, "beta2", beta2)
        self.epsilon = positive(name, "epsilon", epsilon)

    def scalars(self, step: int) -> tuple[float, ...]:
        """Return β₁, β₂, and the step's rate and ε for m and v as the slots hold them."""
        unit = math.sqrt(1.0 - self.beta2)  # of √v: the slot holds v / (1 − β₂)
        rate = self.rate(step) * math.sqrt(1.0 - self.beta2**step) / (1.0 - self.beta1**step)
        return self.beta1, self.beta2, rate * (1.0 - self.beta1) / unit, self.epsilon / unit

    @staticmethod
    def rule(
        p: Array, m: Array, v: Array, g: Array, beta1: Array, beta2: Array, rate: Array, epsilon: Array
    ) -> tuple[Array, ...]:
        """Return W, m and v after the step."""
        return _adam(p, m, v, g, beta1, beta2, rate, epsilon)


class AdamW(Adam):
    """Adam with weight decay apart from the gradient: W ← W − lr · λ W before the step.

    ε stands inside the correction of v, as in PyTorch: W ← W − lr · m̂ / (√v̂ + ε).

    Parameters
    ----------
    lr, beta1, beta2, epsilon, max_norm : see `Adam`
    weight_decay : λ, for all parameters, at least 0

    Source: Loshchilov and Hutter, *Decoupled weight decay regularization* (2019).

    >>> import numpy as np
    >>> params = {"W": np.asarray([1.0])}
    >>> AdamW(lr=0.1, weight_decay=0.5).update(params, {"W": np.asarray([-3.0])})
    >>> params["W"].round(4)
    array([1.05])
    """

    def __init__(
        self,
        lr: float | Schedule = 0.001,
        beta1: float = 0.9,
        beta2: float = 0.999,
        *,
        weight_decay: float = 0.01,
        epsilon: float = 1e-8,
        max_norm: float | None = None,
    ) -> None:
        super().__init__(lr, beta1, beta2, epsilon=epsilon, max_norm=max_norm)
        self.weight_decay = non_negative(type(self).__name__, "weight decay", weight_decay)

    def scalars(self, step: int) -> tuple[float, ...]:
        """Return Adam's, with ε inside the correction, and 1 − lr · λ."""
        *others, epsilon = super().scalars(step)
        corrected = epsilon * math.sqrt(1.0 - self.beta2**step)
        return *others, corrected, 1.0 - self.rate(step) * self.weight_decay

    @staticmethod
    def rule(p: Array, m: Array, v: Array, g: Array, *scalars: Array) -> tuple[Array, ...]:
        """Return W, m and v after the step."""
        *others, left = scalars
        p *= left
        return _adam(p, m, v, g, *others)


def _adam(
    p: Array, m: Array, v: Array, g: Array, beta1: Array, beta2: Array, rate: Array, epsilon: Array
) -> tuple[Array, ...]:
    """W, m and v after a step of Adam."""
    m *= beta1
    m += g
    v *= beta2
    v += g * g
    p -= rate * (m / (v**0.5 + epsilon))
    return p, m, v
