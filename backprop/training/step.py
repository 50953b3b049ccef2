"""One step of training: forward, loss, backward and update, as a function of (state, batch, scalars)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from typing import Any, TypeAlias

from ..backends import Array, Communicator, Replay, namespace_of
from ..networks import Network
from ..optimizers import Optimizer
from .capture import StepCapture
from .fingerprint import Fingerprinter
from .shards import UNDIVIDED, Shards
from .state import TrainState

Results: TypeAlias = tuple[Array, ...]
"""The loss and, if it classifies, the number of correct samples."""


class TrainStep:
    """A training step on batches of the data.

    Parameters
    ----------
    data : the samples, `"x"`, and their targets, `"t"`, on the network's device
    batch_size : samples per step
    capture : whether to record the step and replay it if the backend can
    communicator : the processes that take the step together; by default this one alone
    record : records a function of the state, as the backend's `record`, the default, does
    """

    def __init__(
        self,
        network: Network,
        data: Mapping[str, Array],
        optimizer: Optimizer,
        batch_size: int,
        capture: bool,
        shards: Shards = UNDIVIDED,
        communicator: Communicator | None = None,
        record: Callable[..., Replay] | None = None,
    ) -> None:
        self.network, self.optimizer, self.batch_size = network, optimizer, batch_size
        self.shards = shards
        optimizer.prepare(network.flat_params)
        self.data = data
        backend, own = network.backend, copy(self)  # in a cycle, recordings would not be freed at once
        self.capture = StepCapture(
            backend,
            own.scan,
            record or backend.record,
            own.state,
            self.data,
            Fingerprinter(network, optimizer),
            communicator,
        )
        can_replay = backend.can_record and (backend.has_views or backend.replays_mappings)
        if not (capture and can_replay and network.params):
            self.capture.why = "not asked for"

    def join(self) -> None:
        """Make the live state whole, where several processes have parts of it."""

    def state(self) -> TrainState:
        """The live state of the network and the optimizer."""
        return TrainState.of(self.network, self.optimizer)

    def batch(self, data: Mapping[str, Array], indices: Array) -> Any:
        """What a step takes of the samples at these indices."""
        return self.whole_batch(data, indices)

    def whole_batch(self, data: Mapping[str, Array], indices: Array) -> tuple[Array, Array]:
        """The samples at these indices, scaled, and their targets."""
        take = namespace_of(indices).take
        return self.network.scaled(take(data["x"], indices, axis=0)), take(data["t"], indices, axis=0)

    def __call__(self, state: TrainState, batch: Any, scalars: Sequence[Array]) -> Results:
        """Run forward, loss, backward and update on a state that is live or swapped into the network."""
        network, loss = self.network, self.network.last_layer
        x, t = batch
        y = network.forward(x, training=True)
        value = network.penalized(loss.forward(y, t, training=True))
        correct = (loss.correct(y, t),) if loss.counts_correct else ()
        network.backward_params(self.optimizer.loss_scale(scalars))
        self.optimizer.apply(state.params, state.grads, state.slots, scalars)
        return value, *correct

    def update(self, before: TrainState, indices: Array, scalars: Sequence[Array]) -> None:
        """Take the update of a step whose backward has run; `before` is the state before that step."""
        state = self.state()
        self.optimizer.apply(state.params, state.grads, state.slots, scalars)

    def scan(self, state: TrainState, data: Mapping[str, Array], rows: Array, scalars: Array) -> Results:
        """Run a step for every row of indices, with its row of scalars; return the results, stacked."""
        with state.swapped_into(self.network, self.optimizer) as own:

            def step(i: Any) -> Results:
                numbers = [scalars[i, j] for j in range(scalars.shape[1])]
                return self(own, self.batch(data, rows[i, ...]), numbers)

            return self.network.backend.scan(step, own, rows.shape[0])

    def ask(self) -> None:
        """Learn whether any process is asked to stop, unless the steps tell."""

    def release(self) -> None:
        """Drop the arrays that the layers saved for backward, including those of a recording."""
        for node in (*self.network.layers.values(), self.network.last_layer):
            node.saved = None
