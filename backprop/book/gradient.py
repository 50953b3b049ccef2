"""Numerical gradients as in the book's `common/gradient.py`: the array is varied in place.

`backprop.numerical_gradient` takes arrays of any library and dtype, and numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..backends import HostArray

__all__ = ["np", "numerical_gradient", "numerical_gradient_2d"]

STEP = 1e-4


def numerical_gradient(f: Callable[[HostArray], Any], x: HostArray) -> HostArray:
    """∂f/∂xᵢ ≈ (f(x + h eᵢ) − f(x − h eᵢ)) / 2h with h = 10⁻⁴, for every entry of x.

    f may use its argument, or x itself as a captured variable: both change, one entry at a time, and are
    restored, even after an error.

    Parameters
    ----------
    f : a function that returns a number
    x : a float64 array of any shape

    Source: *Deep Learning from Scratch*, section 4.4.

    >>> numerical_gradient(lambda x: x[0] ** 2 + x[1] ** 2, np.array([3.0, 4.0]))
    array([6., 8.])
    """
    _check(x)
    gradient = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        value = x[index]
        try:
            x[index] = value + STEP
            above = _number(f(x))
            x[index] = value - STEP
            below = _number(f(x))
        finally:
            x[index] = value
        gradient[index] = (above - below) / (2 * STEP)
    return gradient


def numerical_gradient_2d(f: Callable[[HostArray], Any], X: HostArray) -> HostArray:
    """The gradient of f at every row of X (N, D) by itself: f takes a row. For X (D,), of f at X."""
    _check(X)
    if X.ndim == 1:
        return numerical_gradient(f, X)
    gradient = np.zeros_like(X)
    for row, x in zip(gradient, X, strict=True):
        row[...] = numerical_gradient(f, x)
    return gradient


def _check(x: HostArray) -> None:
    if not isinstance(x, np.ndarray):
        raise TypeError(f"numerical_gradient: expected an array, got {type(x).__name__}; give numpy.array(x)")
    if x.dtype != np.float64:
        raise TypeError(
            f"numerical_gradient: expected a float64 array, got {x.dtype.name}, in which x ± 0.0001 is "
            "rounded; use x.astype(float)"
        )
    if not x.flags.writeable:
        raise ValueError("numerical_gradient: x is read-only and cannot be varied; give x.copy()")


def _number(value: Any) -> float:
    array = np.asarray(value)
    if array.size != 1:
        raise ValueError(
            f"numerical_gradient: expected f to return a number, got an array {array.shape}; "
            "let f return its sum"
        )
    if array.dtype.kind not in "fiu":
        hint = "; does f end with return?" if value is None else ""
        raise TypeError(
            f"numerical_gradient: expected f to return a number, got {type(value).__name__}{hint}"
        )
    return float(array.item())
