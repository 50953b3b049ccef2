"""Functions with fewer kernels than CuPy's own, with the standard's signatures and meaning."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from . import CupyArray

SMALL = 2**14
"""Up to this many entries, one block of threads adds them all."""

PARAMETERS = 64
"""How many arrays a kernel takes; the bytes of its parameters are limited."""


def replacements(cupy: Any) -> dict[str, Callable[..., Any]]:
    """The functions by their names."""
    mean_of_all = cupy.ReductionKernel("T x, int64 n", "T y", "x", "a + b", "y = a / n", "0", "mean_of_all")

    def mean(x: CupyArray, /, *, axis: Any = None, keepdims: bool = False) -> CupyArray:
        """The standard's mean, of a few numbers in one kernel."""
        if axis is None and not keepdims and x.dtype.char in "fd" and 0 < x.size <= SMALL:
            return mean_of_all(x, x.size)
        return cupy.mean(x, axis=axis, keepdims=keepdims)

    @cache
    def stacking(dtype: Any, count: int) -> Any:
        names = [f"x{i}" for i in range(count)]
        writes = "; ".join(f"y[{i}] = {name}" for i, name in enumerate(names))
        given = ", ".join(f"T {name}" for name in names)
        return cupy.ElementwiseKernel(given, "raw T y", writes, "stack_numbers")

    def stack(arrays: Sequence[CupyArray], /, *, axis: int = 0) -> CupyArray:
        """The standard's stack, of 0-d arrays without a copy for each or of their addresses."""
        if axis != 0 or any(x.ndim or x.dtype != arrays[0].dtype for x in arrays):
            return cupy.stack(arrays, axis=axis)
        y = cupy.empty(len(arrays), arrays[0].dtype)
        for start in range(0, len(arrays), PARAMETERS):
            part = arrays[start : start + PARAMETERS]
            stacking(y.dtype, len(part))(*part, y[start : start + PARAMETERS])
        return y

    return {"mean": mean, "stack": stack}
