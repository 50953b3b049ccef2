"""The subject of a check, a scalar function of arrays: a layer or loss, a network, or a plain function.

The scalar is Σ dout · y or the loss, given as an array of terms on the host. A subject computes its gradient
by backpropagation, and evaluates itself again with one entry of one array changed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, Protocol

import numpy as np

from ..backends import Array, Backend, backend_of, dtype_name, is_registered
from ..layers import Layer, Node
from ..layers.book_style.draws import book_layers
from .libraries import Library

Slot = tuple[str, str]
"""A layer's name, and the name of one of its parameters or inputs."""

INPUTS = ("x", "y")

Promise = tuple[str, Callable[[], Iterator[str]]]
"""A promise apart from a correct gradient: its name, and a function that yields complaints."""


class Subject(Protocol):
    """A scalar function of arrays."""

    name: str
    slots: list[Slot]
    inputs: list[Array]
    evaluations: int

    @property
    def library(self) -> Backend | Library: ...
    def get(self, slot: Slot) -> Array: ...
    def set(self, slot: Slot, values: Array) -> None: ...
    def terms(self, slot: Slot | None = None) -> np.ndarray:
        """The terms of the function, from the same state every time; only `slot` has changed."""

    def regions(self) -> list[np.ndarray]:
        """Which piece of every piecewise smooth layer each entry lies on."""

    def gradients(self, scale: float = 1.0) -> dict[Slot, Array]:
        """The gradient of scale · function by backpropagation, for every slot."""

    def gradients_with(self, rounded: Callable[[Array], Array]) -> dict[Slot, Array]:
        """The gradients, with `rounded` applied to arrays passed from layer to layer."""


class LayeredSubject(Subject, Protocol):
    """A layer, a loss or a network, on a backend."""

    @property
    def library(self) -> Backend: ...

    param_slots: list[Slot]

    start: dict[str, np.ndarray]
    """The state from which every run starts."""

    tells_training: bool
    """Whether training may differ from inference: there is a state, or `forward` takes a train_flg."""

    output_shape: tuple[int, ...] | None
    """The shape of the output in inference, which training must match; None for a network."""

    largest_dout: float
    """The largest entry of dout; 0 for a network, which has none."""

    parts: list[str]
    """The layers, the loss and the input of a network, by name; empty for a layer or loss."""

    def forward(self, *, training: bool) -> Array:
        """The output from the same state every time, so with the same masks and statistics."""

    def changes_dout(self, prepared: Callable[[Array], Array]) -> bool:
        """Run forward and backward; return whether backward changes its dout, made by `prepared`."""

    def params_alone(self) -> dict[Slot, Array]:
        """The gradients of the parameters that `backward_params` sets."""

    def alone(self) -> Mapping[str, LayeredSubject]:
        """Every layer and the loss as subjects of their own; empty for a layer or loss."""

    def shared_results(self) -> Iterator[str]:
        """Complaints about arrays that change when a result is overwritten; this corrupts the subject."""

    def promises(
        self, single: LayeredSubject, make: Callable[[str], Any], unresolved: Collection[Slot]
    ) -> list[Promise]:
        """The subject's promises, apart from a correct gradient.

        `single` is the subject in float32, `make` makes a new one in a dtype, and `unresolved` are gradients
        that cannot be compared in float32.
        """


def on_host(value: Any) -> np.ndarray:
    """A copy of an array or number of any library, in float64."""
    host = backend_of(value).to_numpy(value) if is_registered(value) else np.asarray(value)
    return np.array(host, dtype=np.float64)


def real(what: str, value: Any) -> np.ndarray:
    """`on_host` for a user's values; raises `TypeError` unless they are real numbers."""
    name = dtype_name(value.dtype if hasattr(value, "dtype") else np.asarray(value).dtype)
    if not name.startswith(("float", "bfloat", "int", "uint")):
        raise TypeError(f"check_gradients: expected real {what}, got {name}")
    return on_host(value)


def host_copies(arrays: Mapping[str, Array], backend: Backend) -> dict[str, np.ndarray]:
    """The arrays, on the host."""
    return {key: np.array(backend.to_numpy(value)) for key, value in arrays.items()}


def tells_training(layers: Mapping[str, Node], state: Mapping[str, Any]) -> bool:
    """Whether these layers, with this state in all, may differ in training and inference."""
    return bool(state) or any(layer.form.flag for _, layer in book_layers(layers))


def show_another_batch(layers: Mapping[str, Node], forward: Callable[..., Any], x: Array, *t: Array) -> None:
    """Train layers in the book's style on x / 2, so that what one keeps from its first batch is found.

    Their later runs all begin with what they carry then.
    """
    if any(True for _ in book_layers(layers)):
        forward(x * 0.5, *t, training=True)


def regions_of(layer: Layer, x: Array, backend: Backend) -> list[np.ndarray]:
    """Which piece of the layer each entry of x lies on; empty where the layer is smooth."""
    found = layer.region(x)
    return [] if found is None else [np.array(backend.to_numpy(found))]


def device_inputs(host: list[np.ndarray], has_target: bool, backend: Backend, dtype: str) -> list[Array]:
    """Copies of the inputs on `backend`: in `dtype`, except a target of labels, which keeps its own."""
    return [
        backend.asarray(
            value.copy(), dtype=None if has_target and i == 1 and value.dtype.kind in "biu" else dtype
        )
        for i, value in enumerate(host)
    ]
