"""The state that a training step changes, as one value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from typing import NamedTuple

from ..backends import Array, copy_of
from ..networks import Network
from ..optimizers import SGD, Optimizer

Arrays = MutableMapping[str, Array]


class TrainState(NamedTuple):
    """All arrays that a training step changes: the live ones, copies, or traced ones.

    A step is a function of (state, batch, scalars) that changes the state's arrays.
    """

    params: Arrays
    """The parameters as one vector, `"flat"`."""
    layers: Arrays
    """The layers' state, which they carry from step to step: `"running_mean1"`, …"""
    slots: Arrays
    """The optimizer's slots: `"v.flat"`, …"""
    grads: Arrays
    """The gradients as one vector, `"flat"`; empty before the first step if the library has no views."""
    parts: Arrays = {}  # noqa: RUF012 - never changed
    """For a batch in parts, what is added up over these, by the part's number here."""

    @classmethod
    def of(cls, network: Network, optimizer: Optimizer) -> TrainState:
        """The live state: setting an entry writes into the network or the optimizer."""
        return cls(network.flat_params, network.state, optimizer.slots, network.flat_grads)

    def copy(self) -> TrainState:
        """Copy all arrays."""
        return TrainState(*({key: copy_of(array) for key, array in arrays.items()} for arrays in self))

    def restore(self, saved: TrainState) -> None:
        """Set every array to the one in `saved`."""
        for own, its in zip(self, saved, strict=True):
            for key, array in its.items():
                own[key] = array

    @contextmanager
    def swapped_into(self, network: Network, optimizer: Optimizer | None = None) -> Iterator[TrainState]:
        """While active, the network's layers compute with these arrays in place of their own.

        Yields the state in which steps find them, and which they change: this one, or where the library has
        no views, the live one; for an optimizer that acts on single entries by the parameters' names, which
        saves joining and splitting the vectors in every step.
        """
        vector = network.flat_params
        with (
            vector.swapped(self.params),
            network.flat_grads.swapped(self.grads),
            network.state.swapped(self.layers),
        ):
            if network.backend.has_views:
                yield self
            elif optimizer is None or not (
                network.params and acts_on_entries(optimizer, self.params, self.slots)
            ):
                yield TrainState(vector, network.state, self.slots, network.flat_grads)
            else:
                with self._by_name(network) as named:
                    yield named

    @contextmanager
    def _by_name(self, network: Network) -> Iterator[TrainState]:
        """The live state by the parameters' names."""
        vector = network.flat_params
        slots: dict[str, Array] = {}
        for slot, array in self.slots.items():
            slots |= {_named(slot, name): part for name, part in vector.split(array).items()}
        yield TrainState(vector.named(), network.state, slots, network.flat_grads.named())
        for slot in self.slots:
            parts = {name: slots[_named(slot, name)] for name in network.params}
            self.slots[slot] = vector.joined(parts)


def _named(slot: str, name: str) -> str:
    """`"v.flat"` as the slot of one parameter, `"v.W1"`."""
    return f"{slot.removesuffix('flat')}{name}"


def acts_on_entries(optimizer: Optimizer, params: Mapping[str, Array], slots: Mapping[str, Array]) -> bool:
    """Whether a step treats every entry alike, so that it may take the parameters by name."""
    own, base = type(optimizer), Optimizer
    sizes = {tuple(array.shape) for arrays in (params, slots) for array in arrays.values()}
    return own.apply in (base.apply, SGD.apply) and own.clipped is base.clipped and len(sizes) == 1
