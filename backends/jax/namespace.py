"""jax.numpy as the layers see it: the array API standard, which never falls back to fewer bits unasked.

JAX has float64 and int64 only within `jax.enable_x64(True)`; outside, jax.numpy makes float32 of float64.
"""

from __future__ import annotations

from functools import wraps
from typing import Any

from ..array import DType, dtype_name

SCOPE = "within `with jax.enable_x64(True):`, or with JAX_ENABLE_X64=1 in the environment"

NO_FLOAT64 = f"JAX has float64 only {SCOPE}; else use float32"

WIDE = frozenset({"float64", "complex128"})

NARROWED = {"int64": "int32", "uint64": "uint32"}
"""Integers of 64 bits, and what stands for them where JAX has none."""

CREATING = (
    "asarray", "astype", "arange", "empty", "empty_like", "eye", "full", "full_like", "linspace", "ones",
    "ones_like", "zeros", "zeros_like", "sum", "prod", "cumulative_sum", "cumulative_prod",
)  # fmt: skip
"""The functions of the standard that take a dtype."""


class JaxNamespace:
    """jax.numpy, where `dtype=float64` is refused and int64 is JAX's widest integer."""

    def __init__(self, jax: Any) -> None:
        self._jax = jax
        for name in CREATING:
            setattr(self, name, self._checked(getattr(jax.numpy, name)))

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._jax.numpy, self.integer(name) if name in NARROWED else name)
        if name not in NARROWED:
            setattr(self, name, found)
        return found

    @property
    def is_wide(self) -> bool:
        """Whether JAX has float64 here and now."""
        return bool(self._jax.config.jax_enable_x64)

    def integer(self, name: str) -> str:
        """The name of the integer dtype that stands for this one here and now."""
        return name if self.is_wide else NARROWED.get(name, name)

    def check(self, dtype: DType) -> None:
        """Raise `TypeError` for a dtype that JAX would silently make narrower."""
        if dtype_name(dtype) in WIDE and not self.is_wide:
            raise TypeError(NO_FLOAT64)

    def _checked(self, function: Any) -> Any:
        @wraps(function)
        def checked(*args: Any, **options: Any) -> Any:
            for value in (*args[1:], options.get("dtype")):
                if isinstance(value, type | str) or hasattr(value, "itemsize"):
                    self.check(value)
            return function(*args, **options)

        return checked
