"""What happened in one layer, or in the loss, on one batch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..backends import HostArray
from ..layers import Node


@dataclass(frozen=True)
class NodeTrace:
    """A layer's or loss's arrays on one batch: copies on the host, in the dtype of the computation."""

    name: str
    """The layer's name as it is shown: `"Affine1"`, `"Conv1 with Relu1 and Pool1"`."""
    node: Node
    inputs: tuple[HostArray, ...]
    """One array for a layer; output of the last layer and target for a loss."""
    output: HostArray
    dout: HostArray
    """The gradient of the loss for the output."""
    dinputs: tuple[HostArray | None, ...]
    """The gradient of the loss for each input; None for a target."""
    params: Mapping[str, HostArray]
    grads: Mapping[str, HostArray]
    """The gradient of the loss for every parameter: same keys, same shapes."""
    state: Mapping[str, HostArray]
    """The state before the forward pass."""
    forward_seconds: float
    backward_seconds: float
    parts: tuple[NodeTrace, ...] = ()
    """The layers within a block such as `Residual`."""
