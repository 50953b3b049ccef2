"""`Layer`: a node with one input, as a network stacks them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from ..backends import Array
from .node import Node
from .shared_batch import SharedBatch


class Layer(Node):
    """A differentiable function of one array."""

    def forward(self, x: Array, *, training: bool = False) -> Array:
        """The output for a batch `x`, whose first axis counts the samples."""
        raise NotImplementedError(f"{self.name} has no forward")

    def backward(self, dout: Array) -> Array:
        """Set `grads` and return dx, given dout: the gradient of the loss for forward's output."""
        raise NotImplementedError(f"{self.name} has no backward")

    def backward_params(self, dout: Array) -> None:
        """Set `grads` only: a network calls it on its lowest layer with parameters, where dx is not used."""
        self.backward(dout)

    def forward_parts(self, parts: Sequence[Self], xs: Sequence[Array], batch: SharedBatch) -> list[Array]:
        """`forward` in training for each part of a batch, with a replica of this layer for each.

        A layer that joins samples, counts batches, or looks at a sample's place in the batch overrides it,
        so that the result does not depend on the number of parts.
        """
        return [part.forward(x, training=True) for part, x in zip(parts, xs, strict=True)]

    def backward_parts(
        self, parts: Sequence[Self], douts: Sequence[Array], batch: SharedBatch, *, needs_dx: bool = True
    ) -> list[Array]:
        """`backward` after `forward_parts`; each part's `grads` are its own share. [] unless `needs_dx`."""
        if needs_dx:
            return [part.backward(dout) for part, dout in zip(parts, douts, strict=True)]
        for part, dout in zip(parts, douts, strict=True):
            part.backward_params(dout)
        return []

    def region(self, x: Array) -> Array | None:
        """For a piecewise smooth layer, which piece each entry of `x` lies on; None where smooth.

        The gradient check compares it on both sides of a central difference: where it differs, a
        kink lies between them and the difference is no derivative.
        """
        return None
