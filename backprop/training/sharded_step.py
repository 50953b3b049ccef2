"""A training step by shards: each part of the batch by itself, and the sum of their gradients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any

from ..backends import Array, InPlaceDict, namespace_of
from ..layers import Layer
from ..networks import Network
from ..optimizers import Optimizer
from .exchange import Exchange
from .parts import CutBatch, Part
from .shard_proof import ShardProof
from .state import TrainState
from .step import Results, TrainStep


class ShardedStep(TrainStep):
    """A step whose gradient is that of each shard of the batch, added in their order.

    `ShardProof` compares the first gradient with that of the whole batch.

    Parameters
    ----------
    exchange : adds up the shards, of all processes, and updates the parameters
    """

    def __init__(
        self,
        network: Network,
        data: Mapping[str, Array],
        optimizer: Optimizer,
        batch_size: int,
        capture: bool,
        exchange: Exchange,
    ) -> None:
        self.exchange, self.sum = exchange, exchange.shard_sum
        shards, communicator = self.sum.shards, self.sum.communicator
        self.own = shards.dealt(communicator.rank)
        self.parts: list[Part] = []  # made at the first step, which all processes reach alike
        self.proof = ShardProof(network, optimizer, shards.count)
        backend = network.backend
        if communicator.size > 1 and not backend.records_sums(communicator):
            capture = False
        capture = capture and backend.has_views
        super().__init__(network, data, optimizer, batch_size, capture, shards, communicator, exchange.record)

    def join(self) -> None:
        self.exchange.join(super().state())

    def state(self) -> TrainState:
        self.join()
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
        scale = self.optimizer.loss_scale(scalars)
        if batch.whole is not None:
            with self.proof.expected(*batch.whole, scale):
                self._gradient(batch, state, scale)
        if self.exchange.divides(state.params, state.slots):
            grads, *results = self._added_up(batch, state, scale, part=True)
            self.exchange.update(state, grads, scalars)
        else:
            results = self._gradient(batch, state, scale)
            self.optimizer.apply(state.params, state.grads, state.slots, scalars)
        batch.end()
        return tuple(results)

    def _gradient(self, batch: CutBatch, state: TrainState, scale: Any) -> list[Array]:
        """Set the gradients; return the loss and the number of correct samples."""
        network = self.network
        grads, value, *correct = self._added_up(batch, state, scale, part=False)
        (state.grads if network.backend.has_views else network.flat_grads)["flat"] = grads
        value = network.penalized(value)
        network.decay(scale)
        return [value, *correct]

    def update(self, before: TrainState, indices: Array, scalars: Sequence[Array]) -> None:
        """Take the step from its start, since the gradients here are the whole batch's."""
        self.state().restore(before)
        self(self.state(), self.batch(self.data, indices), scalars)

    def _added_up(self, batch: CutBatch, state: TrainState, scale: Any, *, part: bool) -> Results:
        """The gradients as one vector, the loss, and the number of correct samples; see `Exchange.add`."""
        if not self.parts:
            self.parts += [Part(self.network, row) for row in self.exchange.rows()]
        rows = [state.parts.get(str(i), part.row) for i, part in enumerate(self.parts)]
        with ExitStack() as active:
            for own, row in zip(self.parts, rows, strict=True):
                active.enter_context(own.writing_into(row))
            numbers = self._run(batch, scale)
            each = zip(self.parts, rows, numbers, strict=True)
            total = self.exchange.add([own.summands(row, *its) for own, row, its in each], part=part)
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

    def ask(self) -> None:
        self.exchange.ask()

    def release(self) -> None:
        """Drop the arrays that the layers saved for backward."""
        super().release()
        for part in self.parts:
            for node in (*part.layers.values(), part.loss):
                node.saved = None
