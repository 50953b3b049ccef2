"""A network as a description of plain values, and the network of a description.

A description names classes of `backprop.layers` and `backprop.losses`, and no others: what a file says
is never imported. A layer's parameters, and the state that its constructor takes, are arrays by the
network's names for them; its other settings are the constructor's arguments.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping
from typing import Any

from .. import layers, losses
from ..backends import Array, Backend, get_backend
from ..layers.base import Node
from ..networks.network import Network
from ..networks.parameters import named_parameters
from .extents import check_extents

KINDS: dict[str, type[Node]] = {
    kind.__name__: kind
    for module in (layers, losses)
    for kind in vars(module).values()
    if isinstance(kind, type)
    and issubclass(kind, layers.Layer | losses.Loss)
    and kind not in (layers.Layer, losses.Loss)
    and not kind.__name__.startswith("_")
}
"""The closed registry: every layer and loss that a description can name."""


class UnknownLayerError(ValueError):
    """A description names a layer or loss that is not of this package."""


LARGEST_SAMPLE = 2**26
"""The most numbers in a sample that a description may ask for."""


def describe(network: Network) -> dict[str, Any]:
    """The description of a network, of JSON's kinds of values; a layer of one's own has its name alone.

    >>> from backprop import TwoLayerNet
    >>> describe(TwoLayerNet(4, 3, 2, rng=0))["layers"]["Affine2"]
    {'class': 'Affine', 'arrays': {'W': 'W2', 'b': 'b2'}, 'settings': {}}
    """
    names: dict[int, dict[str, str]] = {}
    for kind in ("params", "state"):
        for name, (layer, key) in named_parameters(network.layers, kind).items():
            names.setdefault(id(layer), {})[key] = name
    return {
        "class": type(network).__name__,
        "dtype": network.dtype,
        "input_shape": None if network.input_shape is None else list(network.input_shape),
        "inputs": None if network.inputs is None else network.inputs.to_dict(),
        "weight_decay": network.weight_decay,
        "layers": {
            name: _described(layer, names.get(id(layer), {})) for name, layer in network.layers.items()
        },
        "last_layer": _described(network.last_layer, {}),
    }


def build(
    description: Mapping[str, Any], arrays: Mapping[str, Any], device: str | Backend = "cpu"
) -> Network:
    """The network of a description, with `arrays` by the network's names for parameters and state.

    Raises `UnknownLayerError` for a class that is not of this package, `ValueError` for arrays that do not
    fit, and for padding out of all proportion.
    """
    backend = get_backend(device)
    placed = {name: backend.asarray(array) for name, array in arrays.items()}
    try:
        named = {name: _built(entry, placed) for name, entry in description["layers"].items()}
        last_layer = _built(description["last_layer"], placed)
        network = Network(named, last_layer, weight_decay=description["weight_decay"])
        check_extents(network.layers)
        if description["input_shape"] is not None:
            network.input_shape = _sample_shape(description["input_shape"])
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"the description of the network cannot be followed: {error}") from None
    if not network.params:
        network = network.to(dtype=description["dtype"], device=backend)
    for name in network.state.keys() & placed.keys():
        network.state[name] = placed[name]
    return network


def _described(node: Node, names: Mapping[str, str]) -> dict[str, Any]:
    kind = type(node)
    if KINDS.get(kind.__name__) is not kind:
        return {"class": kind.__name__, "own": True}
    if isinstance(node, layers.Residual):
        inner = {
            name: _described(layer, {key: names[f"{name}.{key}"] for key in (*layer.params, *layer.state)})
            for name, layer in node.layers.items()
        }
        return {"class": "Residual", "layers": inner}
    arguments = [name for name in inspect.signature(kind).parameters if name not in names]
    settings = {
        name: _plain(getattr(node, name)) for name in arguments if name not in ("args", "kwargs", "params")
    }
    return {"class": kind.__name__, "arrays": dict(names), "settings": settings}


def _sample_shape(sizes: Any) -> tuple[int, ...]:
    """The shape of a sample, of no more numbers than a picture may have."""
    if not all(type(size) is int and size > 0 for size in sizes) or math.prod(sizes) > LARGEST_SAMPLE:
        raise ValueError(
            f"samples of shape {sizes}: expected sizes from 1, at most {LARGEST_SAMPLE:,} numbers"
        )
    return tuple(sizes)


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _built(entry: Mapping[str, Any], arrays: Mapping[str, Array]) -> Any:
    kind = KINDS.get(entry["class"])
    if kind is None or entry.get("own"):
        raise UnknownLayerError(f"{entry['class']} is not a layer of backprop")
    if "layers" in entry:
        return layers.Residual({name: _built(part, arrays) for name, part in entry["layers"].items()})
    taken = inspect.signature(kind).parameters
    given: dict[str, Any] = {key: arrays[name] for key, name in entry["arrays"].items() if key in taken}
    settings: dict[str, Any] = {
        key: tuple(v) if isinstance(v, list) else v for key, v in entry["settings"].items()
    }
    return kind(**given, **settings)
