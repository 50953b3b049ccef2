"""Functions of the standard where CuPy's compile for long, and array-api-compat's wait for the device."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..array import Namespace
from . import CupyArray

COMPILED_FROM = 256
"""Reducing so many entries to one number, CuPy compiles a kernel with all of CUB's headers."""


def functions(cupy: Any, xp: Namespace) -> dict[str, Callable[..., Any]]:
    """The functions by their names; `xp` has the others' own, for what is not treated here."""

    def is_number(bound: Any) -> bool:
        return bound is None or isinstance(bound, (int, float))

    def is_long(x: CupyArray, options: dict[str, Any]) -> bool:
        """Whether all of many contiguous truth values are reduced."""
        whole = options.get("axis") is None and not options.get("keepdims")
        return whole and x.dtype.kind == "b" and x.flags.c_contiguous and x.size >= COMPILED_FROM

    def all(x: CupyArray, /, **options: Any) -> CupyArray:
        """The standard's all, by a minimum, which is compiled already."""
        return x.view(cupy.uint8).min() != 0 if is_long(x, options) else xp.all(x, **options)

    def any(x: CupyArray, /, **options: Any) -> CupyArray:
        """The standard's any, by a maximum."""
        return x.view(cupy.uint8).max() != 0 if is_long(x, options) else xp.any(x, **options)

    def count_nonzero(x: CupyArray, /, **options: Any) -> CupyArray:
        """The standard's count_nonzero, by a sum."""
        return x.astype(cupy.int64).sum() if is_long(x, options) else xp.count_nonzero(x, **options)

    def clip(x: CupyArray, /, min: Any = None, max: Any = None) -> CupyArray:
        """The standard's clip, without reading which entries are NaN."""
        if x.dtype.kind != "f" or not (is_number(min) and is_number(max)):
            return xp.clip(x, min, max)
        y = x if min is None else cupy.maximum(x, min)
        return +y if max is None else cupy.minimum(y, max)

    def sign(x: CupyArray, /) -> CupyArray:
        """The standard's sign, without reading which entries are NaN."""
        return cupy.where(cupy.isnan(x), x, cupy.sign(x)) if x.dtype.kind == "f" else xp.sign(x)

    return {f.__name__: f for f in (all, any, count_nonzero, clip, sign)}
