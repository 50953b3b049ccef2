"""The numerical gradient: central differences, always in float64."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from .backends import Array, Backend, backend_of, dtype_name, get_backend, is_registered

Index = tuple[int, ...]


def numerical_gradient(f: Callable[[Array], Any], x: Any, h: float = 1e-4) -> Array:
    """∂f/∂xᵢ ≈ (f(x + h eᵢ) − f(x − h eᵢ)) / 2h for every entry of x.

    Parameters
    ----------
    f : a function that returns a number or a 0-d array. It may use its argument, or x itself as a captured
        variable: a writable float64 array is changed in place, one entry at a time, and restored, even
        after an error.
    x : an array of any shape on any backend, or a number. If x is not float64, is read-only, or is a
        number, f receives float64 copies and must use them. A `TypeError` if f visibly uses x instead.
    h : half the distance between the two points

    Returns the gradient, with the shape and device of x, in float64 (a NumPy array for a number).

    Source: *Deep Learning from Scratch*, section 4.3.

    >>> numerical_gradient(lambda x: x**2, 3)
    array(6.)
    >>> import numpy as np
    >>> numerical_gradient(lambda x: np.sum(x**2), np.asarray([3, 4]))
    array([6., 8.])
    >>> W = np.asarray([3.0, 4.0])
    >>> numerical_gradient(lambda w: np.sum(W**2), W)  # as in chapter 4 of the book
    array([6., 8.])
    """
    known = is_registered(x)
    if known and dtype_name(x.dtype).startswith("complex"):
        raise TypeError(f"numerical_gradient: expected a real array, got {dtype_name(x.dtype)}")
    backend = backend_of(x) if known else get_backend("numpy")
    with backend.float64():
        return _numerical_gradient(f, x, h, backend, known)


def _numerical_gradient(f: Callable[[Array], Any], x: Any, h: float, backend: Backend, known: bool) -> Array:
    """The gradient, computed where the backend has float64."""
    host = np.array(backend.to_numpy(x) if known else x, dtype=np.float64)
    if known and dtype_name(x.dtype) == "float64" and writable(x):
        return backend.asarray(_differences_in_place(f, x, host, h, backend))
    if known and writable(x) and changes_with(x, lambda: _value(f(backend.asarray(host.copy())))):
        raise TypeError(
            f"numerical_gradient: f uses x itself instead of its argument, and {dtype_name(x.dtype)} is too "
            "coarse for differences; convert x to float64 first, or use the argument"
        )
    differences = central_differences(_value_of_copy(f, host, backend), host, h)
    if differences.size and not differences.any():
        warnings.warn(
            "numerical_gradient: f did not change with any entry of x; it must use its argument, not a "
            "captured array",
            stacklevel=2,
        )
    return backend.asarray(differences)


def central_differences(
    f: Callable[[Index, float], float], x: np.ndarray[Any, Any], h: float
) -> np.ndarray[Any, Any]:
    """(f(xᵢ + h) − f(xᵢ − h)) / 2h for every entry of x, where f(i, v) is f(x) with xᵢ set to v."""
    if not h > 0.0:
        raise ValueError(f"expected a step h above 0, got {h}")
    differences = np.empty(x.shape)
    for index in np.ndindex(x.shape):
        above, below = float(x[index]) + h, float(x[index]) - h
        if above == below:
            raise ValueError(f"a step h of {h} is lost when {float(x[index])} is rounded: give a larger h")
        differences[index] = (f(index, above) - f(index, below)) / (above - below)
    return differences


def writable(array: Array) -> bool:
    """Whether entries of the array can be set in place."""
    if getattr(array, "requires_grad", False):  # a PyTorch tensor, which counts its changes
        return False
    first = (0,) * len(array.shape)
    try:
        array[first] = array[first]
    except (IndexError, RuntimeError, TypeError, ValueError):  # empty, a torch leaf, immutable, read-only
        return False
    return True


def _value_of_copy(
    f: Callable[[Array], Any], host: np.ndarray[Any, Any], backend: Backend
) -> Callable[[Index, float], float]:
    """The function (i, v) ↦ f(copy of x with xᵢ = v)."""

    def value(index: Index, entry: float) -> float:
        changed = host.copy()
        changed[index] = entry
        return _value(f(backend.asarray(changed)))

    return value


def _differences_in_place(
    f: Callable[[Array], Any], x: Array, host: np.ndarray[Any, Any], h: float, backend: Backend
) -> np.ndarray[Any, Any]:
    """The differences of f(x), changing x itself."""

    def value(index: Index, entry: float) -> float:
        x[index] = entry
        result = _value(f(x))
        x[index] = float(host[index])
        return result

    with _restored(x, host, backend):
        _value(f(x))
        if not np.array_equal(backend.to_numpy(x), host, equal_nan=True):
            raise ValueError("numerical_gradient: f changes its argument; let it work on a copy")
        return central_differences(value, host, h)


def changes_with(x: Array, value: Callable[[], Any]) -> bool:
    """Whether a value, a number or a NumPy array, changes with x, which is restored afterwards."""
    backend = backend_of(x)
    host = np.array(backend.to_numpy(x))
    before = value()
    with _restored(x, host, backend):
        x[...] = backend.asarray(np.where(host == 0.0, 1.0, 0.0), dtype=dtype_name(x.dtype))
        after = value()
    return not np.array_equal(before, after, equal_nan=True)


@contextmanager
def _restored(x: Array, values: np.ndarray[Any, Any], backend: Backend) -> Iterator[None]:
    """Set x to these values afterwards, even after an error."""
    try:
        yield
    finally:
        x[...] = backend.asarray(values, dtype=dtype_name(x.dtype))


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
