"""Functions that are faster than NumPy's own, with the standard's signatures and meaning.

Each stands in for the function of the same name in array-api-compat's namespace; the tests compare the two,
dtype by dtype.
"""

from __future__ import annotations

import math
from functools import cache, lru_cache
from types import SimpleNamespace
from typing import Any, TypeAlias, cast

import array_api_compat.numpy
import numpy as np

from ..array import DType, HostArray, Namespace

compat: Any = array_api_compat.numpy
Axis: TypeAlias = int | tuple[int, ...] | None

SHORT = 32
"""Rows of at most this length are reduced column by column, since NumPy's inner loop would run along them."""

SMALL = 2**17
"""Up to this many entries, a number is broadcast to a whole array."""

LONG = 2**15
"""For a larger array it is broadcast over the last axes only, to at most this many entries."""


@lru_cache(maxsize=16)
def ones(n: int, dtype: DType) -> HostArray:
    """A vector of ones: a product with it is a sum."""
    vector = np.ones(n, dtype)
    vector.flags.writeable = False
    return vector


@lru_cache(maxsize=16)
def _filled(shape: tuple[int, ...], value: float, dtype: DType) -> HostArray:
    filled = np.full(shape, value, dtype)
    filled.flags.writeable = False
    return filled


def maximum(x1: HostArray, x2: Any, /) -> HostArray:
    """The standard's maximum, without NumPy's loop for a number in place of an array.

    That loop compares entry by entry; with a row, or an array, filled with the number it takes a fourth
    of the time.
    """
    return np.maximum(x1, broadcast_number(x1, x2))


def broadcast_number(x1: Any, x2: Any) -> Any:
    """The number x2 as an array that broadcasts with x1; anything else unchanged."""
    if type(x2) is not float or x1.dtype.kind != "f" or not x1.ndim or x1.shape[-1] == 0:
        return x2
    shape = x1.shape
    if x1.size > SMALL:
        shape = shape[1:]
        while len(shape) > 1 and math.prod(shape) > LONG:
            shape = shape[1:]
    return _filled(shape or x1.shape, x2, x1.dtype)


def clip(x: HostArray, /, min: Any = None, max: Any = None) -> HostArray:
    """The standard's clip, as a maximum and a minimum."""
    if not is_plain_clip(x, *(bound for bound in (min, max) if bound is not None)):
        return compat.clip(x, min, max)
    bounded = x if min is None else np.maximum(x, min)
    bounded = bounded if max is None else np.minimum(bounded, max)
    return bounded.copy() if bounded is x else bounded


def is_plain_clip(x: HostArray, *bounds: object) -> bool:
    """Whether the bounds are numbers, or arrays like x."""
    return bool(x.dtype.kind == "f") and all(type(b) in (int, float) or _same_kind(b, x) for b in bounds)


def _same_kind(a: object, b: HostArray) -> bool:
    return getattr(a, "dtype", None) == b.dtype and getattr(a, "shape", None) in ((), b.shape)


def is_of_short_rows(x: HostArray, axis: Axis) -> bool:
    """Whether x is reduced column by column."""
    return x.ndim == 2 and axis in (1, -1) and 0 < x.shape[1] <= SHORT


def _reduce(ufunc: Any, x: HostArray, axis: Axis, keepdims: bool) -> HostArray:
    if is_of_short_rows(x, axis):
        columns = x.T if x.flags.f_contiguous else x.T.copy()
        reduced = ufunc.reduce(columns, axis=0)
        return reduced[:, None] if keepdims else reduced
    return ufunc.reduce(x, axis=axis, keepdims=keepdims)


def sum(x: HostArray, /, *, axis: Axis = None, dtype: DType = None, keepdims: bool = False) -> HostArray:
    """The standard's sum, for floating-point arrays without NumPy's Python wrappers.

    The sum over the rows of a matrix, or along its rows if they are long, is a product with ones.
    """
    if dtype is not None or x.dtype.kind != "f" or x.dtype.itemsize == 2:
        return compat.sum(x, axis=axis, dtype=dtype, keepdims=keepdims)
    factor = ones_for_sum(x, axis, keepdims)
    if factor is None:
        return _reduce(np.add, x, axis, keepdims)
    return np.dot(factor, x) if axis == 0 else np.dot(x, factor)


