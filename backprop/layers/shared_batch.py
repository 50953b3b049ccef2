"""A batch that is computed in parts: what a layer may ask about the whole of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from ..backends import Array


class SharedBatch(Protocol):
    """The batch of which a layer gets parts, some of which other processes may have."""

    samples: int
    """The number of samples in all parts."""

    starts: Sequence[int]
    """For each part here, the place of its first sample in the batch."""

    def sums(self, *values: Sequence[Array]) -> list[Array]:
        """For each of `values`, which has a (D,) array for each part here, the sum over all parts.

        They are always added in the same order. One call is faster than several.
        """

    def sums_at_the_end(self, then: Callable[..., None], *values: Sequence[Array]) -> None:
        """Call `then` with these sums after backward: for what only the state needs.

        The sums of all layers are then taken at once. `then` are called in the order in which they came.
        """


class UndividedBatch:
    """A batch in one part."""

    starts: Sequence[int] = (0,)

    def __init__(self, samples: int) -> None:
        self.samples = samples

    def sums(self, *values: Sequence[Array]) -> list[Array]:
        """The one array of each."""
        return [value for (value,) in values]

    def sums_at_the_end(self, then: Callable[..., None], *values: Sequence[Array]) -> None:
        """Call `then` at once."""
        then(*self.sums(*values))
