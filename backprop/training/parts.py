"""The parts of a batch that a process computes, and the replicas of the network that compute them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from ..backends import Array, namespace_of, set_at
from ..layers import Layer
from ..networks import Network
from ..networks.parameters import FlatVector, named_parameters
from .exchange import MORE
from .ordered_sum import ShardSum


@dataclass
class CutBatch:
    """The parts of a batch that are computed here; see `SharedBatch`."""

    samples: int
    starts: Sequence[int]
    parts: Sequence[tuple[Array, Array]]
    """The samples and targets of each part."""
    shard_sum: ShardSum
    whole: tuple[Array, Array] | None = None
    """The batch in one part, if the result by shards is still to be compared with it."""

    def sums(self, *values: Sequence[Array]) -> list[Array]:
        """See `SharedBatch.sums`."""
        xp, width = namespace_of(values[0][0]), values[0][0].shape[0]
        each = list(zip(*values, strict=True))
        total = self.shard_sum([xp.concat(list(its)) if len(its) > 1 else its[0] for its in each])
        return [total[start : start + width] for start in range(0, total.shape[0], width)]


class Part:
    """Replicas of a network's layers and loss, for a part of a batch, with gradients of their own.

    Parameters
    ----------
    row : memory for what is added up, if the library has views: the gradients, then `MORE` numbers
    """

    def __init__(self, network: Network, row: Array | None) -> None:
        self._originals: dict[str, Layer] = dict(network.layers)
        self.layers = {name: layer.replica() for name, layer in network.layers.items()}
        self._original_loss, self.loss = network.last_layer, network.last_layer.replica()
        self.row, self._size, self._backend = row, network.size, network.backend
        own = None if row is None else row[: self._size]
        self._grads = FlatVector("grads", named_parameters(self.layers), network.backend, own)

    def follow(self, network: Network) -> None:
        """Take over what has changed in the network's layers and loss."""
        for name, layer in network.layers.items():
            if layer is not self._originals[name]:  # another one without parameters
                self._originals[name], self.layers[name] = layer, layer.replica()
            self.layers[name].follow(layer)
        if network.last_layer is not self._original_loss:
            self._original_loss, self.loss = network.last_layer, network.last_layer.replica()
        self.loss.follow(network.last_layer)

    @contextmanager
    def writing_into(self, row: Array | None) -> Iterator[None]:
        """While active, the gradients are in this row."""
        if row is self.row or row is None:
            yield
            return
        with self._grads.swapped({"flat": row[: self._size]}):
            yield

    def summands(self, row: Array | None, *numbers: Array) -> Array:
        """The gradients and up to `MORE` numbers as one vector, which is the row if there is one."""
        if row is None:
            xp, grads = self._backend.xp, self._grads["flat"]
            more = [xp.astype(xp.reshape(number, (1,)), grads.dtype) for number in numbers]
            return xp.concat([grads, *more, xp.zeros((MORE - len(more),), dtype=grads.dtype)])
        for i, number in enumerate(numbers):
            row = set_at(row, self._size + i, namespace_of(row).astype(number, row.dtype))
        return row