def ones_for_sum(x: HostArray, axis: Axis, keepdims: bool) -> HostArray | None:
    """The factor that makes a sum a product, from the left for axis 0 and the right for axis 1; or None."""
    if x.ndim != 2 or keepdims or not (axis == 0 or (axis == 1 and x.shape[1] > SHORT)):
        return None
    return ones(x.shape[axis], x.dtype)


def max(x: HostArray, /, *, axis: Axis = None, keepdims: bool = False) -> HostArray:
    """The standard's max, for floating-point arrays without NumPy's Python wrappers."""
    if x.dtype.kind == "f":
        return _reduce(np.maximum, x, axis, keepdims)
    return compat.max(x, axis=axis, keepdims=keepdims)


def mean(x: HostArray, /, *, axis: Axis = None, keepdims: bool = False) -> HostArray:
    """The standard's mean, for a whole floating-point array without NumPy's Python wrappers."""
    if is_mean_of_all(x, axis, keepdims):
        return np.add.reduce(x, axis=None) / x.size
    return compat.mean(x, axis=axis, keepdims=keepdims)


def is_mean_of_all(x: HostArray, axis: Axis, keepdims: bool) -> bool:
    """Whether the mean is computed as the sum of all entries, divided by their number."""
    return axis is None and not keepdims and x.dtype.kind == "f" and x.dtype.itemsize > 2 and x.size > 0


def matmul(x1: HostArray, x2: HostArray, /) -> HostArray:
    """The standard's matmul; a result with short rows is laid out by columns, for fast reductions."""
    if is_by_columns(x1, x2):
        return np.matmul(x2.T, x1.T).T
    return np.matmul(x1, x2)


def is_by_columns(x1: HostArray, x2: HostArray) -> bool:
    """Whether the product is laid out by columns."""
    return bool(x1.ndim == x2.ndim == 2 and x2.shape[1] <= SHORT)


def matrix_transpose(x: HostArray, /) -> HostArray:
    """The standard's matrix_transpose, a view."""
    return x.mT


def astype(x: HostArray, dtype: DType, /, *, copy: bool = True, device: object = None) -> HostArray:
    """The standard's astype."""
    return x.astype(dtype, copy=copy)


def take(x: HostArray, indices: HostArray, /, *, axis: int | None = None) -> HostArray:
    """The standard's take."""
    return x.take(indices, axis)


def argmax(x: HostArray, /, *, axis: int | None = None, keepdims: bool = False) -> HostArray:
    """The standard's argmax."""
    found: Any = x.argmax
    return found(axis, keepdims=keepdims)


def count_nonzero(x: HostArray, /, *, axis: Axis = None, keepdims: bool = False) -> HostArray:
    """The standard's count_nonzero."""
    nonzero = x if x.dtype == np.bool else x != 0
    if axis is None and not keepdims:
        counted: Any = np.count_nonzero(nonzero)
        return np.asarray(counted) if isinstance(counted, int) else counted
    add: Any = np.add.reduce
    return add(nonzero, axis=axis, dtype=np.int64, keepdims=keepdims)


def empty(shape: int | tuple[int, ...], *, dtype: DType = None, device: object = None) -> HostArray:
    """The standard's empty."""
    return np.empty(shape, dtype)


def zeros(shape: int | tuple[int, ...], *, dtype: DType = None, device: object = None) -> HostArray:
    """The standard's zeros."""
    return np.zeros(shape, dtype)


REPLACEMENTS = {
    f.__name__: f
    for f in (argmax, astype, clip, count_nonzero, empty, matmul, matrix_transpose, max, maximum, mean, sum,
              take, zeros)
}  # fmt: skip


@cache
def namespace() -> Namespace:
    """array-api-compat's namespace with the functions above."""
    return cast(Namespace, SimpleNamespace(**{**vars(compat), **REPLACEMENTS}))
