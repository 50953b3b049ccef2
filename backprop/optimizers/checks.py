"""Checks of an optimizer's settings, parameters and gradients."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ..backends import Array, backend_of, dtype_name, namespace_of, on_one_device
from ..dtypes import is_float16
from ..errors import float16_training


def non_negative(name: str, what: str, value: float) -> float:
    """Return a setting as a float; raise unless it is finite and at least 0."""
    if not (math.isfinite(value) and value >= 0.0):
        raise ValueError(f"{name}: expected a finite {what} of at least 0, got {value}")
    return float(value)


def positive(name: str, what: str, value: float) -> float:
    """Return a setting as a float; raise unless it is finite and above 0."""
    if not (math.isfinite(value) and value > 0.0):
        raise ValueError(f"{name}: expected a finite {what} above 0, got {value}")
    return float(value)


def fraction(name: str, what: str, value: float) -> float:
    """Return a setting as a float; raise unless it is from 0 to below 1."""
    if not 0.0 <= value < 1.0:
        raise ValueError(f"{name}: expected {what} from 0 to below 1, got {value}")
    return float(value)


def check_trainable(name: str, params: Mapping[str, Array]) -> None:
    """Raise a `TypeError` for parameters in float16."""
    if any(is_float16(p.dtype) for p in params.values()):
        raise float16_training(name)


def check_writable(name: str, params: Mapping[str, Array]) -> None:
    """Raise for a read-only parameter."""
    for key, p in params.items():
        if not backend_of(p).is_writable(p):
            raise ValueError(f"{name}: {key} is read-only and cannot be updated; give a copy of it")


def check_grads(name: str, params: Mapping[str, Array], grads: Mapping[str, Array]) -> None:
    """Raise unless every parameter has a gradient of its own shape, dtype and device."""
    for key, p in params.items():
        if key not in grads:
            listed = ", ".join(grads) or "nothing"
            raise ValueError(f"{name}: expected a gradient for {key}, got those for {listed}")
        g = grads[key]
        namespace_of(p), namespace_of(g)  # a TypeError for what is no array
        if type(g) is type(p) and (g.shape, g.dtype) == (p.shape, p.dtype) and on_one_device(g, p):
            continue
        actual = _kind(g)
        for what, value in _kind(p).items():
            if value != actual[what]:
                raise ValueError(
                    f"{name}: expected a gradient of {what} {value} for {key}, got {actual[what]}"
                )


def check_like(name: str, key: str, slot: Array, p: Array) -> None:
    """Raise unless a slot has the shape, dtype and device of its parameter."""
    now = _kind(p)
    for what, value in _kind(slot).items():
        if value != now[what]:
            raise ValueError(
                f"{name}: this optimizer was used for other parameters, with {key} of {what} {value}, not "
                f"{now[what]}; make a new one for every network"
            )


def _kind(array: Array) -> dict[str, Any]:
    backend = backend_of(array)
    return {
        "shape": tuple(array.shape),
        "dtype": dtype_name(array.dtype),
        "device": f"{backend.name} ({backend.device})",
    }
