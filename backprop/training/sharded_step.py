"""A training step by shards: each part of the batch by itself, and the sum of their gradients."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..backends import Array, Communicator, HostArray
from ..layers import Layer
from ..networks import Network
from ..networks.parameters import FlatVector, named_parameters
from ..optimizers import Optimizer
from .ordered_sum import ShardSum
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
    sum: ShardSum
    whole: tuple[Array, Array] | None = None
    """The batch in one part, if the result by shards is still to be compared with it."""


class Part:
    """Replicas of a network's layers and loss, for a part of a batch, with gradients of their own."""

    def __init__(self, network: Network, grads: Array | None = None) -> None:
        self._originals: dict[str, Layer] = dict(network.layers)
        self.layers = {name: layer.replica() for name, layer in network.layers.items()}
        self._original_loss, self.loss = network.last_layer, network.last_layer.replica()
        self.grads = FlatVector("grads", named_parameters(self.layers), network.backend, grads)

    def follow(self, network: Network) -> None:
        """Take over what has changed in the network's layers and loss."""
        for name, layer in network.layers.items():
            if layer is not self._originals[name]:  # another one without parameters
                self._originals[name], self.layers[name] = layer, layer.replica()
            self.layers[name].follow(layer)
        if network.last_layer is not self._original_loss:
            self._original_loss, self.loss = network.last_layer, network.last_layer.replica()
        self.loss.follow(network.last_layer)


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
        super().__init__(network, data, optimizer, batch_size, capture=False, shards=shards)

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
        values, counts = self._run(batch, scale)
        value, *correct = self._add_up(values, counts)
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

    def _run(self, batch: CutBatch, scale: Any) -> tuple[list[Array], list[Array]]:
        """Run all parts forward and backward; return their shares of the loss, and counts of the correct."""
        if not self.parts:
            self.parts += [Part(self.network, place) for place in self._places()]
        for part in self.parts:
            part.follow(self.network)
        ys: list[Array] = [x for x, _ in batch.parts]
        for layers in self._layers():
            ys = layers[0].forward_parts(layers, ys, batch)
        values, counts, douts = [], [], []
        for part, y, (x, t) in zip(self.parts, ys, batch.parts, strict=True):
            share = x.shape[0] / batch.samples
            values.append(part.loss.forward(y, t, training=True) * share)
            counts += [part.loss.correct(y, t)] if part.loss.counts_correct else []
            douts.append(part.loss.backward(scale * share))
        stacks = self._layers()
        bottom = next((i for i, layers in enumerate(stacks) if layers[0].params), len(stacks))
        for i in range(len(stacks) - 1, bottom - 1, -1):
            douts = stacks[i][0].backward_parts(stacks[i], douts, batch, needs_dx=i > bottom)
        return values, counts

    def _layers(self) -> list[list[Layer]]:
        """For each layer of the network, its replica in every part."""
        return [list(layers) for layers in zip(*(part.layers.values() for part in self.parts), strict=True)]

    def _places(self) -> list[Array | None]:
        """For every part here, the memory of its gradients: what is exchanged, if it is on the host."""
        network = self.network
        if self.sum.communicator.size == 1 or network.backend.name != "numpy" or not network.params:
            return [None for _ in self.own]
        exchange = self.sum.exchange(network.size + MORE, network.dtype)
        return [row[: network.size] for row in exchange.rows]

    def _add_up(self, values: list[Array], counts: list[Array]) -> Results:
        """Set the network's gradient, and return the loss and the number of correct samples."""
        network, backend = self.network, self.network.backend
        grads = [part.grads["flat"] for part in self.parts]
        if self.sum.communicator.size == 1:
            network.flat_grads["flat"] = self.sum(grads)
            return self.sum(values), *([self.sum(counts)] if counts else [])
        length = grads[0].shape[0]
        exchange = self.sum.exchange(length + MORE, network.dtype)
        rows = exchange.rows
        for i, grad in enumerate(grads):
            host = backend.to_numpy(grad)
            if not np.may_share_memory(rows[i], host):
                rows[i, :length] = host
            rows[i, length] = float(values[i])
            rows[i, length + 1] = float(counts[i]) if counts else 0.0
            rows[i, length + 2] = self.asked_to_stop()
        total = exchange()
        network.flat_grads["flat"] = backend.asarray(total[:length].copy())
        if total[length + 2]:
            self.stop()
        return self._results(total[length:], bool(counts))

    def _results(self, total: HostArray, counts: bool) -> Results:
        backend = self.network.backend
        value = backend.asarray(total[0].copy())
        return value, *([backend.asarray(int(total[1]))] if counts else [])

    def release(self) -> None:
        """Drop the arrays that the layers saved for backward."""
        super().release()
        for part in self.parts:
            for node in (*part.layers.values(), part.loss):
                node.saved = None
