"""What NumPy can do faster than its own functions do, with the standard's signatures and meaning.

Every function here stands in for the one of the same name in array-api-compat's namespace; the
tests compare the two, dtype by dtype. `allocate_from_heap` is why repeated temporaries are cheap.
"""

from __future__ import annotations

import ctypes
import math
import sys
from collections.abc import Callable
from functools import cache, lru_cache
from types import SimpleNamespace
from typing import Any

import array_api_compat.numpy
import numpy as np

from ..base import Array, put_back

_compat: Any = array_api_compat.numpy

SHORT = 32
"""Rows of at most this length are reduced column by column: NumPy's loop would run along them."""

SMALL = 2**17
"""Up to this many entries a number is spread over an array of their shape."""

LONG = 2**15
"""For a larger array, over one of its last axes, as many as make at most this many entries."""


@lru_cache(maxsize=16)
def ones(n: int, dtype: np.dtype[Any]) -> Array:
    """A vector of ones, for sums as products."""
    vector = np.ones(n, dtype)
    vector.flags.writeable = False
    return vector


@lru_cache(maxsize=16)
def _filled(shape: tuple[int, ...], value: float, dtype: np.dtype[Any]) -> Array:
    filled = np.full(shape, value, dtype)
    filled.flags.writeable = False
    return filled


def maximum(x1: Array, x2: Any, /) -> Array:
    """The standard's maximum, without the loop that NumPy takes for a number in place of an array.

    That loop compares one by one. A row of the number, or an array where rows are short, costs a
    fourth of it.
    """
    return np.maximum(x1, spread(x1, x2))


def spread(x1: Array, x2: Any) -> Any:
    """The number x2 as an array that can be compared with x1; anything else as it is."""
    if type(x2) is not float or x1.dtype.kind != "f" or not x1.ndim or x1.shape[-1] == 0:
        return x2
    shape = x1.shape
    if x1.size > SMALL:
        shape = shape[1:]
        while len(shape) > 1 and math.prod(shape) > LONG:
            shape = shape[1:]
    return _filled(shape or x1.shape, x2, x1.dtype)


def clip(x: Array, /, min: Any = None, max: Any = None) -> Array:
    """The standard's clip, as a maximum and a minimum."""
    if not is_plain_clip(x, *(bound for bound in (min, max) if bound is not None)):
        return _compat.clip(x, min, max)
    bounded = x if min is None else np.maximum(x, min)
    bounded = bounded if max is None else np.minimum(bounded, max)
    return bounded.copy() if bounded is x else bounded


def is_plain_clip(x: Array, *bounds: Any) -> bool:
    """Whether the bounds are numbers, or arrays like x."""
    return bool(x.dtype.kind == "f") and all(type(b) in (int, float) or _same_kind(b, x) for b in bounds)


def _same_kind(a: Any, b: Array) -> bool:
    return getattr(a, "dtype", None) == b.dtype and getattr(a, "shape", None) in ((), b.shape)


def is_of_short_rows(x: Array, axis: Any) -> bool:
    """Whether x is reduced column by column."""
    return x.ndim == 2 and axis in (1, -1) and 0 < x.shape[1] <= SHORT


def _reduce(ufunc: np.ufunc, x: Array, axis: Any, keepdims: bool) -> Array:
    if is_of_short_rows(x, axis):
        columns = x.T if x.flags.f_contiguous else x.T.copy()
        reduced = ufunc.reduce(columns, axis=0)
        return reduced[:, None] if keepdims else reduced
    return ufunc.reduce(x, axis=axis, keepdims=keepdims)


