"""`ArraySpec`: an array without its numbers."""

from __future__ import annotations

from typing import Any, NamedTuple

from ..backends import Array, namespace_of


class ArraySpec(NamedTuple):
    """The kind, namespace, shape, dtype and device of an array.

    A layer saves it in place of an output whose numbers `backward` does not need.
    """

    kind: type
    xp: Any
    shape: tuple[int, ...]
    dtype: Any
    device: Any

    @classmethod
    def of(cls, x: Array) -> ArraySpec:
        """The spec of an array."""
        return cls(type(x), namespace_of(x), x.shape, x.dtype, getattr(x, "device", None))
