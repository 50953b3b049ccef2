"""`Loss`: a node with an output and a target."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..backends import Array
from ..inputs import as_numbers
from ..layers import Node


class Loss(Node):
    """A scalar function of x and t, differentiable in x."""

    counts_correct: bool = False
    """Whether `correct` has a meaning for this loss, so that accuracy is defined."""

    def forward(self, x: Array, t: Array, *, training: bool = False) -> Array:
        """The loss of the batch: 0-d, with the dtype and device of x."""
        raise NotImplementedError(f"{self.name} has no forward")

    def backward(self, dout: Any = 1.0) -> Array:
        """The gradient ∂(dout · loss)/∂x, with the shape of x."""
        raise NotImplementedError(f"{self.name} has no backward")

    def correct(self, x: Array, t: Array) -> Array:
        """How many samples x puts into their class t: a 0-d integer array on the device."""
        raise TypeError(f"{self.name} does not classify: it has no accuracy")

    def converted(self, t: np.ndarray) -> np.ndarray:
        """Targets on the host, converted from an equivalent form to the one that this loss takes.

        Objects and texts of numbers become floating-point numbers. Raises `TypeError` for what is no real
        number.
        """
        numbers: np.ndarray = as_numbers(f"{self.name}: t", t)
        return numbers

    def check_targets(self, t: np.ndarray, samples: int, outputs: tuple[int, ...]) -> None:
        """Raise unless the host array `t` is a valid target for an x of shape (samples, *outputs).

        It reads the values, so it belongs where data comes in; `forward` checks shapes only, since reading
        values would wait for the device.
        """
