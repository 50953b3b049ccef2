"""The numerical derivative of the loss for one entry, in float64, beside the one of backpropagation."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..backends import Array, HostArray
from ..layers import Node
from ..tracing import NodeTrace, Trace
from ..tracing.recorder import blocks_layers

if TYPE_CHECKING:
    from ..networks.network import Network

STEPS = (1e-4, 1e-5, 1e-6, 1e-7)
"""h: the book's, and smaller ones, tried where the derivatives do not agree: near a kink."""

LARGE = 1e-4
"""The steps of a number larger than the inverse of this are larger in proportion."""

AGREE = 1e-6
"""The relative difference of derivatives that agree."""

Entry = tuple[int, ...]


@dataclass(frozen=True)
class Difference:
    """(f(w + h) − f(w − h)) / 2h for one entry w, where f is the loss of the batch."""

    name: str
    """The entry, as `W[130,3]`."""
    value: float
    """w"""
    h: float
    above: float
    """f(w + h)"""
    below: float
    """f(w − h)"""
    analytic: float
    """∂L/∂w from backpropagation, in float64."""

    @property
    def numerical(self) -> float:
        """The derivative from the two values."""
        return (self.above - self.below) / (2.0 * self.h)

    @property
    def error(self) -> float:
        """The difference of both derivatives, relative to the larger; NaN if one is not finite."""
        largest = max(abs(self.analytic), abs(self.numerical))
        if not math.isfinite(largest):
            return math.nan
        return abs(self.analytic - self.numerical) / largest if largest else 0.0

    @property
    def rounding(self) -> float:
        """How far the numerical derivative may be off because f is rounded."""
        return 4.0 * sys.float_info.epsilon * max(abs(self.above), abs(self.below)) / self.h

    @property
    def agrees(self) -> bool:
        """Whether both derivatives agree in about six digits, or to the rounding of f."""
        return self.error <= AGREE or abs(self.analytic - self.numerical) <= self.rounding


class Float64:
    """A copy of a network in float64 on the CPU, with its trace, to take differences of the loss."""

    def __init__(self, network: Network, x: HostArray, t: HostArray) -> None:
        self.network = network.to(dtype="float64", device="cpu")
        backend, own = self.network.backend, network.backend
        for key, value in network.state_of_gradient().items():
            self.network.state[key] = backend.asarray(own.to_numpy(value), dtype=None)
        self._draws = network.draws_of_gradient()
        with self._draws.repeated(self.network.layers):
            self.trace: Trace = self.network.trace(backend.asarray(x), backend.asarray(t))
        self._x = self.network.as_input(backend.asarray(x))
        self._t = backend.asarray(self.trace.t)
        self._places = {id(node): i for i, node in enumerate(_nodes(self.network))}

    def difference(self, layer: str, key: str, entry: Entry) -> Difference:
        """The derivative for an entry of a layer's input `x` or of a parameter, worked out both ways.

        The first h is used at which both agree; if they do at none, the one at which they differ least.
        """
        node = self.trace[layer]
        values, gradient = _arrays(node, key)
        unit = max(1.0, LARGE * _finite(values[entry]))  # w + h is not w
        found: list[Difference] = []
        for h in STEPS:
            found.append(self._with_step(node, key, entry, h * unit, gradient))
            if found[-1].agrees or math.isnan(found[-1].error):
                return found[-1]
        return min(found, key=lambda difference: difference.error)

    def _with_step(
        self, node: NodeTrace, key: str, entry: Entry, h: float, gradient: HostArray
    ) -> Difference:
        values, _ = _arrays(node, key)
        above, below = (self._loss(node.node, key, entry, step) for step in (h, -h))
        name = f"{key}[{','.join(map(str, entry))}]"
        return Difference(name, float(values[entry]), h, above, below, float(gradient[entry]))

    def _loss(self, node: Node, key: str, entry: Entry, step: float) -> float:
        """The loss with one entry moved by a step; dropout draws the masks of the trace."""
        copied = self.network.to()
        moved: Any = list(_nodes(copied))[self._places[id(node)]]
        forward, is_parameter = moved.forward, key in moved.params

        def forward_moved(x: Array, *others: Array, **options: Any) -> Array:
            if not is_parameter:
                x = self.network.backend.xp.asarray(x, copy=True)
                x[entry] += step
            else:
                moved.params[key][entry] += step
            result: Array = forward(x, *others, **options)
            return result

        vars(moved)["forward"] = forward_moved
        with self._draws.repeated(copied.layers):
            y = copied.forward(self._x, training=True)
            loss = copied.last_layer.forward(y, self._t, training=True)
        return float(copied.penalized(loss))


def _arrays(node: NodeTrace, key: str) -> tuple[HostArray, HostArray]:
    """The values and the gradient of the first input or of a parameter."""
    if key in node.grads:
        return node.params[key], node.grads[key]
    gradient = node.dinputs[0]
    assert gradient is not None  # only a target has none, and it is never the first input
    return node.inputs[0], gradient


def _finite(value: Any) -> float:
    return abs(float(value)) if math.isfinite(value) else 1.0


def _nodes(network: Network) -> Iterator[Node]:
    """Every layer, those within blocks, and the loss."""
    for layer in network.layers.values():
        yield from _with_inner(layer)
    yield network.last_layer


def _with_inner(node: Node) -> Iterator[Node]:
    yield node
    for inner in blocks_layers(node).values():
        yield from _with_inner(inner)
