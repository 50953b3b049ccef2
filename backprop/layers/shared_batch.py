"""A batch that is computed in parts: what a layer may ask about the whole of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ..backends import Array


class SharedBatch(Protocol):
    """The batch of which a layer gets parts, some of which other processes may have."""

    samples: int
    """The number of samples in all parts."""

    starts: Sequence[int]
    """For each part here, the place of its first sample in the batch."""

    def sum(self, values: Sequence[Array]) -> Array:
        """The sum over all parts, always in the same order; `values` has an array for each part here."""


class UndividedBatch:
    """A batch in one part."""

    starts: Sequence[int] = (0,)

    def __init__(self, samples: int) -> None:
        self.samples = samples

    def sum(self, values: Sequence[Array]) -> Array:
        """The one value."""
        (value,) = values
        return value
