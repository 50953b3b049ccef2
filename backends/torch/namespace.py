"""The standard's functions with a Python number beside a tensor, which makes no tensor on the host.

array-api-compat makes one of the number and moves it to the device: the host waits, and no CUDA graph can be
captured. Here the device fills it, or takes the number as an argument of its kernel. The results are the
same, bit for bit.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import wraps
from types import SimpleNamespace
from typing import Any, cast

import array_api_compat.torch as compat
import torch
from torch import Tensor

from ..array import Namespace
from . import TorchTensor

NUMBERS = (bool, int, float, complex)

FIRST = "copysign equal greater greater_equal less less_equal not_equal"
"""Functions that PyTorch has for a number as the second argument, but not as the first."""

EITHER = "atan2 hypot logaddexp logical_and logical_or logical_xor maximum minimum nextafter"
"""Functions that PyTorch has for tensors only."""


def filled(number: complex, x: TorchTensor) -> TorchTensor:
    """The number as a 0-d tensor beside x, of the dtype in which the two meet."""
    return _full(number, torch.result_type(x, number), x)


def _full(number: complex, dtype: torch.dtype, x: TorchTensor) -> TorchTensor:
    """The number as a 0-d tensor beside x; PyTorch's own refuses what is too large and becomes infinite."""
    if dtype.is_floating_point and torch.finfo(dtype).max < abs(number) < math.inf:
        return torch.full((), number, dtype=torch.float64, device=x.device).to(dtype)
    return torch.full((), number, dtype=dtype, device=x.device)


def _filling(function: Callable[..., TorchTensor], second: bool) -> Callable[..., TorchTensor]:
    """The function of two arguments, with a number in place of the first or, where asked for, the second."""

    @wraps(function)
    def with_numbers(x1: Any, x2: Any, /, **options: Any) -> TorchTensor:
        if type(x1) is not Tensor and isinstance(x1, NUMBERS):
            x1 = filled(x1, x2)
        elif second and type(x2) is not Tensor and isinstance(x2, NUMBERS):
            x2 = filled(x2, x1)
        return function(x1, x2, **options)

    return with_numbers


_functions = {
    name: _filling(getattr(compat, name), second)
    for names, second in ((FIRST, False), (EITHER, True))
    for name in names.split()
}


def maximum(x1: Any, x2: Any, /) -> TorchTensor:
    """The standard's maximum, in one kernel with a number."""
    if type(x2) is float and x1.is_floating_point():
        return torch.clamp(x1, min=x2) if _clamps(x1, x2) else torch.maximum(x1, _full(x2, x1.dtype, x1))
    return _functions["maximum"](x1, x2)


def minimum(x1: Any, x2: Any, /) -> TorchTensor:
    """The standard's minimum, in one kernel with a number."""
    if type(x2) is float and x1.is_floating_point():
        return torch.clamp(x1, max=x2) if _clamps(x1, x2) else torch.minimum(x1, _full(x2, x1.dtype, x1))
    return _functions["minimum"](x1, x2)


def _clamps(x: TorchTensor, bound: float) -> bool:
    """Whether clamp does the same: a CPU's chooses otherwise between 0.0 and -0.0; NaN is no bound."""
    return not x.is_cpu and (math.isinf(bound) or abs(bound) <= torch.finfo(x.dtype).max)


def clip(x: TorchTensor, /, min: Any = None, max: Any = None, **options: Any) -> TorchTensor:
    """The standard's clip: where only one bound is a tensor, one after the other."""
    given = min is not None and max is not None
    if given and not x.is_cpu and isinstance(min, Tensor) is not isinstance(max, Tensor):
        x, min = compat.clip(x, min), None
    return compat.clip(x, min, max, **options)


xp = cast(
    Namespace,
    SimpleNamespace(**{**vars(compat), **_functions, "maximum": maximum, "minimum": minimum, "clip": clip}),
)
"""The namespace of tensors on every device."""
