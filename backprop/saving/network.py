"""Save networks to checkpoint files and load them.

>>> from tempfile import TemporaryDirectory
>>> import numpy as np
>>> from backprop import TwoLayerNet
>>> network, x = TwoLayerNet(4, 3, 2, weight_init_std=1.0, rng=0), np.eye(4, dtype="float32")
>>> with TemporaryDirectory() as folder:
...     save_network(f"{folder}/a.safetensors", network)
...     again = load_network(f"{folder}/a.safetensors")
>>> bool((again.predict(x) == network.predict(x)).all())
True
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from ..backends import Array, Backend, HostArray, dtype_name, get_backend
from ..inputs import Inputs
from ..layers.book_style.draws import book_layers
from ..networks.checks import made_of_layers
from ..networks.network import Network
from .checkpoint import Checkpoint, CheckpointError, followed, read_checkpoint, write_checkpoint
from .network_config import UnknownLayerError, network_config, network_from_config
from .run_folder import read_trained

RESTORE = (
    "build the network yourself, then: from backprop.saving import read_checkpoint, restore_network; "
    "restore_network(network, read_checkpoint({!r}))"
)
"""How to load a network with custom layers."""


def save_network(path: str | os.PathLike[str], network: Network) -> None:
    """Write the network to a file: its layers, parameters and state."""
    given: Any = network
    if not isinstance(given, Network):
        name, hint = type(given).__name__, made_of_layers(given)
        raise TypeError(f"save_network: expected a backprop.Network, got {name}{hint}")
    write_checkpoint(path, Checkpoint({"network": network_config(network)}, network_arrays(network)))


def load_network(path: str | os.PathLike[str], device: str | Backend = "cpu") -> Network:
    """Load a network from a checkpoint file onto a device, whichever device it was saved from.

    From a run folder, load the network that was best on the validation data, or else the last one.

    Raises `CheckpointError` for a file that is damaged or not a checkpoint, and for custom layers: then
    build the network yourself and call `restore_network(network, read_checkpoint(path))`.
    """
    path, checkpoint = read_trained(path, read_checkpoint)
    return network_of(path, checkpoint, device)


def network_of(
    path: str | os.PathLike[str], checkpoint: Checkpoint, device: str | Backend = "cpu"
) -> Network:
    """Build the network that a checkpoint describes; `path` is for errors."""
    backend = get_backend(device)
    with followed(path):
        try:
            network = network_from_config(checkpoint.description["network"], _of_network(checkpoint), backend)
        except UnknownLayerError as error:
            raise CheckpointError(f"{os.fspath(path)}: {error}; {RESTORE.format(os.fspath(path))}") from None
    restore_network(network, checkpoint, path)
    return network


def restore_network(
    network: Network, checkpoint: Checkpoint, path: str | os.PathLike[str] = "the checkpoint"
) -> None:
    """Set the network's parameters and state from a checkpoint.

    Raises `CheckpointError` listing every missing, unknown or misshapen one; the network is then unchanged.
    """
    arrays, inputs = network_arrays(network), _inputs(checkpoint, path)
    checkpoint = _completed(checkpoint, arrays)
    check_fit(path, arrays, checkpoint, "params", "state")
    for kind, own in (("params", network.params), ("state", network.state)):
        put(own, checkpoint, kind, network.backend)
    network.inputs = inputs


def _inputs(checkpoint: Checkpoint, path: str | os.PathLike[str]) -> Inputs | None:
    """The description of the training inputs; None if the checkpoint has none."""
    with followed(path):
        described = checkpoint.description.get("network")
        values = described.get("inputs") if isinstance(described, Mapping) else None
        return None if values is None else Inputs.from_dict(values)


def _completed(checkpoint: Checkpoint, own: dict[str, HostArray]) -> Checkpoint:
    """The checkpoint, with weight 1 for running statistics saved by versions that had no weights."""
    weights = {
        name: np.ones_like(array)
        for name, array in own.items()
        if "running_weight" in name and name.replace("running_weight", "running_var") in checkpoint.arrays
    }
    return Checkpoint(checkpoint.description, {**weights, **checkpoint.arrays})


def network_arrays(network: Network) -> dict[str, HostArray]:
    """Copies of all parameters and state on the host, as `params.W1` and `state.running_mean1`.

    Raises `TypeError` for a layer in the book's style that carries more than that from step to step.
    """
    check_saved(network)
    for _, layer in book_layers(network.layers):
        layer.lend()  # takes what the user has set in an object since its last call
    return {
        **on_host("params", network.params, network.backend),
        **on_host("state", network.state, network.backend),
    }


def check_saved(network: Network) -> None:
    """Raise a `TypeError` if a layer in the book's style carries anything that is not saved."""
    for name, layer in book_layers({**network.layers, network.last_layer.name: network.last_layer}):
        for key in layer.attributes.unsaved:
            raise TypeError(
                f"{name} ({layer.__class__.__name__}): forward changes self.{key}, which would not be saved, "
                f"since it is no array from the start: in __init__, write self.{key} = numpy.zeros(…)"
            )


def on_host(kind: str, arrays: Mapping[str, Array], backend: Backend) -> dict[str, HostArray]:
    """Copies of the arrays on the host, with the kind as a prefix of their names."""
    return {f"{kind}.{name}": np.array(backend.to_numpy(array)) for name, array in arrays.items()}


def put(own: Any, checkpoint: Checkpoint, kind: str, backend: Backend) -> None:
    """Set the arrays of a mapping from the checkpoint's arrays of this kind."""
    for name in own:
        own[name] = backend.asarray(checkpoint.arrays[f"{kind}.{name}"])


def check_fit(
    path: str | os.PathLike[str], own: Mapping[str, Any], checkpoint: Checkpoint, *kinds: str
) -> None:
    """Raise a `CheckpointError` listing every difference between `own` and the arrays of these kinds."""
    differences = list(_differences(own, _named(checkpoint, *kinds)))
    if differences:
        raise CheckpointError(f"{os.fspath(path)} does not fit this network: {'; '.join(differences)}")


def _differences(own: Mapping[str, Any], found: Mapping[str, Any]) -> Iterator[str]:
    yield from (f"{name}: missing" for name in own if name not in found)
    yield from (f"{name}: unknown" for name in found if name not in own)
    for name in own:
        if name not in found:
            continue
        for what, mine, its in (
            ("shape", tuple(own[name].shape), tuple(found[name].shape)),
            ("dtype", dtype_name(own[name].dtype), dtype_name(found[name].dtype)),
        ):
            if mine != its and {mine, its} != {"int32", "int64"}:  # a library may have the smaller ones only
                yield f"{name}: expected {what} {mine}, got {its}"


def _named(checkpoint: Checkpoint, *kinds: str) -> dict[str, HostArray]:
    """The arrays of these kinds, by their full names."""
    return {name: array for name, array in checkpoint.arrays.items() if name.partition(".")[0] in kinds}


def _of_network(checkpoint: Checkpoint) -> dict[str, HostArray]:
    """The parameters and state by the network's names for them."""
    return {name.partition(".")[2]: array for name, array in _named(checkpoint, "params", "state").items()}
