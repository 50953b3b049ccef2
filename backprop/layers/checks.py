"""What layers and losses ask of their arrays and options; `name` begins every error message."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..backends import Array, backend_of, dtype_name, namespace_of, on_one_device
from ..dtypes import is_float, is_whole, overflows
from ..text import indefinite
from .spec import ArraySpec


def check_float(name: str, x: Array) -> Any:
    """Raise unless `x` is a floating-point array; return its namespace."""
    xp = namespace_of(x)
    if not is_float(x.dtype):
        raise TypeError(
            f"{name}: expected floating-point input, got {dtype_name(x.dtype)}; "
            "convert it first, for instance to float32"
        )
    return xp


def check_like(name: str, x: Array, reference: Any, names: str) -> None:
    """Raise unless `x` has the library, dtype and device of `reference`, an array or an `ArraySpec`.

    `names` is what the message calls the two: "x and W".
    """
    kind: Any = reference.kind if isinstance(reference, ArraySpec) else type(reference)
    devices = getattr(x, "device", None), getattr(reference, "device", None)  # None: JAX traces
    if type(x) is kind and x.dtype == reference.dtype and devices[0] == devices[1]:
        return
    xp = reference.xp if isinstance(reference, ArraySpec) else namespace_of(reference)
    if namespace_of(x) is not xp:
        raise TypeError(
            f"{name}: {names} are arrays of two libraries, {_described(type(x))} and {_described(kind)}; "
            "bring both to one backend with backend.asarray(…)"
        )
    if x.dtype != reference.dtype:
        raise TypeError(
            f"{name}: {names} differ in dtype, {dtype_name(x.dtype)} and "
            f"{dtype_name(reference.dtype)}; convert one of them"
        )
    if not on_one_device(x, reference):
        raise ValueError(
            f"{name}: {names} are on two devices, {x.device} and {reference.device}; "
            "bring both to one with backend.asarray(…)"
        )


def check_dout(name: str, dout: Array, y: Any) -> None:
    """Raise unless `dout` fits the output: an array, or an `ArraySpec`, with its shape, dtype and device."""
    namespace_of(dout)  # a TypeError for what is no array
    if dout.shape != y.shape:
        raise ValueError(f"{name}: expected dout {tuple(y.shape)}, got {tuple(dout.shape)}")
    check_like(name, dout, y, "dout and output")


def check_replaces(name: str, value: Any, current: Array) -> None:
    """Raise unless `value` can replace an array: same library and shape, numbers of its kind that fit."""
    if value is current:
        return
    if getattr(value, "shape", None) != current.shape:
        given = tuple(value.shape) if hasattr(value, "shape") else value
        raise ValueError(f"{name}: expected an array of shape {tuple(current.shape)}, got {given!r}")
    if namespace_of(value) is not namespace_of(current):
        raise TypeError(
            f"{name}: expected an array of {type(current).__module__.partition('.')[0]}, "
            f"got {type(value).__module__}.{type(value).__name__}; convert it with backend.asarray(…)"
        )
    if value.dtype == current.dtype:
        return
    wanted, given = dtype_name(current.dtype), dtype_name(value.dtype)
    kinds = ("float",) if wanted.startswith("float") else ("int", "uint")
    if not given.startswith(kinds):
        raise TypeError(f"{name}: expected numbers of a dtype such as {wanted}, got {given}")
    if wanted.startswith("float") and overflows(host := backend_of(value).to_numpy(value), wanted):
        largest = np.abs(host[np.isfinite(host)]).max()
        raise ValueError(f"{name}: expected numbers that fit into {wanted}, got {largest}")


def check_whole(name: str, least: int, **values: Any) -> None:
    """Raise unless the values are whole numbers of at least `least`."""
    for what, value in values.items():
        if not is_whole(value) or value < least:
            raise ValueError(
                f"{name}: expected {what} to be a whole number of at least {least}, got {value!r}"
            )


def _described(kind: type) -> str:
    return f"{kind.__module__.partition('.')[0]}.{kind.__name__}"


def no_layer(name: str, value: Any) -> TypeError:
    """The error for a value that is no layer."""
    cure = (
        f"give an instance, {value.__name__}(…)"
        if isinstance(value, type)
        else "a layer of your own derives from backprop.Layer, or has forward(x) and backward(dout)"
    )
    return TypeError(f"{name}: expected a layer, such as ReLU(), got {described(value)}; {cure}")


def described(value: Any) -> str:
    """Describe a value in an error message: its class, and a hint if that is what is wrong."""
    if isinstance(value, type):
        return f"the class {value.__name__}"
    has = [name for name in ("forward", "backward") if callable(getattr(value, name, None))]
    hint = f", which has no {'backward' if has == ['forward'] else 'forward'}" if len(has) == 1 else ""
    return f"{indefinite(value.__class__.__name__)}{hint}"
