"""A node applied to variables, and the way of the gradients back through all that were."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np

from ..backends import Array, HostArray, backend_of, get_backend, namespace_of
from ..layers import Node

if TYPE_CHECKING:
    from .variable import Variable

LATEST: WeakKeyDictionary[Node, object] = WeakKeyDictionary()
"""The mark of each node's latest application. Only that one can go backward: a node keeps one forward."""


class Application:
    """A node, the variables it was applied to, and its output."""

    def __init__(self, node: Node, inputs: tuple[Variable, ...], arrays: Sequence[Array]) -> None:
        run: Any = node
        self.node, self.inputs = node, inputs
        self.output: Array = run.forward(*arrays, training=True)
        self._mark, self._saved = object(), _saved(node)
        self._params = {key: on_host(value) for key, value in node.params.items()}
        LATEST[node] = self._mark

    def __getstate__(self) -> dict[str, Any]:
        """For pickle and copies: without what the node saved, so that a copy does not go backward."""
        return {**vars(self), "_saved": (), "_mark": object()}

    def backward(self, dout: Array) -> list[Array | None]:
        """The gradient of each input; None for constants, and where the node computes none."""
        run: Any = self.node
        saved = zip(_saved(self.node), self._saved, strict=True)
        if LATEST.get(self.node) is not self._mark or any(now is not then for now, then in saved):
            raise RuntimeError(
                f"{self.node.name}: used again since, or copied, and a node keeps only its latest forward; "
                f"give every place its own {type(self.node).__name__}"
            )
        for key, value in self._params.items():
            if not np.array_equal(on_host(self.node.params[key]), value, equal_nan=True):
                raise RuntimeError(
                    f"{self.node.name}: its parameter {key} has changed since its forward; apply it again"
                )
        found = run.backward(dout)
        parts = list(found) if isinstance(found, tuple) else [found]
        parts += [None] * (len(self.inputs) - len(parts))
        return [_fitting(part, variable) for part, variable in zip(parts, self.inputs, strict=True)]


@dataclass
class Flow:
    """The gradients of one backward pass."""

    totals: dict[int, Array]
    """The gradient of each variable, by its id."""
    parts: dict[int, list[Array | None]] = field(default_factory=dict)
    """What came back to the inputs of each application, by the id of its result."""


def ancestors(variable: Variable) -> list[Variable]:
    """The variables that this one was computed from, and itself, each after those it was computed from."""
    order: list[Variable] = []
    seen: set[int] = set()
    left = [(variable, False)]
    while left:
        current, is_done = left.pop()
        if is_done:
            order.append(current)
        elif id(current) not in seen:
            seen.add(id(current))
            left.append((current, True))
            if current.origin is not None:
                left.extend((x, False) for x in reversed(current.origin.inputs))
    return order


def flow_back(variable: Variable, dout: Array) -> tuple[list[Variable], Flow]:
    """The variables that this one was computed from, and their gradients."""
    order = ancestors(variable)
    flow = Flow({id(variable): dout})
    for current in reversed(order):
        total = flow.totals.get(id(current))
        if total is None or current.origin is None:
            continue
        parts = flow.parts[id(current)] = current.origin.backward(total)
        for x, part in zip(current.origin.inputs, parts, strict=True):
            if part is not None:
                before = flow.totals.get(id(x))
                flow.totals[id(x)] = part if before is None else before + part
    return order, flow


def _saved(node: Node) -> list[Any]:
    """What the node and the layers within it keep for `backward`."""
    layers = getattr(node, "layers", None)
    inner = layers.values() if isinstance(layers, Mapping) else ()
    return [vars(node).get("_saved"), *(kept for layer in inner for kept in _saved(layer))]


def on_host(array: Array) -> HostArray:
    """A copy on the host."""
    return np.array(backend_of(array).to_numpy(array))


def _fitting(part: Array | None, variable: Variable) -> Array | None:
    """A gradient as an array like the variable's, which may be a number used beside other arrays."""
    if part is None or variable.is_constant:
        return None
    if variable.is_number:
        return get_backend("cpu").asarray(backend_of(part).to_numpy(part), dtype="float64")
    return namespace_of(part).asarray(part)
