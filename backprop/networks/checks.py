"""Validate the layers, the loss and the data of a network."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from ..backends import Array, Backend, backend_of, namespace_of
from ..errors import missing_super_init
from ..layers import Layer, Node
from ..layers.book_style.form import is_book_style
from ..layers.book_style.node import how_to_copy
from ..layers.checks import described, no_layer
from ..losses import Loss


def made_of_layers(given: Any) -> str:
    """What to write, after a `TypeError`, for what is no `Network` but has `layers`; else an empty text."""
    layers = getattr(given, "layers", None)
    if layers is None:
        return ""
    return (
        "; give backprop.Network(copy.deepcopy(network.layers))" if len(layers) else ", which has no layers"
    )


def check_stack(layers: Mapping[str, Layer], last_layer: Loss | None) -> None:
    """Raise unless all layers and the loss, if any, are valid and not yet in a network."""
    if not layers:
        raise ValueError("expected at least one layer, such as Affine(W, b), got none")
    for name, layer in layers.items():
        if not isinstance(layer, Layer):
            raise no_layer(name, layer)
        _check_takes_training(name, layer)
        _check_constructed(layer)
        if layer.is_owned:
            raise ValueError(
                f"{name}: this layer is already in a network or block; give a copy, {how_to_copy(layer)}"
            )
    if last_layer is not None:
        if not isinstance(last_layer, Loss):
            raise TypeError(
                f"expected a loss, such as SoftmaxWithLoss(), as last_layer, got {described(last_layer)}"
                + ("; a loss has forward(self, x, t)" if is_book_style(last_layer) else "")
            )
        _check_constructed(last_layer)
    if len({id(layer) for layer in layers.values()}) < len(layers):
        raise ValueError("a layer occurs twice in this network: give a separate layer each time")


def _check_takes_training(name: str, layer: Layer) -> None:
    """Raise unless `forward` takes `training`."""
    if not inspect.ismethod(layer.forward):
        return
    parameters = inspect.signature(layer.forward).parameters.values()
    if not any(p.name == "training" or p.kind is p.VAR_KEYWORD for p in parameters):
        raise TypeError(
            f"{name}: {type(layer).__name__}.forward does not take `training`: write "
            "def forward(self, x, *, training=False)"
        )


def _check_constructed(node: Node) -> None:
    if "_params" not in vars(node):
        raise missing_super_init(type(node))


def check_no_alias(name: str, layer: Layer) -> None:
    """Raise if an attribute holds a parameter's array, which the network is about to replace."""
    for attribute, value in vars(layer).items():
        for key, parameter in layer.params.items():
            if value is parameter:
                raise ValueError(
                    f"{name}.{attribute} holds the array of parameter {key} and would not be trained, since "
                    f'a network moves parameters: use self.params["{key}"] or self.{key} instead'
                )


def check_same_length(x: Array, t: Array) -> None:
    """Raise unless both are arrays with one target per sample."""
    for array in (x, t):
        namespace_of(array)
        if array.ndim == 0:
            raise ValueError("expected an array of samples, got a single number")
    if x.shape[0] != t.shape[0]:
        raise ValueError(
            f"{x.shape[0]} samples but {t.shape[0]} targets; expected as many targets as samples"
        )


def common_backend(places: Mapping[str, tuple[Node, str]], default: Backend) -> Backend:
    """The backend that all parameters share; `default` if there are none."""
    backends = {name: backend_of(layer.params[key]) for name, (layer, key) in places.items()}
    if len({id(backend) for backend in backends.values()}) > 1:
        listed = ", ".join(f"{name} {backend.name} ({backend.device})" for name, backend in backends.items())
        raise TypeError(f"a network's parameters must be on one device, got {listed}")
    return next(iter(backends.values()), default)
