"""What is checked, as a function of its arrays: a layer or loss, a network, a plain function.

Each one is a scalar, Σ dout · y or the loss, as the sum of an array of terms on the host; it says its
gradient by backpropagation, and computes itself anew with one entry of one array changed.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from ..backends import Array, Backend, backend_of, dtype_name, is_registered
from ..layers.base import Layer
from ..losses import Loss
from ..networks.network import Network
from ..numerical import writable
from .libraries import Library

Slot = tuple[str, str]
"""A layer's name, and the name of one of its parameters or inputs."""

INPUTS = ("x", "y")


class Subject(Protocol):
    """A scalar function of arrays."""

    library: Backend | Library
    slots: list[Slot]
    evaluations: int

    def get(self, slot: Slot) -> Array: ...
    def set(self, slot: Slot, values: Array) -> None: ...
    def terms(self, slot: Slot | None = None) -> np.ndarray:
        """Terms whose sum is the function, from the same state every time; only `slot` has changed."""

    def regions(self) -> list[np.ndarray]:
        """Which piece of every piecewise smooth layer each entry lies on."""

    def gradients(self, scale: float = 1.0) -> dict[Slot, Array]:
        """The gradient of scale · function by backpropagation, for every slot."""

    def gradients_with(self, rounded: Callable[[Array], Array]) -> dict[Slot, Array]:
        """The gradients with what goes from layer to layer as `rounded` makes it."""


class Variable:
    """One array of a subject, as what the subject is a function of."""

    def __init__(self, subject: Subject, slot: Slot) -> None:
        self.slot, self._subject = slot, subject
        self.values = np.array(subject.library.to_numpy(subject.get(slot)), dtype=np.float64)
        self._in_place = writable(subject.get(slot))
        self._shape: tuple[int, ...] | None = None

    def whole(self, values: np.ndarray) -> np.ndarray:
        """The terms with `values` in the array's place."""
        try:
            self._put(values)
            return self._terms()
        finally:
            self._put(self.values)

    def entry(self, i: int, value: float) -> np.ndarray:
        """The terms with the entry of flat index i changed."""
        terms: np.ndarray = self._with_entry(i, value, self._terms)
        return terms

    def _terms(self) -> np.ndarray:
        """The terms; NaN where the function raises beside its own inputs, as a logarithm does below 0."""
        try:
            terms = self._subject.terms(self.slot)
        except (ArithmeticError, ValueError):
            if self._shape is None:
                raise
            return np.full(self._shape, np.nan)
        self._shape = terms.shape
        return terms

    def regions(self, i: int, value: float) -> list[np.ndarray]:
        """The regions with the entry of flat index i changed."""
        regions: list[np.ndarray] = self._with_entry(i, value, self._subject.regions)
        return regions

    def _with_entry(self, i: int, value: float, compute: Callable[[], Any]) -> Any:
        index = tuple(int(j) for j in np.unravel_index(i, self.values.shape))
        try:
            self._write(index, value)
            return compute()
        finally:
            self._write(index, float(self.values[index]))

    def _write(self, index: tuple[int, ...], value: float) -> None:
        if self._in_place:
            self._subject.get(self.slot)[index] = value
        else:
            changed = self.values.copy()
            changed[index] = value
            self._put(changed)

    def _put(self, values: np.ndarray) -> None:
        self._subject.set(self.slot, self._subject.library.asarray(values.copy(), dtype="float64"))


class NodeSubject:
    """Σ dout · node(inputs), with a fixed dout."""

    def __init__(self, node: Any, inputs: list[Array], dout: np.ndarray, backend: Backend) -> None:
        self.node, self.inputs, self.dout, self.library = node, inputs, dout, backend
        self.evaluations = 0
        self.start = host_copies(node.state, backend)
        self.input_names = INPUTS[: 1 if isinstance(node, (Loss, Layer)) else 2]
        self.param_slots = [(node.name, key) for key in node.params]
        self.slots = [*self.param_slots, *((node.name, key) for key in self.input_names)]

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
        return _regions(self.node, self.inputs[0], self.library) if isinstance(self.node, Layer) else []

    def forward(self, *, training: bool) -> Array:
        """The output, always from the same state: the same mask, the same statistics."""
        self.node.state = {key: self.library.asarray(value.copy()) for key, value in self.start.items()}
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
        """The gradients after a `backward` that has returned dx."""
        inputs = zip(INPUTS, dx if isinstance(dx, tuple) else (dx,), strict=False)
        return {(self.node.name, key): value for key, value in (*self.node.grads.items(), *inputs)}

    def params_alone(self) -> dict[Slot, Array]:
        """The gradients of the parameters that `backward_params` sets."""
        self.node.grads.clear()
        self.forward(training=True)
        self.node.backward_params(self.device_dout())
        return {(self.node.name, key): value for key, value in self.node.grads.items()}


