"""A network, as a subject of the check."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Any

import numpy as np

from ..backends import Array, Backend
from ..layers.book_style.draws import Draws
from ..networks.network import Network
from . import aliasing, promises
from .node_subject import NodeSubject
from .subject import (
    LayeredSubject,
    Promise,
    Slot,
    device_inputs,
    host_copies,
    regions_of,
    show_another_batch,
    tells_training,
)


class NetworkSubject:
    """network.loss(x, t) in training; for a parameter, only its layer and those above it are evaluated."""

    def __init__(self, network: Network, inputs: list[Array]) -> None:
        self.network, self.inputs, self.library = network, inputs, network.backend
        self.name, self.evaluations = type(network).__name__, 0
        self.start, self._draws = host_copies(network.state, network.backend), Draws.of(network.layers)
        self.tells_training = tells_training(network.layers, self.start)
        self.param_slots = [(name, key) for name, layer in network.layers.items() for key in layer.params]
        self.slots = [*self.param_slots, ("input", "x")]
        self.output_shape: tuple[int, ...] | None = None
        self.largest_dout = 0.0
        self.parts = [*network.layers, network.last_layer.name, "input"]
        self._is_stack = type(network).forward is Network.forward
        self._layers = list(network.layers.values())
        self._layer_inputs: list[Array] = []
        """The input of every layer and, at the end, of the loss."""
        self._layer_draws: list[Any] = []
        """The state of NumPy's global generator before every layer."""

    @classmethod
    def of(cls, network: Network, host: list[np.ndarray], backend: Backend, dtype: str) -> NetworkSubject:
        """A copy of the network with x and t, on `backend` and in `dtype`."""
        inputs, spent = (device_inputs(host, True, backend, dtype) for _ in range(2))
        copied = network.to(dtype=dtype, device=backend)
        show_another_batch(copied.layers, copied.forward, spent[0])
        y = copied.forward(spent[0])
        inputs[1] = copied.as_target(inputs[1], y.shape[0], y.shape[1:])
        return cls(copied, inputs)

    def get(self, slot: Slot) -> Array:
        return self.inputs[0] if slot[0] == "input" else self.network.layers[slot[0]].params[slot[1]]

    def set(self, slot: Slot, values: Array) -> None:
        if slot[0] == "input":
            self.inputs[0] = values
        else:
            self.network.layers[slot[0]].params[slot[1]] = values

    def terms(self, slot: Slot | None = None) -> np.ndarray:
        self.evaluations += 1
        self.restart()
        network = self.network
        if slot is None or slot[0] == "input" or not self._is_stack:
            y = network.forward(self.inputs[0], training=True)
        else:
            first = list(network.layers).index(slot[0])
            y = self._layer_inputs[first]
            if self._draws.generator is not None:
                np.random.set_state(self._layer_draws[first])
            for layer in self._layers[first:]:
                y = layer.forward(y, training=True)
        loss = network.penalized(network.last_layer.forward(y, self.inputs[1]))
        return np.array(self.library.to_numpy(loss)).reshape(1)

    def regions(self) -> list[np.ndarray]:
        self.restart()
        x, found = self.inputs[0], []
        for layer in self._layers:
            found += regions_of(layer, x, self.library)
            x = layer.forward(x, training=True)
        return found

    def restart(self) -> None:
        """Reset the state, so that every run has the same masks and statistics."""
        for key, value in self.start.items():
            self.network.state[key] = self.library.asarray(value.copy())
        self._draws.restore(self.network.layers)

    def gradients(self, scale: float = 1.0) -> dict[Slot, Array]:
        self._layer_inputs = self._through_the_layers()
        self.run()
        dx = self.network.backward(scale)
        return {**self.grads(), ("input", "x"): dx}

    def gradients_with(self, rounded: Callable[[Array], Array]) -> dict[Slot, Array]:
        if not self._is_stack:
            return self.gradients()
        *_, y = self._through_the_layers(rounded)
        self.network.last_layer.forward(y, self.inputs[1], training=True)
        dx = self.network.last_layer.backward(1.0)
        for layer in reversed(self._layers):
            dx = layer.backward(rounded(dx))
        return {**self.grads(), ("input", "x"): dx}

    def _through_the_layers(self, rounded: Callable[[Array], Array] = lambda y: y) -> list[Array]:
        self.restart()
        found, self._layer_draws = [self.inputs[0]], []
        for layer in self._layers:
            self._layer_draws.append(np.random.get_state(legacy=False))
            found.append(rounded(layer.forward(found[-1], training=True)))
        return found

    def params_alone(self) -> dict[Slot, Array]:
        self.run()
        self.network.flat_grads["flat"] = self.network.flat_grads["flat"] * 0.0
        self.network.backward_params()
        return self.grads()

    def forward(self, *, training: bool) -> Array:
        self.restart()
        return self.network.forward(self.inputs[0], training=training)

    def run(self) -> None:
        """Forward and loss, saving what backward needs."""
        y = self.forward(training=True)
        self.network.last_layer.forward(y, self.inputs[1], training=True)

    def changes_dout(self, prepared: Callable[[Array], Array]) -> bool:
        self.gradients()
        return False  # dout is a number

    def grads(self) -> dict[Slot, Array]:
        """Copies of the parameters' gradients."""
        flat = self.network.flat_grads
        copied = self.library.xp.asarray(flat["flat"], copy=True)
        return dict(zip(self.param_slots, flat.split(copied).values(), strict=True))

    def alone(self) -> dict[str, NodeSubject]:
        """Every layer and the loss alone, with the input and the dout that it has in the network.

        They are in the order of backward, from the loss down to the first whose backward raises.
        """
        if not self._is_stack:
            return {}
        backend, inputs = self.library, self._through_the_layers()
        self.restart()
        loss = NodeSubject(
            self.network.last_layer.to(backend), [inputs[-1], self.inputs[1]], np.ones(()), backend
        )
        found, dout = {loss.node.name: loss}, None
        for name, layer, x in reversed(list(zip(self.network.layers, self._layers, inputs, strict=False))):
            above = list(found.values())[-1]
            try:
                dout = above.gradients()[above.node.name, "x"]
            except Exception:  # reported when that layer is compared
                break
            if not backend.owns(dout) or dout.shape != above.inputs[0].shape:
                break
            copied = backend.xp.asarray(x, copy=True)
            found[name] = NodeSubject(layer.to(backend), [copied], np.array(backend.to_numpy(dout)), backend)
        return found

    def shared_results(self) -> Iterator[str]:
        return aliasing.shared_by_network(self)

    def promises(
        self, single: LayeredSubject, make: Callable[[str], Any], unresolved: Collection[Slot]
    ) -> list[Promise]:
        return [*promises.of_gradients(self, single, make, unresolved), *promises.of_layers(self)]
