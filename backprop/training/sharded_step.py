"""A training step by shards: each part of the batch by itself, and the sum of their gradients."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from ..backends import Array, Communicator, InPlaceDict, OrderedSum, namespace_of, set_at
from ..layers import Layer
from ..networks import Network
from ..networks.parameters import FlatVector, named_parameters
from ..optimizers import Optimizer
from .ordered_sum import AskingSum, ShardSum
from .shard_proof import ShardProof
from .shards import Shards
from .state import TrainState
from .step import Results, TrainStep

MORE = 3
"""What is exchanged besides the gradient: the loss, the number of correct samples, whether to stop."""


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


class ShardedStep(TrainStep):
    """A step whose gradient is that of each shard of the batch, added in their order.

    `ShardProof` compares the first gradient with that of the whole batch.

    Parameters
    ----------
    asked_to_stop : whether this process is asked to stop, which all processes learn with the next step
    stop : called when any process is asked to stop
    """

    def __init__(
        self,
        network: Network,
        data: Mapping[str, Array],
        optimizer: Optimizer,
        batch_size: int,
        capture: bool,
        shards: Shards,
        communicator: Communicator,
        asked_to_stop: Callable[[], bool],
        stop: Callable[[], None],
    ) -> None:
        self.own = shards.dealt(communicator.rank)
        self.sum = ShardSum(shards, communicator, network.backend)
        self.parts: list[Part] = []  # made at the first step, which all processes reach alike
        self.proof = ShardProof(network, optimizer, shards.count)
        self.asked_to_stop, self.stop = asked_to_stop, stop
        backend = network.backend
        if communicator.size > 1 and not backend.records_sums(communicator):
            capture = False
        capture = capture and backend.has_views
        super().__init__(network, data, optimizer, batch_size, capture, shards, communicator)

    def state(self) -> TrainState:
        rows = {str(i): part.row for i, part in enumerate(self.parts) if part.row is not None}
        return super().state()._replace(parts=InPlaceDict(rows))

    def batch(self, data: Mapping[str, Array], indices: Array) -> Any:
        """The parts of the batch that are computed here; all of it if it is too small to be cut."""
        samples = indices.shape[0]
        bounds = self.shards.cut(samples)
        if len(bounds) < self.shards.count:
            return self.whole_batch(data, indices)
        own = [bounds[i] for i in self.own]
        parts = [self.whole_batch(data, indices[start:stop]) for start, stop in own]
        whole = None if self.proof.is_given else self.whole_batch(data, indices)
        return CutBatch(samples, [start for start, _ in own], parts, self.sum, whole)

    def __call__(self, state: TrainState, batch: Any, scalars: Sequence[Array]) -> Results:
        """Run the parts of the batch, add up, and update."""
        if not isinstance(batch, CutBatch):
            return super().__call__(state, batch, scalars)
        network = self.network
        scale = self.optimizer.loss_scale(scalars)
        if batch.whole is not None:
            self.proof.expect(*batch.whole, scale)
        grads, value, *correct = self._added_up(batch, state, scale)
        state.grads["flat"] = grads
        value = network.penalized(value)
        network.decay(scale)
        if batch.whole is not None:
            self.proof.compare()
        self.optimizer.apply(state.params, state.grads, state.slots, scalars)
        return value, *correct

    def update(self, before: TrainState, indices: Array, scalars: Sequence[Array]) -> None:
        """Take the step from its start, since the gradients here are the whole batch's."""
        self.state().restore(before)
        self(self.state(), self.batch(self.data, indices), scalars)

    def _added_up(self, batch: CutBatch, state: TrainState, scale: Any) -> Results:
        """The gradients as one vector, the loss, and the number of correct samples."""
        if not self.parts:
            self._make_parts()
        rows: list[Array | None] = [state.parts.get(key) for key in map(str, range(len(self.parts)))]
        with ExitStack() as active:
            for part, row in zip(self.parts, rows, strict=True):
                active.enter_context(part.writing_into(row))
            numbers = self._run(batch, scale)
            each = zip(self.parts, rows, numbers, strict=True)
            total = self._add([part.summands(row, *its) for part, row, its in each])
        size, xp = self.network.size, namespace_of(total)
        correct = [xp.astype(total[size + 1], xp.int64)] if self.network.last_layer.counts_correct else []
        value = xp.asarray(total[size], copy=True)  # since the next sum is in the same memory
        return total[:size], value, *correct

    def _run(self, batch: CutBatch, scale: Any) -> list[Results]:
        """Run all parts forward and backward; return their shares of the loss, and counts of the correct."""
        for part in self.parts:
            part.follow(self.network)
        ys: list[Array] = [x for x, _ in batch.parts]
        for layers in self._layers():
            ys = layers[0].forward_parts(layers, ys, batch)
        numbers, douts = [], []
        for part, y, (x, t) in zip(self.parts, ys, batch.parts, strict=True):
            share = x.shape[0] / batch.samples
            value = part.loss.forward(y, t, training=True) * share
            correct = (part.loss.correct(y, t),) if part.loss.counts_correct else ()
            numbers.append((value, *correct))
            douts.append(part.loss.backward(scale * share))
        stacks = self._layers()
        bottom = next((i for i, layers in enumerate(stacks) if layers[0].params), len(stacks))
        for i in range(len(stacks) - 1, bottom - 1, -1):
            douts = stacks[i][0].backward_parts(stacks[i], douts, batch, needs_dx=i > bottom)
        return numbers

    def _layers(self) -> list[list[Layer]]:
        """For each layer of the network, its replica in every part."""
        return [list(layers) for layers in zip(*(part.layers.values() for part in self.parts), strict=True)]

    def _make_parts(self) -> None:
        network, backend = self.network, self.network.backend
        rows: Sequence[Array | None] = [None for _ in self.own]
        if backend.has_views and self._exchanges and backend.name == "numpy":
            rows = list(self._exchange().rows)
        elif backend.has_views:
            zeros = [0.0] * (network.size + MORE)
            rows = [backend.asarray(zeros, dtype=network.dtype) for _ in self.own]
        self.parts += [Part(network, row) for row in rows]

    def _add(self, vectors: Sequence[Array]) -> Array:
        """The sum over all shards of what is added up."""
        if not self._exchanges:
            return self.sum(vectors)
        return self.network.backend.ordered_sum(self._exchange(), vectors)

    @property
    def _exchanges(self) -> bool:
        return self.sum.communicator.size > 1

    def _exchange(self) -> OrderedSum:
        total = self.sum.exchange(self.network.size + MORE, self.network.dtype)
        return AskingSum(total, self.asked_to_stop, self.stop) if total.on_host else total

    def ask(self) -> None:
        if not self._exchanges or self._exchange().on_host:
            return
        if any(self.sum.communicator.gather(self.asked_to_stop())):
            self.stop()

    def release(self) -> None:
        """Drop the arrays that the layers saved for backward."""
        super().release()
        for part in self.parts:
            for node in (*part.layers.values(), part.loss):
                node.saved = None
