"""Statistics of a network's layers, gradients and updates on one batch."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..backends import Array, HostArray
from ..layers import ConvolutionReLUPooling, Layer, ReLU
from ..networks.network import Network
from ..networks.parameters import named_parameters
from ..optimizers import Optimizer
from ..statistics import Statistics

BINS = 50

CONSTANT = 1e-5
"""The tolerance for equal outputs, relative to the largest entry."""


@dataclass(frozen=True)
class Histogram:
    """The number of an array's finite entries in each bin."""

    counts: HostArray
    """(BINS,)"""
    edges: HostArray
    """(BINS + 1,)"""


@dataclass(frozen=True)
class LayerOutput:
    """The output of a layer on the batch."""

    name: str
    shape: tuple[int, ...]
    """(N, …)"""
    mean: float
    std: float
    zeros: float
    """The share of entries that are 0."""
    constant: bool
    """Whether it is the same for every sample, within 1e-5 of the largest entry."""
    finite: bool
    """Whether all entries are finite."""
    units: int | None
    """The number of ReLU units: entries of a sample, or channels of an image; None for other layers."""
    dead: int | None
    """The number of units that are 0 on the whole batch."""
    histogram: Histogram


@dataclass(frozen=True)
class Gradient:
    """The gradient of a parameter on the batch, and the optimizer's next update."""

    name: str
    layer: str
    weight: bool
    """Whether the parameter is a weight W, not a bias."""
    shape: tuple[int, ...]
    parameter_norm: float
    """‖W‖"""
    norm: float
    """‖∂L/∂W‖"""
    update: float | None
    """‖ΔW‖ / ‖W‖; None without an optimizer, or if W is 0."""
    histogram: Histogram


def inspect_batch(
    network: Network, x: Array, t: Array, optimizer: Optimizer | None = None
) -> tuple[list[LayerOutput], list[Gradient]]:
    """Train copies of the network and the optimizer on the batch (x, t) for one step.

    Parameters
    ----------
    x, t : arrays on the network's device
    optimizer : in its state after training, or None to compute gradients only
    """
    network = network.to()
    outputs, y = [], network.as_input(x)
    for name, layer in network.layers.items():
        y = layer.forward(y, training=True)
        outputs.append(_output(network.layers.shown[name], layer, network.backend.to_numpy(y)))
    target = network.as_target(t, y.shape[0], tuple(y.shape[1:]))
    network.last_layer.forward(y, target, training=True)
    if not network.params:
        return outputs, []
    network.backward_params()
    return outputs, _gradients(network, optimizer)


def histogram(values: HostArray) -> Histogram:
    """Compute the histogram of all finite entries."""
    finite = values[np.isfinite(values)]
    try:
        return Histogram(*np.histogram(finite, BINS))
    except ValueError:  # the entries are too close to each other
        middle = float(finite.mean())
        return Histogram(*np.histogram(finite, BINS, (middle - 0.5, middle + 0.5)))


def _output(name: str, layer: Layer, y: HostArray) -> LayerOutput:
    y = y.astype(np.float64)
    units = dead = None
    if isinstance(layer, ReLU | ConvolutionReLUPooling):
        alive = (y != 0.0).any(axis=tuple(axis for axis in range(y.ndim) if axis != 1))
        units, dead = alive.size, int(alive.size - np.count_nonzero(alive))
    found = Statistics.of(y)
    finite = not found.nonfinite
    spread = float(np.ptp(y, axis=0).max()) if finite else np.inf
    constant = len(y) > 1 and spread <= CONSTANT * max(-found.smallest, found.largest)
    mean, std = (found.mean, found.std) if finite else (math.nan, math.nan)
    return LayerOutput(name, y.shape, mean, std, found.zeros, constant, finite, units, dead, histogram(y))


def _gradients(network: Network, optimizer: Optimizer | None) -> list[Gradient]:
    before = _on_host(network, network.flat_params)
    gradients = _on_host(network, network.flat_grads)
    if optimizer is not None:
        _copy(network, optimizer).update(network.flat_params, network.flat_grads)
    after = _on_host(network, network.flat_params)
    found = []
    for name, (layer, key) in named_parameters(network.layers).items():
        norm, change = np.linalg.norm(before[name]), np.linalg.norm(after[name] - before[name])
        found.append(
            Gradient(
                name,
                network.layers.shown.get(layer.name, layer.name),
                key.rpartition(".")[2] == "W",
                before[name].shape,
                float(norm),
                float(np.linalg.norm(gradients[name])),
                float(change / norm) if optimizer is not None and norm > 0.0 else None,
                histogram(gradients[name]),
            )
        )
    return found


def _on_host(network: Network, vector: Any) -> dict[str, HostArray]:
    """Copy the parts of a flat vector to the host in float64, by parameter name."""
    parts = network.flat_params.split(vector["flat"])
    return {name: np.array(network.backend.to_numpy(part), np.float64) for name, part in parts.items()}


def _copy(network: Network, optimizer: Optimizer) -> Optimizer:
    """Copy the optimizer and its slots."""
    clone, xp = copy.copy(optimizer), network.backend.xp
    clone.slots = {key: xp.asarray(slot, copy=True) for key, slot in optimizer.slots.items()}
    return clone
