"""The sum over the shards of a batch, in their order: the same bits for any number of processes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from operator import add

from ..backends import Array, Backend, Communicator, HostArray, OrderedSum, dtype_name, namespace_of
from .shards import Shards


class ShardSum:
    """Adds one vector of every shard: ((v₀ + v₁) + v₂) + …

    One process adds on its device; several exchange the vectors.
    """

    def __init__(self, shards: Shards, communicator: Communicator, backend: Backend) -> None:
        self.shards, self.communicator, self.backend = shards, communicator, backend

    def __call__(self, vectors: Sequence[Array]) -> Array:
        """The sum over all shards; `vectors` are those of the shards of this process, in order."""
        if self.communicator.size == 1:
            return reduce(add, vectors)
        exchange = self.exchange(vectors[0].shape[0], dtype_name(vectors[0].dtype))
        total = self.backend.ordered_sum(exchange, vectors)
        return namespace_of(total).asarray(total, copy=True)

    def exchange(self, length: int, dtype: str, common: int = 0) -> OrderedSum:
        """The backend's sum of vectors of this length; see `Communicator.ordered_sum`."""
        return self.backend.exchange(self.communicator, self.shards.counts, length, dtype, common)


class AskingSum(OrderedSum):
    """A sum whose last, common column tells whether any process is asked to stop: then all call `stop`."""

    def __init__(self, inner: OrderedSum, asked: Callable[[], bool], stop: Callable[[], None]) -> None:
        self.rows, self.total, self.columns, self.own = inner.rows, inner.total, inner.columns, inner.own
        self.is_divided = False
        """Whether only the columns of this process have been added, since the last call."""
        self._inner, self._asked, self._stop = inner, asked, stop

    def add(self) -> None:
        self.rows[:, -1] = self._asked()
        self._inner.add()
        self.is_divided = True
        if self.total[-1]:
            self._stop()

    def gather(self, vector: HostArray) -> None:
        self._inner.gather(vector)

    def __call__(self) -> HostArray:
        total = super().__call__()
        self.is_divided = False
        return total
