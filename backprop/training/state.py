"""The state that a training step changes, as one value."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import NamedTuple

from ..backends import Array, namespace_of
from ..networks import Network
from ..optimizers import Optimizer

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

    @classmethod
    def of(cls, network: Network, optimizer: Optimizer) -> TrainState:
        """The live state: setting an entry writes into the network or the optimizer."""
        return cls(network.flat_params, network.state, optimizer.slots, network.flat_grads)

    def copy(self) -> TrainState:
        """Copy all arrays."""
        return TrainState(*({key: _copied(array) for key, array in arrays.items()} for arrays in self))

    def restore(self, saved: TrainState) -> None:
        """Set every array to the one in `saved`."""
        for own, its in zip(self, saved, strict=True):
            for key, array in its.items():
                own[key] = array

    @contextmanager
    def swapped_into(self, network: Network) -> Iterator[None]:
        """While active, the network's layers compute with these arrays in place of their own."""
        with (
            network.flat_params.swapped(self.params),
            network.flat_grads.swapped(self.grads),
            network.state.swapped(self.layers),
        ):
            yield


def _copied(array: Array) -> Array:
    return namespace_of(array).asarray(array, copy=True)
