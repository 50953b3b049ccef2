"""Optimizers: how the gradient changes the parameters.

`update(params, grads)` takes two mappings with the same keys: a network's `params` and `gradient`,
as in the book, or its `flat_params` and `flat_grads`, where all parameters are one vector.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, MutableMapping

from backends import Array


class SGD:
    """Stochastic gradient descent: W ← W − lr · ∂L/∂W.

    Parameters
    ----------
    lr : the learning rate, a finite number of at least 0

    Source: *Deep Learning from Scratch*, section 6.1.2.

    >>> import numpy as np
    >>> params = {"W": np.asarray([1.0, 2.0])}
    >>> SGD(lr=0.5).update(params, {"W": np.asarray([1.0, -1.0])})
    >>> params["W"]
    array([0.5, 2.5])
    """

    def __init__(self, lr: float = 0.01) -> None:
        if not (math.isfinite(lr) and lr >= 0.0):
            raise ValueError(f"SGD: expected a finite learning rate of at least 0, got {lr}")
        self.lr = float(lr)

    def update(self, params: MutableMapping[str, Array], grads: Mapping[str, Array]) -> None:
        """Change every parameter in `params` by its gradient in `grads`."""
        for key in params:
            params[key] -= self.lr * grads[key]

    def __repr__(self) -> str:
        return f"SGD(lr={self.lr})"
