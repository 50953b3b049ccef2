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
    x = network.backend.asarray(np.zeros((1, *_sample_shape(network, input_shape))), dtype=network.dtype)
    rows = [("input", _batch_shape(x), 0)]
    for name, layer in zip(network.layers.shown.values(), network.layers.values(), strict=True):
        x = layer.forward(x)
        rows.append((name, _batch_shape(x), sum(math.prod(p.shape) for p in layer.params.values())))
    rows.append((network.last_layer.name, "()", 0))
    width = max(len(name) for name, _, _ in rows) + 2
    shape_width = max(len(shape) for _, shape, _ in rows) + 2
    lines = [f"{'layer':<{width}}{'output':<{shape_width}}{'parameters':>10}"]
    lines += [f"{name:<{width}}{shape:<{shape_width}}{count:>10,}" for name, shape, count in rows]
    lines.append(f"{'total':<{width + shape_width}}{network.size:>10,}")
    return "\n".join(lines)


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
