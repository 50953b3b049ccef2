"""The numerical gradient: central differences, always in float64."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from backends import Array, backend_of, dtype_name, get_backend, is_registered


def numerical_gradient(f: Callable[[Array], Any], x: Any, h: float = 1e-4) -> Array:
    """∂f/∂xᵢ ≈ (f(x + h eᵢ) − f(x − h eᵢ)) / 2h for every entry of x.

    Parameters
    ----------
    f : a function of an array like x that returns a number or a 0-d array. It must compute from
        its argument: x itself is never changed.
    x : an array of any shape on any backend, or a number. It is copied to float64 first, so
        integers are as good as floats.
    h : half the distance between the two points

    Returns the gradient: the shape and device of x, dtype float64 (NumPy for a number).

    Source: *Deep Learning from Scratch*, section 4.3.

    >>> numerical_gradient(lambda x: x**2, 3)
    array(6.)
    >>> import numpy as np
    >>> numerical_gradient(lambda x: np.sum(x**2), np.asarray([3, 4]))
    array([6., 8.])
    """
    known = is_registered(x)
    if known and dtype_name(x.dtype).startswith("complex"):
        raise TypeError(f"numerical_gradient: expected a real array, got {dtype_name(x.dtype)}")
    backend = backend_of(x) if known else get_backend("numpy")
    host = np.array(backend.to_numpy(x) if known else x, dtype=np.float64)
    differences = central_differences(lambda values: _value(f(backend.asarray(values.copy()))), host, h)
    if differences.size and not differences.any():
        warnings.warn(
            "numerical_gradient: f did not change with any entry of x; it must compute from its "
            "argument, not from an array it has captured",
            stacklevel=2,
        )
    return backend.asarray(differences)


def central_differences(
    f: Callable[[np.ndarray[Any, Any]], float],
    x: np.ndarray[Any, Any],
    h: float,
    entries: np.ndarray[Any, Any] | None = None,
) -> np.ndarray[Any, Any]:
    """(f(x + h eᵢ) − f(x − h eᵢ)) / 2h for a host array x, for all entries or the given flat ones.

    The other entries of the result are NaN. f sees x itself with one entry changed.
    """
    if not h > 0.0:
        raise ValueError(f"expected a step h above 0, got {h}")
    x = np.ascontiguousarray(x).reshape(x.shape)
    flat, out = x.reshape(-1), np.full(x.size, np.nan)
    for i in range(x.size) if entries is None else entries:
        value = flat[i]
        flat[i] = value + h
        above = f(x)
        flat[i] = value - h
        below = f(x)
        flat[i] = value
        out[i] = (above - below) / (2.0 * h)
    return out.reshape(x.shape)


def _value(result: Any) -> float:
    """The number in f's result."""
    if isinstance(result, (int, float)):
        return float(result)
    if getattr(result, "shape", None) != ():
        raise ValueError(
            f"numerical_gradient: f must return a number or a 0-d array, got {type(result).__name__} "
            f"of shape {getattr(result, 'shape', 'unknown')}"
        )
    return float(backend_of(result).to_numpy(result))
