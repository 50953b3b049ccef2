"""The table of a network's layers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..backends import Array

if TYPE_CHECKING:
    from .network import Network


def summary(network: Network, input_shape: Sequence[int] | None = None) -> str:
    """A table of every layer's output shape for a batch of N, and its number of parameters."""
    rows = list(zip(names(network), output_shapes(network, input_shape), counts(network), strict=True))
    width = max(len(name) for name, _, _ in rows) + 2
    shape_width = max(len(shape) for _, shape, _ in rows) + 2
    lines = [f"{'layer':<{width}}{'output':<{shape_width}}{'parameters':>10}"]
    lines += [f"{name:<{width}}{shape:<{shape_width}}{count:>10,}" for name, shape, count in rows]
    lines.append(f"{'total':<{width + shape_width}}{network.size:>10,}")
    return "\n".join(lines)


def names(network: Network) -> list[str]:
    """The names of the table's rows: the input, the layers and the loss."""
    return ["input", *network.layers.shown.values(), network.last_layer.name]


def counts(network: Network) -> list[int]:
    """The number of parameters in each row."""
    return [
        0,
        *(sum(math.prod(p.shape) for p in layer.params.values()) for layer in network.layers.values()),
        0,
    ]


def output_shapes(network: Network, input_shape: Sequence[int] | None = None) -> list[str]:
    """The shape of each row for a batch of N, from an inference on a copy; `ValueError` if it is unknown."""
    sample, copied = _sample_shape(network, input_shape), network.to()
    x = network.backend.asarray(np.zeros((1, *sample)), dtype=network.dtype)
    shapes = [_batch_shape(x)]
    for layer in copied.layers.values():
        x = layer.forward(x)
        shapes.append(_batch_shape(x))
    return [*shapes, "()"]


def _sample_shape(network: Network, given: Sequence[int] | None) -> Sequence[int]:
    """The shape of a sample: the given one, the network's, or what its lowest weights expect."""
    shape = network.input_shape if given is None else given
    if shape is not None:
        return shape
    weights = [layer.params["W"] for layer in network.layers.values() if "W" in layer.params]
    if not weights or weights[0].ndim != 2:
        raise ValueError("summary: give input_shape, the shape of one sample, as (1, 28, 28)")
    return (weights[0].shape[0],)


def _batch_shape(x: Array) -> str:
    return f"({', '.join(['N', *map(str, x.shape[1:])])})"
