"""Elementwise functions as one kernel each."""

from __future__ import annotations

from typing import Any

from ..array import Array
from ..base import Fused


class Fusion:
    """The fused functions of a device, each made once.

    A kernel writes into its arguments and returns nothing. So only a function that changes its arguments
    and returns them becomes one, which its first call tells; others are called as they are.
    """

    def __init__(self, cupy: Any) -> None:
        self._cupy = cupy
        self._fused: dict[Fused, Fused] = {}

    def __call__(self, function: Fused) -> Fused:
        """The function as one kernel, if it can be one."""
        if function not in self._fused:
            self._fused[function] = self._made(function)
        return self._fused[function]

    def _made(self, function: Fused) -> Fused:
        def in_place(*arguments: Any) -> None:
            function(*arguments)

        kernel = self._cupy.fuse(kernel_name=getattr(function, "__name__", "fused"))(in_place)
        changed: int | None = None

        def fused(*arguments: Any) -> tuple[Array, ...]:
            nonlocal changed
            if changed is None:
                changed = self._changed_in_place(function, arguments)
            if not changed:
                return function(*arguments)
            kernel(*arguments)
            return arguments[:changed]

        return fused

    def _changed_in_place(self, function: Fused, arguments: tuple[Any, ...]) -> int:
        """How many of its arguments the function changes and returns; 0 if it returns anything else."""
        ones = [
            self._cupy.ones((1,) * x.ndim, x.dtype) if isinstance(x, self._cupy.ndarray) else x
            for x in arguments
        ]
        results = function(*ones)
        return len(results) if all(a is b for a, b in zip(ones, results, strict=False)) else 0
