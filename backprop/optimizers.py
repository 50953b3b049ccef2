"""Optimizers: how the gradient changes the parameters.

`update(params, grads)` takes two mappings with the same keys: a network's `params` and `gradient`,
as in the book, or its `flat_params` and `flat_grads`, where all parameters are one vector.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any

from backends import Array


class Optimizer:
    """How the gradient changes the parameters; a subclass writes `update`.

    `fit` may record a step and replay it, so what changes from step to step cannot be a Python number
    in `update`. An optimizer that has such numbers gives them in `numbers` and uses them in `step`.
    """

    def numbers(self, step: int) -> tuple[float, ...]:
        """What `step` will be given in the step of this number, the first being 1."""
        return ()

    def dout(self, numbers: Sequence[Array]) -> Any:
        """What `fit` multiplies the loss with before its gradient is taken."""
        return 1.0

    def update(self, params: MutableMapping[str, Array], grads: Mapping[str, Array]) -> None:
        """Change every parameter in `params` by its gradient in `grads`."""
        raise NotImplementedError(f"{type(self).__name__} has no update")

    def step(
        self, params: MutableMapping[str, Array], grads: Mapping[str, Array], numbers: Sequence[Array]
    ) -> None:
        """`update` for gradients of dout · loss and for the numbers of this step, as 0-d arrays."""
        self.update(params, grads)


class SGD(Optimizer):
    """Stochastic gradient descent: W ← W − lr · ∂L/∂W.

    In `fit` it is W ← W − ∂(lr · L)/∂W, which saves a pass over all parameters.

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

    def numbers(self, step: int) -> tuple[float, ...]:
        """The learning rate."""
        return (self.lr,)

    def dout(self, numbers: Sequence[Array]) -> Any:
        """The learning rate."""
        return numbers[0]

    def update(self, params: MutableMapping[str, Array], grads: Mapping[str, Array]) -> None:
        """W ← W − lr · grad for every parameter."""
        for key in params:
            params[key] -= self.lr * grads[key]

    def step(
        self, params: MutableMapping[str, Array], grads: Mapping[str, Array], numbers: Sequence[Array]
    ) -> None:
        """W ← W − grad for every parameter, the gradient being that of lr · loss."""
        for key in params:
            params[key] -= grads[key]

    def __repr__(self) -> str:
        return f"SGD(lr={self.lr})"
