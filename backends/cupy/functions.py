"""Functions of the standard where CuPy's compile for long or take many kernels, or compat's wait."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from ..array import Namespace
from . import CupyArray

COMPILED_FROM = 256
"""Reducing so many entries to one number, CuPy compiles a kernel with all of CUB's headers."""

SMALL = 2**14
"""Up to this many entries, one block of threads adds them all."""

STACKED = 64
"""How many numbers one kernel stacks; the bytes of its parameters are limited."""


def functions(cupy: Any, xp: Namespace) -> dict[str, Callable[..., Any]]:
    """The functions by their names; `xp` has the others' own, for what is not treated here."""

    def is_number(bound: Any) -> bool:
        return bound is None or isinstance(bound, (int, float))

    def are_numbers(arrays: Sequence[CupyArray]) -> bool:
        """Whether these are 0-d arrays of one dtype."""
        kinds = {(x.ndim, x.dtype.char) for x in arrays}
        return len(kinds) == 1 and kinds.pop()[0] == 0

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

    mean_of_all = cupy.ReductionKernel("T x, int64 n", "T y", "x", "a + b", "y = a / n", "0", "mean_of_all")

    def mean(x: CupyArray, /, *, axis: Any = None, keepdims: bool = False) -> CupyArray:
        """The standard's mean, of a few numbers in one kernel."""
        if axis is None and not keepdims and x.dtype.char in "fd" and 0 < x.size <= SMALL:
            return mean_of_all(x, x.size)
        return xp.mean(x, axis=axis, keepdims=keepdims)

    @cache
    def stacking() -> Any:
        names = [f"x{i}" for i in range(STACKED)]
        writes = "; ".join(f"y[{i}] = {name}" for i, name in enumerate(names))
        return cupy.ElementwiseKernel(
            ", ".join(f"T {name}" for name in names), "raw T y", writes, "stack_numbers"
        )

    def stack(arrays: Sequence[CupyArray], /, *, axis: int = 0) -> CupyArray:
        """The standard's stack, of 0-d arrays without a copy for each or of their addresses."""
        if axis != 0 or not are_numbers(arrays):
            return xp.stack(arrays, axis=axis)
        filled = [*arrays, *[arrays[-1]] * (-len(arrays) % STACKED)]  # one kernel for any number of them
        y = cupy.empty(len(filled), arrays[0].dtype)
        for start in range(0, len(filled), STACKED):
            stacking()(*filled[start : start + STACKED], y[start : start + STACKED])
        return y[: len(arrays)]

    return {f.__name__: f for f in (all, any, count_nonzero, clip, sign, mean, stack)}