def sum(x: Array, /, *, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Array:
    """The standard's sum, for floating-point arrays without the detour through Python.

    The sum over the rows of a matrix, or over long rows of one, is a product with ones.
    """
    if dtype is not None or x.dtype.kind != "f" or x.dtype.itemsize == 2:
        return _compat.sum(x, axis=axis, dtype=dtype, keepdims=keepdims)
    factor = ones_for_sum(x, axis, keepdims)
    if factor is None:
        return _reduce(np.add, x, axis, keepdims)
    return np.dot(factor, x) if axis == 0 else np.dot(x, factor)


def ones_for_sum(x: Array, axis: Any, keepdims: bool) -> Array | None:
    """The other factor where a sum is a product: from the left for axis 0, from the right for axis 1."""
    if x.ndim != 2 or keepdims or not (axis == 0 or (axis == 1 and x.shape[1] > SHORT)):
        return None
    return ones(x.shape[axis], x.dtype)


def max(x: Array, /, *, axis: Any = None, keepdims: bool = False) -> Array:
    """The standard's max, likewise."""
    if x.dtype.kind == "f":
        return _reduce(np.maximum, x, axis, keepdims)
    return _compat.max(x, axis=axis, keepdims=keepdims)


def mean(x: Array, /, *, axis: Any = None, keepdims: bool = False) -> Array:
    """The standard's mean, for a whole floating-point array without the detour through Python."""
    if is_mean_of_all(x, axis, keepdims):
        return np.add.reduce(x, axis=None) / x.size
    return _compat.mean(x, axis=axis, keepdims=keepdims)


def is_mean_of_all(x: Array, axis: Any, keepdims: bool) -> bool:
    """Whether the mean is the sum of all entries, divided by their number."""
    return axis is None and not keepdims and x.dtype.kind == "f" and x.dtype.itemsize > 2 and x.size > 0


def matmul(x1: Array, x2: Array, /) -> Array:
    """The standard's matmul; a matrix of short rows is laid out by columns, as `_reduce` wants it."""
    if is_by_columns(x1, x2):
        return np.matmul(x2.T, x1.T).T
    return np.matmul(x1, x2)


def is_by_columns(x1: Array, x2: Array) -> bool:
    """Whether a product is laid out by columns."""
    return bool(x1.ndim == x2.ndim == 2 and x2.shape[1] <= SHORT)


def _matmul_into(out: Array, a: Array, b: Array) -> None:
    np.matmul(a, b, out=out)


def _sum_into(out: Array, x: Array, *, axis: Any = None) -> None:
    if axis == 0 and x.ndim == 2 and x.dtype == out.dtype:
        np.dot(ones(x.shape[0], x.dtype), x, out)
    else:
        out[...] = sum(x, axis=axis)


WRITES_INTO: dict[Callable[..., Array], Callable[..., None]] = {matmul: _matmul_into, sum: _sum_into}
"""How a function of the namespace writes into an array it is given, without a copy."""


def matrix_transpose(x: Array, /) -> Array:
    """The standard's matrix_transpose, a view."""
    return x.mT


def astype(x: Array, dtype: Any, /, *, copy: bool = True, device: Any = None) -> Array:
    """The standard's astype."""
    return x.astype(dtype, copy=copy)


def take(x: Array, indices: Array, /, *, axis: int | None = None) -> Array:
    """The standard's take."""
    return x.take(indices, axis)


def argmax(x: Array, /, *, axis: int | None = None, keepdims: bool = False) -> Array:
    """The standard's argmax."""
    return x.argmax(axis, keepdims=keepdims)


def count_nonzero(x: Array, /, *, axis: Any = None, keepdims: bool = False) -> Array:
    """The standard's count_nonzero: an array also over all axes."""
    nonzero = x if x.dtype == np.bool else x != 0
    if axis is None and not keepdims:
        counted: Any = np.count_nonzero(nonzero)
        return np.asarray(counted) if isinstance(counted, int) else counted
    add: Any = np.add.reduce
    return add(nonzero, axis=axis, dtype=np.int64, keepdims=keepdims)


def empty(shape: Any, *, dtype: Any = None, device: Any = None) -> Array:
    """The standard's empty."""
    return np.empty(shape, dtype)


def zeros(shape: Any, *, dtype: Any = None, device: Any = None) -> Array:
    """The standard's zeros."""
    return np.zeros(shape, dtype)


BLOCK = 2**15
"""Entries of a vector that `by_blocks` takes at a time: with temporaries they stay in the cache."""


@cache
def by_blocks(function: Callable[..., tuple[Array, ...]]) -> Callable[..., tuple[Array, ...]]:
    """`Backend.fuse`: the function on long vectors block by block."""

    def blocked(first: Array, *others: Any) -> tuple[Array, ...]:
        if first.ndim != 1 or first.shape[0] <= BLOCK:
            return function(first, *others)
        for start in range(0, first.shape[0], BLOCK):
            part = slice(start, start + BLOCK)
            blocks = [x[part] if getattr(x, "ndim", 0) else x for x in (first, *others)]
            changed = function(*blocks)
            put_back(blocks, changed)
        return (first, *others)[: len(changed)]

    return blocked


REPLACEMENTS = {
    f.__name__: f
    for f in (argmax, astype, clip, count_nonzero, empty, matmul, matrix_transpose, max, maximum, mean, sum,
              take, zeros)
}  # fmt: skip


@cache
def namespace() -> Any:
    """array-api-compat's namespace with the functions above in it."""
    return SimpleNamespace(**{**vars(_compat), **REPLACEMENTS})


def allocate_from_heap() -> None:
    """Make glibc keep freed memory, so that a temporary of a step is not faulted in anew each time.

    By default an array of 128 kB or more is mapped from the kernel and given back, at some 4 µs for
    each page of 4 kB that is touched again. Other C libraries are left as they are.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return
    m_trim_threshold, m_top_pad, m_mmap_threshold = -1, -2, -3
    mallopt(m_mmap_threshold, 32 * 2**20)  # the largest that glibc takes
    mallopt(m_trim_threshold, 512 * 2**20)
    mallopt(m_top_pad, 16 * 2**20)
