"""The sum over the shards of a batch, in their order: the same bits for any number of processes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import add

from ..backends import Array, Backend, Communicator, OrderedSum, dtype_name, namespace_of
from .shards import Shards


class ShardSum:
    """Adds one array of every shard: ((a₀ + a₁) + a₂) + …

    One process adds on its device; several exchange the arrays by way of the host.
    """

    def __init__(self, shards: Shards, communicator: Communicator, backend: Backend) -> None:
        self.shards, self.communicator, self.backend = shards, communicator, backend

    def __call__(self, values: Sequence[Array]) -> Array:
        """The sum over all shards; `values` are those of the shards of this process, in order."""
        if self.communicator.size == 1:
            return reduce(add, values)
        shape, dtype = tuple(values[0].shape), dtype_name(values[0].dtype)
        xp = namespace_of(values[0])
        rows = [self.backend.to_numpy(xp.reshape(value, (-1,))) for value in values]
        exchange = self.exchange(len(rows[0]), dtype)
        exchange.rows[...] = rows
        return xp.reshape(self.backend.asarray(exchange().copy()), shape)

    def exchange(self, length: int, dtype: str) -> OrderedSum:
        """The communicator's sum of vectors of this length."""
        return self.communicator.ordered_sum(self.shards.counts, length, dtype)
