"""How far apart results of the same calls may be on a GPU, where a replay may add in another order."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..array import DType
from . import CupyArray
from .products import tf32

ROUNDING = {"float32": 1e-3, "float64": 1e-6}
"""The largest difference of two results, relative to the largest entry; a small difference of large numbers
has a larger relative error."""

COARSE = 0.02
"""The same where factors of float32 are rounded to 10 bits (TF32), and for every single parameter."""

UNSURE = 0.1
"""The share of parameters whose updates may differ completely: an optimizer such as Adam turns the rounding
of a zero gradient, as of a bias below a batch normalization, into a whole step."""


def agree(cupy: Any, x: CupyArray, y: CupyArray) -> bool:
    """Whether arrays are equal up to rounding, and NaN or infinite in the same places."""
    return bool((x == y).all() if x.dtype.kind != "f" else _close(cupy, x, y, _rounding(x.dtype), y).all())


def updates_agree(cupy: Any, before: CupyArray, x: CupyArray, y: CupyArray) -> bool:
    """Whether two updates of `before` agree, except for a few whose gradient is rounding alone."""
    if not y.size:
        return True
    sure = _close(cupy, x, y, _rounding(x.dtype), y - before).mean() >= 1.0 - UNSURE
    return bool(sure & _close(cupy, x, y, COARSE, y).all())


def _rounding(dtype: DType) -> float:
    return COARSE if tf32() and dtype.name == "float32" else ROUNDING.get(dtype.name, COARSE)


def _close(cupy: Any, x: CupyArray, y: CupyArray, rounding: float, scale: CupyArray) -> CupyArray:
    """Where x and y differ by no more than this share of the largest finite entry of `scale`."""
    largest = cupy.where(cupy.isfinite(scale), abs(scale), 0.0).max() if y.size else 0.0
    allowed = rounding * largest + 4.0 * float(np.finfo(y.dtype).eps) * abs(y)
    same = (x == y) | (cupy.isnan(x) & cupy.isnan(y))
    return same | (cupy.isfinite(y) & (abs(x - y) <= allowed))
