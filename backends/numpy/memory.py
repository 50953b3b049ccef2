"""The memory of a recorded step, which its replays use again."""

from __future__ import annotations

import numpy as np

from ..array import DType, HostArray

ALIGNMENT = 64  # bytes: a cache line


class Block:
    """Memory that is free for others when the last array in it is gone."""

    def __init__(self, free: dict[int, list[HostArray]], size: int) -> None:
        self._free = free.setdefault(size, [])
        self.bytes = self._free.pop() if self._free else _aligned(size)

    def __del__(self) -> None:
        self._free.append(self.bytes)


class Memory:
    """Blocks by size, each of which begins a cache line and is used again when it is free."""

    def __init__(self) -> None:
        self._free: dict[int, list[HostArray]] = {}

    def like(self, array: HostArray) -> tuple[HostArray, Block]:
        """An array laid out like this one, and the block that it lies in."""
        block = Block(self._free, max(array.nbytes, 1))
        return np.ndarray(array.shape, array.dtype, block.bytes, strides=array.strides), block

    def scratch(self, shape: tuple[int, ...], dtype: DType) -> HostArray:
        """An array for the intermediate result of one call, whose block is free for the next call."""
        return self.like(np.empty(shape, dtype))[0]


def base_of(array: HostArray) -> HostArray:
    """The array whose memory this one is a view of."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def is_one_piece(array: HostArray) -> bool:
    """Whether the array fills its memory without gaps, in a positive direction."""
    low, high = np.lib.array_utils.byte_bounds(array)
    return not array.size or (high - low == array.nbytes and min(array.strides, default=0) >= 0)


def _aligned(size: int) -> HostArray:
    """New memory that begins a cache line."""
    memory = np.empty(size + ALIGNMENT, np.uint8)
    start = -int(memory.__array_interface__["data"][0]) % ALIGNMENT
    return memory[start : start + size]
