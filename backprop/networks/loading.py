"""Load parameters into a network from a mapping, such as the book's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..backends import backend_of, is_registered
from ..dtypes import overflows
from ..inputs import kind_of
from ..layers.checks import described

if TYPE_CHECKING:
    from .network import Network


def load_params(network: Network, params: Mapping[str, Any]) -> None:
    """Set all parameters of a network, or none on error: see `Network.load_params`."""
    kind = type(network).__name__
    if not isinstance(params, Mapping):
        raise TypeError(f"{kind}: expected a mapping of names to parameters, got {described(params)}")
    host = {name: _host_array(value) for name, value in params.items()}
    if differences := list(_differences(network, host)):
        raise ValueError(f"these parameters do not fit {kind}: {'; '.join(differences)}")
    for name in network.params:
        network.params[name] = network.backend.asarray(host[name], dtype=network.dtype)


def _differences(network: Network, host: Mapping[str, np.ndarray[Any, Any]]) -> Iterator[str]:
    """Every reason why the arrays cannot be the network's parameters."""
    yield from (f"{name}: missing" for name in network.params if name not in host)
    yield from (f"{name}: unknown" for name in host if name not in network.params)
    for name, own in network.params.items():
        value = host.get(name)
        if value is None:
            continue
        if tuple(value.shape) != tuple(own.shape):
            yield f"{name}: expected shape {tuple(own.shape)}, got {tuple(value.shape)}"
        if value.dtype.kind != "f":
            yield f"{name}: expected floating-point numbers, got {kind_of(value.dtype)}"
        elif overflows(value, network.dtype):
            largest = np.abs(value[np.isfinite(value)]).max()
            yield f"{name}: expected numbers that fit into {network.dtype}, got {largest}"


def _host_array(value: Any) -> np.ndarray[Any, Any]:
    """Convert an array or nested list to NumPy; a ragged list becomes an object array, which never fits."""
    if is_registered(value):
        return backend_of(value).to_numpy(value)
    try:
        return np.asarray(value)
    except ValueError:
        return np.empty(len(value), dtype=object)
