"""Updates of one flat vector of parameters, in place."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from ...workloads import ADAM_BETAS, ADAM_EPSILON, Array

BLOCK = 1 << 16
"""Entries that Adam changes at a time: its four arrays of so many stay in cache."""


def descend(params: Array, grads: Array) -> Callable[[], None]:
    """W ← W − grad; the learning rate is in the gradient."""

    def update() -> None:
        np.subtract(params, grads, out=params)

    return update


class Adam:
    """As the paper's section 2; m / (1 − β₁) and v / (1 − β₂) are kept, and the gradient is overwritten."""

    def __init__(self, params: Array, grads: Array, lr: float) -> None:
        m, v, self.lr, self.steps = np.zeros_like(params), np.zeros_like(params), lr, 0
        parts = [slice(i, i + BLOCK) for i in range(0, len(params), BLOCK)]
        self.blocks = [(params[part], grads[part], m[part], v[part]) for part in parts]

    def __call__(self) -> None:
        self.steps += 1
        beta1, beta2 = ADAM_BETAS
        unit = math.sqrt(1.0 - beta2)
        rate = self.lr * math.sqrt(1.0 - beta2**self.steps) / (1.0 - beta1**self.steps) * (1.0 - beta1) / unit
        for p, g, m, v in self.blocks:
            m *= beta1
            m += g
            g *= g
            v *= beta2
            v += g
            np.sqrt(v, out=g)
            g += ADAM_EPSILON / unit
            np.divide(m, g, out=g)
            g *= rate
            p -= g