class NetworkSubject:
    """network.loss(x, t) in training; for a parameter, only its layer and those above are computed."""

    def __init__(self, network: Network, inputs: list[Array]) -> None:
        self.network, self.inputs, self.library = network, inputs, network.backend
        self.evaluations = 0
        self.start = host_copies(network.state, network.backend)
        self.param_slots = [(name, key) for name, layer in network.layers.items() for key in layer.params]
        self.slots = [*self.param_slots, ("input", "x")]
        self._is_stack = type(network).forward is Network.forward
        self._layers = list(network.layers.values())
        self._layer_inputs: list[Array] = []
        """The input of every layer and, at the end, of the loss."""

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
            for layer in self._layers[first:]:
                y = layer.forward(y, training=True)
        loss = network.penalized(network.last_layer.forward(y, self.inputs[1]))
        return np.array(self.library.to_numpy(loss)).reshape(1)

    def regions(self) -> list[np.ndarray]:
        self.restart()
        x, found = self.inputs[0], []
        for layer in self._layers:
            found += _regions(layer, x, self.library)
            x = layer.forward(x, training=True)
        return found

    def restart(self) -> None:
        """Every run starts from the same state: the same masks, the same statistics."""
        for key, value in self.start.items():
            self.network.state[key] = self.library.asarray(value.copy())

    def gradients(self, scale: float = 1.0) -> dict[Slot, Array]:
        self._layer_inputs = self._through_the_layers()
        self.forward()
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
        found = [self.inputs[0]]
        for layer in self._layers:
            found.append(rounded(layer.forward(found[-1], training=True)))
        return found

    def params_alone(self) -> dict[Slot, Array]:
        """The gradients of the parameters that `backward_params` sets."""
        self.forward()
        self.network.flat_grads["flat"] = self.network.flat_grads["flat"] * 0.0
        self.network.backward_params()
        return self.grads()

    def forward(self) -> Array:
        """Forward, keeping what backward needs."""
        self.restart()
        y = self.network.forward(self.inputs[0], training=True)
        self.network.last_layer.forward(y, self.inputs[1], training=True)
        return y

    def grads(self) -> dict[Slot, Array]:
        """The parameters' gradients, as arrays of their own."""
        flat = self.network.flat_grads
        copied = self.library.xp.asarray(flat["flat"], copy=True)
        return dict(zip(self.param_slots, flat.split(copied).values(), strict=True))

    def alone(self) -> dict[str, NodeSubject]:
        """Every layer, and the loss, by itself, with the input and the dout that it has in the network.

        From the loss down, as backward goes; it ends below a layer whose backward raises.
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
            except Exception:  # it is a finding of its own
                break
            if not backend.owns(dout) or dout.shape != above.inputs[0].shape:
                break
            copied = backend.xp.asarray(x, copy=True)
            found[name] = NodeSubject(layer.to(backend), [copied], np.array(backend.to_numpy(dout)), backend)
        return found


class FunctionSubject:
    """Σ dout · f(inputs) with a gradient that somebody has written; dout is 1 where f is a number."""

    def __init__(
        self,
        f: Callable[..., Any],
        gradient: Callable[..., Any],
        given: Sequence[Any],
        library: Backend | Library,
        rng: np.random.Generator,
    ) -> None:
        self.f, self.gradient, self.given, self.library = f, gradient, given, library
        self.inputs = [library.asarray(real("arguments", value), dtype="float64") for value in given]
        self.name = getattr(f, "__name__", type(f).__name__)
        self.evaluations = 0
        self.slots = [(self.name, name) for name in _argument_names(f, len(given))]
        y = real("values of f", f(*self.copies()))
        self.dout = np.ones(()) if y.shape == () else rng.uniform(0.5, 1.5, y.shape)

    def get(self, slot: Slot) -> Array:
        return self.inputs[self.slots.index(slot)]

    def set(self, slot: Slot, values: Array) -> None:
        self.inputs[self.slots.index(slot)] = values

    def terms(self, slot: Slot | None = None) -> np.ndarray:
        self.evaluations += 1
        return np.atleast_1d(on_host(self.f(*self.copies())) * self.dout)

    def copies(self) -> list[Array]:
        """The inputs for one call, which may do with them what it likes."""
        return [self.library.asarray(on_host(value), dtype="float64") for value in self.inputs]

    def regions(self) -> list[np.ndarray]:
        return []

    def gradients(self, scale: float = 1.0) -> dict[Slot, Array]:
        douts = (self.library.asarray(self.dout * scale, dtype="float64"),) if self.dout.shape else ()
        found = self.gradient(*self.copies(), *douts)
        found = found if isinstance(found, (tuple, list)) and len(self.slots) > 1 else (found,)
        factor = 1.0 if douts else scale
        pairs = zip(self.slots, found, strict=False)
        return {slot: real("gradients", g) * factor for slot, g in pairs if g is not None}

    def gradients_with(self, rounded: Callable[[Array], Array]) -> dict[Slot, Array]:
        return self.gradients()


def on_host(value: Any) -> np.ndarray:
    """A copy of an array or number of any library, in float64."""
    host = backend_of(value).to_numpy(value) if is_registered(value) else np.asarray(value)
    return np.array(host, dtype=np.float64)


def real(what: str, value: Any) -> np.ndarray:
    """`on_host` for what a user gives; a `TypeError` unless it is real numbers."""
    name = dtype_name(value.dtype if hasattr(value, "dtype") else np.asarray(value).dtype)
    if not name.startswith(("float", "bfloat", "int", "uint")):
        raise TypeError(f"check_gradients: expected real {what}, got {name}")
    return on_host(value)


def host_copies(arrays: Mapping[str, Array], backend: Backend) -> dict[str, np.ndarray]:
    """The arrays, on the host."""
    return {key: np.array(backend.to_numpy(value)) for key, value in arrays.items()}


def _regions(layer: Layer, x: Array, backend: Backend) -> list[np.ndarray]:
    found = layer.region(x)
    return [] if found is None else [np.array(backend.to_numpy(found))]


def _argument_names(f: Callable[..., Any], count: int) -> list[str]:
    try:
        names = list(inspect.signature(f).parameters)[:count]
    except (TypeError, ValueError):  # some functions written in C have no signature
        names = []
    return names if len(names) == count else ["x"] if count == 1 else [f"x{i}" for i in range(1, count + 1)]
