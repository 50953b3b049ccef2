"""What the book's functions and layers ask of their arguments; `name` begins every error message."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np

from ..backends import HostArray

Saved = TypeVar("Saved")


def numbers(name: str, x: Any) -> HostArray:
    """Return `x`, an array, a list or a number, as floating-point numbers: integers as float64.

    A floating-point array is returned itself, not a copy, and keeps its dtype.
    """
    try:
        array = np.asarray(x)
    except TypeError:
        raise TypeError(
            f"{name}: expected a NumPy array, got {type(x).__module__}.{type(x).__name__}; the book computes "
            "with NumPy, and backprop's own layers with the other libraries"
        ) from None
    except ValueError:
        raise ValueError(f"{name}: expected rows of one length, got lists of several lengths") from None
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{name}: expected numbers, got {array.dtype.name}: {x!r:.60}")
    return array if array.dtype.kind == "f" else array.astype(np.float64)


def doubles(name: str, x: Any) -> HostArray:
    """Return `x` in float64, in which the book's layers compute."""
    return numbers(name, x).astype(np.float64, copy=False)


def check_shape(name: str, what: str, array: HostArray, shape: tuple[int, ...]) -> HostArray:
    """Return the array if it has this shape, else raise."""
    if array.shape != shape:
        raise ValueError(f"{name}: expected {what} {shape}, got {array.shape}")
    return array


def kept(name: str, value: Saved | None, training: str = "") -> Saved:
    """Return what `forward` kept for `backward`, or raise if there was no `forward`."""
    if value is None:
        raise RuntimeError(f"{name}: backward needs {name}.forward(x{training}) first")
    return value
