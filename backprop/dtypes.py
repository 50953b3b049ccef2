"""Questions about dtypes and numbers, and conversions between dtypes, for arrays of any library."""

from __future__ import annotations

from functools import cache
from numbers import Integral
from typing import Any

import numpy as np

from .backends import Array, dtype_name, namespace_of


def is_float(dtype: Any) -> bool:
    """Whether the dtype, of any library, is float16, float32 or float64."""
    return _name(dtype.__class__, dtype) in ("float16", "float32", "float64")


def is_float16(dtype: Any) -> bool:
    """Whether the dtype, of any library, is float16."""
    return _name(dtype.__class__, dtype) == "float16"


def is_bool(dtype: Any) -> bool:
    """Whether the dtype, of any library, is that of truth values."""
    return _name(dtype.__class__, dtype) == "bool"


def is_integer(dtype: Any) -> bool:
    """Whether the dtype, of any library, is a signed or unsigned integer."""
    return _name(dtype.__class__, dtype).startswith(("int", "uint"))


@cache
def _name(kind: type, dtype: Any) -> str:
    # `kind` keeps the cache from comparing the dtypes of two libraries, which strict ones refuse.
    return dtype_name(dtype)


def widened(x: Array) -> Array:
    """float16 as float32, whose sums and squares neither overflow nor lose digits; else x itself."""
    return namespace_of(x).astype(x, namespace_of(x).float32) if is_float16(x.dtype) else x


def narrowed(x: Array, dtype: Any) -> Array:
    """A result computed from `widened` arrays, converted back to their original dtype."""
    return x if x.dtype == dtype else namespace_of(x).astype(x, dtype)


def copied(x: Array) -> Array:
    """A copy of a floating-point array, in memory of its own."""
    return namespace_of(x).astype(x, x.dtype)


def overflows(values: np.ndarray[Any, Any], dtype: str) -> bool:
    """Whether a finite number becomes infinite in this dtype."""
    with np.errstate(over="ignore"):
        return bool((np.isfinite(values) & ~np.isfinite(values.astype(dtype))).any())


def is_whole(value: Any) -> bool:
    """Whether a value is a whole number, Python's or NumPy's; True and False are not."""
    return not isinstance(value, bool) and isinstance(value, Integral)
