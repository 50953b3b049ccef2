"""Sigmoid with binary cross-entropy: the loss of yes or no, for one question or several."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..backends import Array, Namespace, fused, namespace_of
from ..dtypes import narrowed
from ..layers.activations import sigmoid_of
from ..layers.spec import ArraySpec
from .checks import dout_share
from .real_target import RealTargetLoss


class SigmoidWithLoss(RealTargetLoss):
    """Sigmoid and binary cross-entropy: L = −(1/N) Σ t log y + (1 − t) log(1 − y), y = sigmoid(x).

    The sum goes over all entries, N is the number of samples. dx = (y − t) · dout / N. Computed as
    max(x, 0) − x t + log(1 + exp(−|x|)), which does not overflow.

    x: (N,) or (N, …) floating point. t: the same shape, values 0 or 1 (or in between; a sample counts
    as correct where x > 0 agrees with t > 1/2 in every entry).

    Source: *Deep Learning from Scratch 2*, section 4.2.4.

    >>> import numpy as np
    >>> loss = SigmoidWithLoss()
    >>> float(loss.forward(np.asarray([0.0]), np.asarray([1]), training=True))  # log 2
    0.6931471805599453
    >>> loss.backward()
    array([-0.5])
    """

    counts_correct = True

    def forward(self, x: Array, t: Array, *, training: bool = False) -> Array:
        (wide, t), xp = self.pair(x, t), namespace_of(x)
        self.saved = (wide, t, ArraySpec.of(x)) if training else None
        return narrowed(xp.sum(_cross_entropies(wide, t)) / x.shape[0], x.dtype)

    def backward(self, dout: Any = 1.0) -> Array:
        x, t, form = self.saved
        return narrowed(_backward(x, t, dout_share(self.name, dout, form, x.shape[0])), form.dtype)

    def correct(self, x: Array, t: Array) -> Array:
        (x, t), xp = self.pair(x, t), namespace_of(x)
        same = xp.reshape(_agree(x, t), (x.shape[0], -1))
        return xp.count_nonzero(xp.all(same, axis=1))

    def check_targets(self, t: np.ndarray, samples: int, outputs: tuple[int, ...]) -> None:
        super().check_targets(t, samples, outputs)
        if t.min() < 0 or t.max() > 1:
            raise ValueError(f"{self.name}: expected t between 0 and 1, got {t.min()} to {t.max()}")

    @classmethod
    def case(cls, rng: np.random.Generator) -> tuple[SigmoidWithLoss, np.ndarray, np.ndarray]:
        return cls(), rng.standard_normal((4, 3)), rng.integers(0, 2, (4, 3))


@fused
def _cross_entropies(xp: Namespace, x: Array, t: Array) -> Array:
    return xp.maximum(x, 0.0) - x * t + xp.log1p(xp.exp(-xp.abs(x)))


@fused
def _backward(xp: Namespace, x: Array, t: Array, share: Array) -> Array:
    return (sigmoid_of(xp, x) - t) * share


@fused
def _agree(xp: Namespace, x: Array, t: Array) -> Array:
    return (x > 0.0) == (t > 0.5)
