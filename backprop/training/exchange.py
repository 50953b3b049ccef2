"""The gradients of all shards are added up, and the parameters updated, by all processes together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ..backends import Array, InPlaceDict, OrderedSum, Replay
from ..networks import Network
from ..optimizers import Optimizer
from .ordered_sum import AskingSum, ShardSum
from .state import TrainState, acts_on_entries

MORE = 3
"""What is added up besides the gradients: the loss, the number of correct samples, whether to stop."""


class LentReplay:
    """A replay, and what is called before it."""

    def __init__(self, replay: Replay, before: Callable[[], None]) -> None:
        self._replay, self._before, self.results = replay, before, replay.results

    def __call__(self, *inputs: Array) -> tuple[Array, ...]:
        self._before()
        return self._replay(*inputs)


class Exchange:
    """The sum over all shards, and the update of the parameters.

    Where an optimizer acts on every entry by itself, each process adds only its columns of the gradients and
    updates only these columns of the parameters and slots, which saves time in all: then it gets the other
    parameters from the others. The other columns of slots and gradients it gets when they are needed: `join`.

    Parameters
    ----------
    asked_to_stop : whether this process is asked to stop, which all processes learn with the next sum
    stop : called when any process is asked to stop
    """

    def __init__(
        self,
        network: Network,
        optimizer: Optimizer,
        shard_sum: ShardSum,
        asked_to_stop: Callable[[], bool],
        stop: Callable[[], None],
    ) -> None:
        self.network, self.optimizer, self.shard_sum = network, optimizer, shard_sum
        self.asked_to_stop, self.stop = asked_to_stop, stop
        self._lent: tuple[Array, Array] | None = None  # the parameters, and their copy for replays
        self._is_lent = False
        self._total: OrderedSum | None = None  # made at the first step, which all processes reach alike

    @property
    def several(self) -> bool:
        """Whether there are several processes."""
        return self.shard_sum.communicator.size > 1

    @property
    def total(self) -> OrderedSum:
        """The sum of several processes."""
        if self._total is None:
            size, dtype = self.network.size + MORE, self.network.dtype
            total = self.shard_sum.exchange(size, dtype, MORE)
            self._total = AskingSum(total, self.asked_to_stop, self.stop) if total.on_host else total
        return self._total

    def rows(self) -> Sequence[Array | None]:
        """Memory for what each part here adds; None where the library has no views."""
        network, backend = self.network, self.network.backend
        count = self.shard_sum.shards.counts[self.shard_sum.communicator.rank]
        if not backend.has_views:
            return [None for _ in range(count)]
        if self.several and backend.name == "numpy":
            return list(self.total.rows)
        zeros = [0.0] * (network.size + MORE)
        return [backend.asarray(zeros, dtype=network.dtype) for _ in range(count)]

    def divides(self, params: Mapping[str, Array], slots: Mapping[str, Array]) -> bool:
        """Whether each process updates its columns."""
        network, optimizer = self.network, self.optimizer
        if not (self.several and network.backend.has_views and network.params and self.total.on_host):
            return False
        return (
            not network.weight_decay
            and optimizer.max_norm is None
            and acts_on_entries(optimizer, params, slots)
        )

    def add(self, vectors: Sequence[Array], *, part: bool) -> Array:
        """The sum over all shards, or with `part` only its columns that are added here, and the numbers."""
        if not self.several:
            return self.shard_sum(vectors)
        return self.network.backend.ordered_sum(self.total, vectors, part=part)

    def ask(self) -> None:
        """Learn whether any process is asked to stop, unless the sums tell."""
        if not self.several or self.total.on_host:
            return
        if any(self.shard_sum.communicator.gather(self.asked_to_stop())):
            self.stop()

    def update(self, state: TrainState, grads: Array, scalars: Sequence[Array]) -> None:
        """Update the columns of this process, and get the others' parameters from them."""
        params, slots = self._own(state.params), self._own(state.slots)
        self.optimizer.apply(params, self._own({"flat": grads}), slots, scalars)
        self.network.backend.gather(self.total, state.params["flat"])

    def record(
        self,
        function: Callable[..., tuple[Array, ...]],
        state: Sequence[Mapping[str, Array]],
        inputs: Sequence[Array],
    ) -> Replay:
        """Record a function of the state; its parameters are where the others can read them."""
        params, layers, slots, *others = state
        if not self.divides(params, slots):
            return self.network.backend.record(function, state, inputs)
        self._lent = params["flat"], self.total.own[: self.network.size]
        self._lend()
        replay = self.network.backend.record(
            function, ({"flat": self._lent[1]}, layers, slots, *others), inputs
        )
        return LentReplay(replay, self._lend)

    def _lend(self) -> None:
        """Copy the parameters to where the others can read them."""
        if self._lent and not self._is_lent:
            own, lent = self._lent
            lent[...], self._is_lent = own, True

    def join(self, state: TrainState) -> None:
        """Make the live state whole: replays change the parameters elsewhere, and have parts of the rest."""
        if self._lent and self._is_lent:
            own, lent = self._lent
            own[...], self._is_lent = lent, False
        if not isinstance(self._total, AskingSum) or not self._total.is_divided:
            return
        self._total.is_divided = False
        backend, columns = self.network.backend, self.total.columns
        grads = state.grads["flat"]
        grads[columns] = backend.asarray(self.total.total[columns])
        for vector in (grads, *state.slots.values()):
            backend.gather(self.total, vector)

    def _own(self, arrays: Mapping[str, Array]) -> InPlaceDict:
        return InPlaceDict({key: array[self.total.columns] for key, array in arrays.items()})
