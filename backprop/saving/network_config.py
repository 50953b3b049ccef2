"""Convert a network to a config of JSON values, and back.

A config names classes of `backprop.layers` and `backprop.losses`, a closed registry: no name in a file is
ever imported. Parameters, and any state that a constructor takes, are listed by the network's names for
them; a layer's other settings are its constructor's arguments.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping
from typing import Any

from .. import layers, losses
from ..backends import Array, Backend, get_backend
from ..layers import Node
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
"""Every layer and loss that a config can name."""

LARGEST_SAMPLE = 2**26
"""The most numbers in a sample of a loaded network."""


class UnknownLayerError(ValueError):
    """A config names a layer or loss that is not in this package."""


def network_config(network: Network) -> dict[str, Any]:
    """Return the config of a network; a custom layer has only its class's name.

    >>> from backprop import TwoLayerNet
    >>> network_config(TwoLayerNet(4, 3, 2, rng=0))["layers"]["Affine2"]
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
            name: _node_config(layer, names.get(id(layer), {})) for name, layer in network.layers.items()
        },
        "last_layer": _node_config(network.last_layer, {}),
    }


def network_from_config(
    config: Mapping[str, Any], arrays: Mapping[str, Any], device: str | Backend = "cpu"
) -> Network:
    """Build a network from its config; `arrays` are its parameters and state by name.

    Raises `UnknownLayerError` for a class that is not in this package, and `ValueError` for arrays that do
    not fit or padding out of proportion.
    """
    backend = get_backend(device)
    placed = {name: backend.asarray(array) for name, array in arrays.items()}
    try:
        named = {name: _node_from_config(entry, placed) for name, entry in config["layers"].items()}
        last_layer = _node_from_config(config["last_layer"], placed)
        network = Network(named, last_layer, weight_decay=config["weight_decay"])
        check_extents(network.layers)
        if config["input_shape"] is not None:
            network.input_shape = _sample_shape(config["input_shape"])
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"the description of the network cannot be interpreted: {error}") from None
    if not network.params:
        network = network.to(dtype=config["dtype"], device=backend)
    for name in network.state.keys() & placed.keys():
        network.state[name] = placed[name]
    return network


def _node_config(node: Node, names: Mapping[str, str]) -> dict[str, Any]:
    """Return the config of a layer or loss; `names` maps its parameters and state to the network's names."""
    kind = type(node)
    if KINDS.get(kind.__name__) is not kind:
        return {"class": node.__class__.__name__, "own": True}
    if isinstance(node, layers.Residual):
        inner = {
            name: _node_config(layer, {key: names[f"{name}.{key}"] for key in (*layer.params, *layer.state)})
            for name, layer in node.layers.items()
        }
        return {"class": "Residual", "layers": inner}
    arguments = [name for name in inspect.signature(kind).parameters if name not in names]
    settings = {
        name: _plain(getattr(node, name)) for name in arguments if name not in ("args", "kwargs", "params")
    }
    return {"class": kind.__name__, "arrays": dict(names), "settings": settings}


def _node_from_config(config: Mapping[str, Any], arrays: Mapping[str, Array]) -> Any:
    kind = KINDS.get(config["class"])
    if kind is None or config.get("own"):
        raise UnknownLayerError(f"{config['class']} is not a layer of backprop")
    if "layers" in config:
        inner = {name: _node_from_config(entry, arrays) for name, entry in config["layers"].items()}
        return layers.Residual(inner)
    taken = inspect.signature(kind).parameters
    given: dict[str, Any] = {key: arrays[name] for key, name in config["arrays"].items() if key in taken}
    settings: dict[str, Any] = {
        key: tuple(v) if isinstance(v, list) else v for key, v in config["settings"].items()
    }
    return kind(**given, **settings)


def _sample_shape(sizes: Any) -> tuple[int, ...]:
    """Return the shape of a sample; raise if it is invalid or too large."""
    if not all(type(size) is int and size > 0 for size in sizes) or math.prod(sizes) > LARGEST_SAMPLE:
        raise ValueError(
            f"samples of shape {sizes}: expected sizes of at least 1, and at most {LARGEST_SAMPLE:,} numbers"
        )
    return tuple(sizes)


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
