"""Where a kernel stands on an image: im2col, col2im and the slabs that bound their memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from numbers import Integral
from typing import Any

from backends import Array, Backend, backend_of, is_registered, namespace_of


@dataclass(frozen=True)
class Windows:
    """All windows of size (height, width) on padded images, `stride` apart, within the image.

    In blocks of (rows, columns) windows: what follows has one axis for the windows (r, q) of a block
    and two for the blocks. Blocks that are not complete are left out. A row or column that no window
    reaches, because the stride steps over the edge, has no influence on the output.
    """

    height: int
    width: int
    stride: int = 1
    pad: int = 0
    rows: int = 1
    columns: int = 1

    def output(self, shape: tuple[int, ...]) -> tuple[int, int]:
        """How many blocks fit below and beside each other on images (…, H, W)."""
        h, w = shape[-2:]
        down, across = (h + 2 * self.pad - self.height), (w + 2 * self.pad - self.width)
        return (down // self.stride + 1) // self.rows, (across // self.stride + 1) // self.columns

    @property
    def phases(self) -> list[tuple[int, int]]:
        """The windows (r, q) of a block."""
        return [(r, q) for r in range(self.rows) for q in range(self.columns)]

    @property
    def reach(self) -> tuple[int, int]:
        """Height and width of what a block of windows covers."""
        return (self.rows - 1) * self.stride + self.height, (self.columns - 1) * self.stride + self.width

    def steps(self, first: int, down: bool, count: int) -> slice:
        """Entry `first` of what each of `count` blocks covers, along the height or the width."""
        step = self.stride * (self.rows if down else self.columns)
        return slice(first, first + step * (count - 1) + 1, step)

    def im2col(self, x: Array) -> Array:
        """The images (C, N, H, W) as (columns, reach, width, C, N, blocks below, blocks beside).

        Two steps, so that most copying is of long rows: columns beside each other, then rows of them.
        """
        xp, (c, n, h, _) = namespace_of(x), x.shape
        (oh, ow), (high, wide) = self.output(x.shape), self.reach
        x = padded(x, self.pad)
        beside = xp.empty((wide, c, n, h + 2 * self.pad, ow), dtype=x.dtype, device=x.device)
        for j in range(wide):
            beside[j, ...] = x[..., self.steps(j, False, ow)]
        col = xp.empty((self.columns, high, self.width, c, n, oh, ow), dtype=x.dtype, device=x.device)
        for q in range(self.columns):
            part = beside[q * self.stride : q * self.stride + self.width, ...]
            for i in range(high):
                col[q, i, ...] = part[..., self.steps(i, True, oh), :]
        return col

    def col2im(self, col: Array, shape: tuple[int, ...]) -> Array:
        """The transpose of im2col: every entry added to the one of the images (C, N, H, W) it came from."""
        xp, (c, n, h, w) = namespace_of(col), shape
        (oh, ow), (high, wide), pad = self.output(shape), self.reach, self.pad
        beside = xp.zeros((wide, c, n, h + 2 * pad, ow), dtype=col.dtype, device=col.device)
        for q in range(self.columns):
            part = slice(q * self.stride, q * self.stride + self.width)
            for i in range(high):
                beside[part, :, :, self.steps(i, True, oh), :] += col[q, i, ...]
        x = xp.zeros((c, n, h + 2 * pad, w + 2 * pad), dtype=col.dtype, device=col.device)
        for j in range(wide):
            x[..., self.steps(j, False, ow)] += beside[j, ...]
        return x[:, :, pad : pad + h, pad : pad + w]

    def of_phase(self, col: Array, r: int, q: int) -> Array:
        """The windows (r, q) of all blocks, a column each: (height · width · C, blocks), a view."""
        rows = col[q, r * self.stride : r * self.stride + self.height, ...]
        return namespace_of(col).reshape(rows, (self.height * self.width * col.shape[3], -1))

    def add_phase(self, col: Array, values: Array, r: int, q: int) -> None:
        """Add a matrix like that of `of_phase` to its place."""
        rows = slice(r * self.stride, r * self.stride + self.height)
        col[q, rows, ...] += namespace_of(col).reshape(values, (self.height, *col.shape[2:]))


def padded(x: Array, pad: int, value: float = 0.0) -> Array:
    """Images (…, H, W) with `pad` rows and columns of `value` around them."""
    if not pad:
        return x
    xp, (h, w) = namespace_of(x), x.shape[-2:]
    frame = xp.zeros((*x.shape[:-2], h + 2 * pad, w + 2 * pad), dtype=x.dtype, device=x.device)
    if value:
        frame += value
    frame[..., pad : pad + h, pad : pad + w] = x
    return frame


def slabs(x: Array, numbers_each: int) -> Iterator[slice]:
    """The samples of a batch of images (C, N, H, W) in parts, for each of which so many numbers are held."""
    n, bytes_each = x.shape[1], numbers_each * namespace_of(x).finfo(x.dtype).bits // 8
    limit = backend_of(x).slab_bytes if is_registered(x) else Backend.slab_bytes
    parts = max(1, -(-n * bytes_each // max(limit, bytes_each)))
    size = -(-n // parts)
    return (slice(start, min(start + size, n)) for start in range(0, n, size or 1))


def check_whole(name: str, least: int, **values: Any) -> None:
    """Raise unless the values are whole numbers of at least `least`."""
    for what, value in values.items():
        if not isinstance(value, Integral) or value < least:
            raise ValueError(
                f"{name}: expected {what} to be a whole number of at least {least}, got {value!r}"
            )
