"""Functions whose results CuPy can write into an array that is there, which saves a copy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..array import DType, Namespace
from . import CupyArray


def writers(xp: Namespace) -> dict[Callable[..., Any], Callable[..., None]]:
    """By a function of the namespace: what writes its result into `out`, the first argument."""

    def sum(out: CupyArray, x: CupyArray, *, axis: Any = None) -> None:
        if x.dtype == out.dtype and out.dtype.kind == "f":
            xp.sum(x, axis=axis, out=out)
        else:
            out[...] = xp.sum(x, axis=axis)

    def multiply(out: CupyArray, x1: CupyArray, x2: CupyArray) -> None:
        xp.multiply(x1, x2, out=out)

    def astype(out: CupyArray, x: CupyArray, dtype: DType) -> None:
        out[...] = x if x.dtype == dtype else xp.astype(x, dtype)

    return {xp.sum: sum, xp.multiply: multiply, xp.astype: astype}
