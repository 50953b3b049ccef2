"""A layer or a loss, as a subject of the check."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Any

import numpy as np

from ..backends import Array, Backend
from ..layers import Layer, Node
from ..layers.book_style.draws import Draws
from ..losses import Loss
from . import aliasing, promises
from .subject import (
    INPUTS,
    LayeredSubject,
    Promise,
    Slot,
    device_inputs,
    host_copies,
    regions_of,
    show_another_batch,
    tells_training,
)


class NodeSubject:
    """Σ dout · node(inputs), with a fixed dout."""

    def __init__(self, node: Any, inputs: list[Array], dout: np.ndarray, backend: Backend) -> None:
        self.node, self.inputs, self.dout, self.library = node, inputs, dout, backend
        self.name, self.evaluations = node.name, 0
        self.start, self._draws = host_copies(node.state, backend), Draws.of({"": node})
        self.tells_training = tells_training({"": node}, self.start)
        self.input_names = INPUTS[: 1 if isinstance(node, (Loss, Layer)) else 2]
        self.param_slots = [(node.name, key) for key in node.params]
        self.slots = [*self.param_slots, *((node.name, key) for key in self.input_names)]
        self.output_shape: tuple[int, ...] | None = dout.shape
        self.largest_dout = float(np.abs(dout).max(initial=0.0))
        self.parts: list[str] = []

    @classmethod
    def of(cls, node: Node, host: list[np.ndarray], backend: Backend, seed: int, dtype: str) -> NodeSubject:
        """A copy of the node with its inputs, on `backend` in `dtype`, with dout drawn from the seed."""
        takes_target = isinstance(node, Loss)
        inputs, spent = (device_inputs(host, takes_target, backend, dtype) for _ in range(2))
        copied: Any = node.to(backend, dtype)
        show_another_batch({"": copied}, copied.forward, *spent)
        y = copied.forward(*spent)
        dout = np.random.default_rng(seed).uniform(0.5, 1.5, tuple(y.shape))
        return cls(copied, inputs, np.asarray(dout), backend)

    def get(self, slot: Slot) -> Array:
        key = slot[1]
        return self.node.params[key] if key in self.node.params else self.inputs[INPUTS.index(key)]

    def set(self, slot: Slot, values: Array) -> None:
        key = slot[1]
        if key in self.node.params:
            self.node.params[key] = values
        else:
            self.inputs[INPUTS.index(key)] = values

    def terms(self, slot: Slot | None = None) -> np.ndarray:
        self.evaluations += 1
        return np.atleast_1d(self.library.to_numpy(self.forward(training=True)) * self.dout)

    def regions(self) -> list[np.ndarray]:
        return regions_of(self.node, self.inputs[0], self.library) if isinstance(self.node, Layer) else []

    def forward(self, *, training: bool) -> Array:
        """The output from the same state every time, so with the same mask and statistics."""
        self.node.state = {key: self.library.asarray(value.copy()) for key, value in self.start.items()}
        self._draws.restore({"": self.node})
        y: Array = self.node.forward(*self.inputs, training=training)
        return y

    def device_dout(self, scale: float = 1.0) -> Array:
        """The dout on the device: 0-d for a loss."""
        return self.library.asarray(self.dout * scale, dtype=self.inputs[0].dtype)

    def gradients(self, scale: float = 1.0) -> dict[Slot, Array]:
        self.forward(training=True)
        return self.named(self.node.backward(self.device_dout(scale)))

    def gradients_with(self, rounded: Callable[[Array], Array]) -> dict[Slot, Array]:
        return self.gradients()

    def named(self, dx: Any) -> dict[Slot, Array]:
        """The gradients by slot, after `backward` has returned dx."""
        inputs = zip(INPUTS, dx if isinstance(dx, tuple) else (dx,), strict=False)
        return {(self.node.name, key): value for key, value in (*self.node.grads.items(), *inputs)}

    def params_alone(self) -> dict[Slot, Array]:
        """The gradients of the parameters that `backward_params` sets."""
        self.node.grads.clear()
        self.forward(training=True)
        self.node.backward_params(self.device_dout())
        return {(self.node.name, key): value for key, value in self.node.grads.items()}

    def changes_dout(self, prepared: Callable[[Array], Array]) -> bool:
        self.forward(training=True)
        dout = prepared(self.device_dout())
        before = self.library.to_numpy(dout).copy()
        self.node.backward(dout)
        return not np.array_equal(self.library.to_numpy(dout), before)

    def alone(self) -> dict[str, NodeSubject]:
        return {}

    def shared_results(self) -> Iterator[str]:
        return aliasing.shared_by_node(self)

    def promises(
        self, single: LayeredSubject, make: Callable[[str], Any], unresolved: Collection[Slot]
    ) -> list[Promise]:
        found = [*promises.of_gradients(self, single, make, unresolved), *promises.of_nodes(make)]
        return [*found, *promises.of_layers(self)] if isinstance(self.node, Layer) else found
