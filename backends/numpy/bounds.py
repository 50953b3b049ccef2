"""Checks that indices lie within an array, so that `take` can write its result into given memory."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..array import HostArray
from .memory import base_of


class BoundsCheck:
    """Whether indices are all from 0 to length − 1, as of its last call."""

    def __init__(self, indices: HostArray, length: int) -> None:
        # Seen as unsigned, a negative index is too large as well.
        self.unsigned, self.length = indices.view(f"u{indices.itemsize}"), length
        self()

    def __call__(self) -> None:
        self.passed = np.maximum.reduce(self.unsigned, axis=None, initial=0) < self.length


class BoundsChecks:
    """The checks of a step. Nothing changes an input within a step, so it is checked only once."""

    def __init__(self, inputs: Sequence[HostArray]) -> None:
        self._inputs = inputs
        self._of_inputs: dict[object, BoundsCheck] = {}

    def of(self, indices: HostArray, length: int) -> tuple[BoundsCheck, bool]:
        """The check for these indices, and whether it is new, so that replays must call it here."""
        if not any(base_of(indices) is place for place in self._inputs):
            return BoundsCheck(indices, length), True
        key = indices.__array_interface__["data"][0], indices.shape, indices.strides, length
        is_new = key not in self._of_inputs
        if is_new:
            self._of_inputs[key] = BoundsCheck(indices, length)
        return self._of_inputs[key], is_new
