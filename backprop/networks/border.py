"""Validate and convert the inputs and targets of a network."""

from __future__ import annotations

import copy
import warnings
from typing import TYPE_CHECKING

import numpy as np

from .. import inputs
from ..backends import Array, DType, Namespace, backend_of, dtype_name, fused, namespace_of
from ..inputs import PrecisionWarning, as_numbers

if TYPE_CHECKING:
    from .network import Network


def validated(network: Network, x: Array) -> Array:
    """x as pixel bytes or real numbers, ready for `scaled`; raises unless it is a valid input."""
    x = as_numbers("the input", x)
    check_owned(network, x, "input")
    x = backend_of(x).detached(x)
    if x.ndim == 0 or x.shape[0] == 0:
        raise ValueError(
            f"{type(network).__name__}: expected at least one sample, got input {tuple(x.shape)}"
        )
    name = dtype_name(x.dtype)
    if name.startswith("complex"):
        raise TypeError(f"{type(network).__name__}: expected real input, got {name}")
    if name.startswith("float") and _bits(name) > _bits(network.dtype):
        warn_of_precision(network, name)
    if network.inputs is not None:
        return network.inputs.of_prediction(laid_out(network, x, network.inputs.shape), network.dtype)
    return laid_out(network, x, network.input_shape)


def warn_of_precision(network: Network, name: str) -> None:
    """Warn once that inputs of this dtype are converted to the network's."""
    if network.warned_of_precision:
        return
    network.warned_of_precision = True
    warnings.warn(
        f"{type(network).__name__}: {name} input is converted to the network's {network.dtype}; "
        f"give {network.dtype}, or build the network with dtype={name!r}",
        PrecisionWarning,
        stacklevel=4,
    )


def scaled(x: Array, dtype: str) -> Array:
    """A validated x in this dtype, with uint8 divided by 255."""
    xp = namespace_of(x)
    wanted = getattr(xp, dtype)
    if x.dtype == wanted:
        return x
    return _of_bytes(x, dtype=wanted) if x.dtype == xp.uint8 else xp.astype(x, wanted)


@fused
def _of_bytes(xp: Namespace, x: Array, *, dtype: DType) -> Array:
    converted = xp.astype(x, dtype)
    converted *= 1.0 / 255.0
    return converted


def laid_out(network: Network, x: Array, sample: tuple[int, ...] | None) -> Array:
    """x with samples of this shape if the layout is unambiguous, or with images of another size.

    Raises `ValueError` if the same numbers could be in another order.
    """
    try:
        return inputs.laid_out(x, sample)
    except ValueError:
        own = tuple(map(int, x.shape[1:]))
        if sample and len(own) == len(sample) == 3 and own[0] == sample[0]:
            channels, height, width = own
            if _gives_one_shape(network, sample, own, (channels, 2 * height, 2 * width)):
                return x
        raise


def as_target(network: Network, t: Array, samples: int, outputs: tuple[int, ...]) -> Array:
    """t, validated on the host as the target for an output (samples, *outputs).

    Integers become bytes if they fit, which are faster to gather, else int64.
    """
    check_owned(network, t, "target")
    backend = backend_of(t)
    t = backend.detached(t)
    given = backend.to_numpy(t)
    host = network.last_layer.converted(given)
    network.last_layer.check_targets(host, samples, tuple(outputs))
    if host is not given:
        t = backend.asarray(host)
    if not dtype_name(t.dtype).startswith(("int", "uint", "bool")):
        return t
    fits = host.min() >= 0 and host.max() <= 255
    dtype = backend.xp.uint8 if fits else backend.xp.int64
    return backend.xp.astype(t, dtype, copy=t.ndim == 1 or not inputs.is_mapped(t))


def check_owned(network: Network, array: Array, what: str) -> None:
    """Raise unless `array` is on the network's backend."""
    namespace_of(array)  # raises TypeError unless it is an array
    if network.params and not network.backend.owns(array):
        found = backend_of(array)
        raise TypeError(
            f"{type(network).__name__}: the network is on {network.backend.name} ({network.backend.device}) "
            f"but the {what} is on {found.name} ({found.device}); "
            f"convert it with network.backend.asarray(…)"
        )


def _gives_one_shape(network: Network, *samples: tuple[int, ...]) -> bool:
    """Whether the network takes samples of all these shapes and its outputs have one shape."""
    try:
        copied = copy.deepcopy(network)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            zeros = [
                network.backend.asarray(np.zeros((1, *sample)), dtype=network.dtype) for sample in samples
            ]
            return len({tuple(copied.forward(x).shape) for x in zeros}) == 1
    except Exception:  # of any kind: a layer refuses the size
        return False


def _bits(float_name: str) -> int:
    """The 64 in "float64"."""
    return int(float_name.removeprefix("float"))
