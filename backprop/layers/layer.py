"""`Layer`: a node with one input, as a network stacks them."""

from __future__ import annotations

from ..backends import Array
from .node import Node


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

    def region(self, x: Array) -> Array | None:
        """For a piecewise smooth layer, which piece each entry of `x` lies on; None where smooth.

        The gradient check compares it on both sides of a central difference: where it differs, a
        kink lies between them and the difference is no derivative.
        """
        return None
