"""What losses ask of the output, the target and dout; `name` begins every error message."""

from __future__ import annotations

from numbers import Real
from typing import Any

from ..backends import Array, namespace_of, on_one_device
from ..layers.checks import check_float, check_like
from ..layers.spec import ArraySpec


def check_batch(name: str, x: Array) -> Any:
    """Raise unless `x` is a floating-point array with samples and numbers in them; return its namespace."""
    xp = check_float(name, x)
    if x.ndim == 0 or 0 in x.shape:
        raise ValueError(f"{name}: expected at least one sample, got input {tuple(x.shape)}")
    return xp


def check_same_place(name: str, x: Array, t: Array) -> None:
    """Raise unless `x` and `t` have one library and one device."""
    if namespace_of(t) is not namespace_of(x):
        raise TypeError(f"{name}: x and t are arrays of two libraries; bring both to one backend")
    if not on_one_device(t, x):
        raise ValueError(f"{name}: x and t are on two devices, {x.device} and {t.device}; bring both to one")


def check_target_shape(name: str, t: Array, expected: tuple[int, ...]) -> None:
    """Raise unless `t` has this shape."""
    if tuple(t.shape) != expected:
        raise ValueError(f"{name}: expected t {expected}, got {tuple(t.shape)}")


def dout_share(name: str, dout: Any, x: Array | ArraySpec, count: int) -> Any:
    """Dout / count, without promoting x: a NumPy number of another dtype counts as a Python number."""
    if not hasattr(dout, "dtype") or _is_other_number(dout, x):
        return float(dout) / count
    if dout.shape != ():
        raise ValueError(f"{name}: expected a scalar dout, got shape {tuple(dout.shape)}")
    check_like(name, dout, x, "dout and input")
    return dout / count


def _is_other_number(dout: Any, x: Array | ArraySpec) -> bool:
    """Whether dout is a number of NumPy's that does not have x's library and dtype."""
    xp = x.xp if isinstance(x, ArraySpec) else namespace_of(x)
    own = namespace_of(dout) is xp and bool(dout.dtype == x.dtype)
    return not own and isinstance(dout, Real)
