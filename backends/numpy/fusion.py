"""Elementwise functions on long vectors, block by block."""

from __future__ import annotations

from functools import cache
from typing import Any

from ..array import Array
from ..base import Fused
from ..fusion import write_back

BLOCK = 2**15
"""Entries of a block: with temporaries they stay in the cache."""


@cache
def blockwise(function: Fused) -> Fused:
    """The function, which takes long vectors block by block."""

    def blocked(first: Array, *others: Any) -> tuple[Array, ...]:
        if first.ndim != 1 or first.shape[0] <= BLOCK:
            return function(first, *others)
        for start in range(0, first.shape[0], BLOCK):
            part = slice(start, start + BLOCK)
            blocks = [x[part] if getattr(x, "ndim", 0) else x for x in (first, *others)]
            changed = function(*blocks)
            write_back(blocks, changed)
        return (first, *others)[: len(changed)]

    return blocked
