"""How far apart results of the same calls may be on a GPU, where a replay may add in another order."""

from __future__ import annotations

from .array import Array, DType, Namespace, dtype_name

ROUNDING = {"float32": 1e-3, "float64": 1e-6}
"""The largest difference of two results, relative to the largest entry; a small difference of large numbers
has a larger relative error."""

COARSE = 0.02
"""The same where factors of float32 are rounded to 10 bits (TF32), and for every single parameter."""

UNSURE = 0.1
"""The share of parameters whose updates may differ completely: an optimizer such as Adam turns the rounding
of a zero gradient, as of a bias below a batch normalization, into a whole step."""


def agree(xp: Namespace, x: Array, y: Array, *, tf32: bool = False) -> Array:
    """Whether arrays are equal up to rounding, and NaN or infinite in the same places: a 0-d boolean."""
    if not xp.isdtype(x.dtype, "real floating"):
        return xp.all(x == y)
    return xp.all(_close(xp, x, y, _rounding(x.dtype, tf32), y))


def updates_agree(xp: Namespace, before: Array, x: Array, y: Array, *, tf32: bool = False) -> Array:
    """Whether two updates of `before` agree, except for a few whose gradient is rounding alone."""
    if 0 in y.shape:
        return agree(xp, x, y)
    sure = xp.astype(_close(xp, x, y, _rounding(x.dtype, tf32), y - before), xp.float32)
    return (xp.mean(sure) >= 1.0 - UNSURE) & xp.all(_close(xp, x, y, COARSE, y))


def _rounding(dtype: DType, tf32: bool) -> float:
    name = dtype_name(dtype)
    return COARSE if tf32 and name == "float32" else ROUNDING.get(name, COARSE)


def _close(xp: Namespace, x: Array, y: Array, rounding: float, scale: Array) -> Array:
    """Where x and y differ by no more than this share of the largest finite entry of `scale`."""
    allowed = 4.0 * float(xp.finfo(y.dtype).eps) * xp.abs(y)
    if 0 not in y.shape:
        allowed = allowed + rounding * xp.max(xp.where(xp.isfinite(scale), xp.abs(scale), 0.0))
    same = (x == y) | (xp.isnan(x) & xp.isnan(y))
    return same | (xp.isfinite(y) & (xp.abs(x - y) <= allowed))
