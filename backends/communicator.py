"""The processes that compute together, and one process alone."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import add
from typing import Any

from .array import HostArray


class OrderedSum:
    """The sum of vectors that several processes have, ((v₀ + v₁) + v₂) + …, those of process 0 first.

    Its bits do not depend on which process has which. Each process adds some columns, and all of them the
    last, common ones; a call is `add` and then `gather` of the sum.
    """

    on_host: bool = True
    """Whether it is made on the host: a backend may have its own on its devices."""

    rows: HostArray
    """The vectors of this process, (rows, length), to be filled before each call."""

    total: HostArray
    """The sum, (length,), until the next call."""

    columns: slice
    """The columns that this process adds."""

    own: HostArray
    """A vector, (length,), that this process may use: `gather` of it, or its start, is fastest."""

    def add(self) -> None:
        """Set this process's columns of `total` and the common ones, once all have filled their rows."""
        raise NotImplementedError(f"{type(self).__name__} adds nothing")

    def gather(self, vector: HostArray) -> None:
        """Take every other process's columns of a vector, with or without the common ones, from it."""
        raise NotImplementedError(f"{type(self).__name__} gathers nothing")

    def __call__(self) -> HostArray:
        """Set `total`, and return it."""
        self.add()
        self.gather(self.total)
        return self.total


class OwnSum(OrderedSum):
    """The sum of the vectors of one process."""

    def __init__(self, rows: int, length: int, dtype: str, common: int = 0) -> None:
        import numpy as np

        self.rows, (self.total, self.own) = np.zeros((rows, length), dtype), np.zeros((2, length), dtype)
        self.columns = slice(0, length - common)

    def add(self) -> None:
        self.total[...] = reduce(add, self.rows[1:], self.rows[0])

    def gather(self, vector: HostArray) -> None:
        """There are no others."""


class Communicator:
    """Processes that compute together, all with the same program. This class is one process alone.

    All must make the same calls in the same order.

    >>> alone = Communicator()
    >>> alone.rank, alone.size, alone.gather("a")
    (0, 1, ['a'])
    """

    rank: int = 0
    """The number of this process, from 0."""

    size: int = 1
    """The number of processes."""

    def broadcast(self, value: Any) -> Any:
        """Process 0's value, which may be anything that can be pickled."""
        return value

    def gather(self, value: Any) -> list[Any]:
        """The values of all processes, in order, in every process."""
        return [value]

    def barrier(self) -> None:
        """Wait for the others."""

    def all_end(self) -> bool:
        """Whether all processes call this within a moment, as they do if they fail alike."""
        return True

    def abort(self, status: int = 1) -> None:
        """End all processes at once with this exit status."""
        raise SystemExit(status)

    def ordered_sum(self, counts: Sequence[int], length: int, dtype: str, common: int = 0) -> OrderedSum:
        """A sum of vectors of this length, of which each process has as many as `counts` says.

        The last `common` columns are added by every process. Several processes share one for the same
        arguments: fill its rows right before the call.
        """
        return OwnSum(counts[self.rank], length, dtype, common)
