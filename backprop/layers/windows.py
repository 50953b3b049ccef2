"""The windows of a kernel on an image: im2col, col2im, and the slabs that bound their memory.

Images are (C, N, H, W) here, channels first, so that one matrix product serves all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

from ..backends import Array, Backend, add_at, backend_of, device_of, is_registered, namespace_of, set_at

Phase: TypeAlias = tuple[int, int]
"""The row and column of a window in its block."""


@dataclass(frozen=True)
class Windows:
    """Windows of height × width on images, `stride` apart, with `pad` zeros around the image.

    For pooling they come in blocks of rows × columns windows; the windows of one phase have the same place
    in their blocks. Incomplete blocks are left out.
    """

    height: int
    width: int
    stride: int = 1
    pad: int = 0
    rows: int = 1
    columns: int = 1

    @property
    def phases(self) -> list[Phase]:
        """All places in a block."""
        return [(r, q) for r in range(self.rows) for q in range(self.columns)]

    def blocks(self, x: Array) -> tuple[int, int]:
        """How many blocks there are below and beside each other in images (…, H, W)."""
        *_, h, w = x.shape
        below = (h + 2 * self.pad - self.height) // self.stride + 1
        beside = (w + 2 * self.pad - self.width) // self.stride + 1
        return below // self.rows, beside // self.columns

    def numbers_each(self, x: Array) -> int:
        """How many numbers im2col makes from one image."""
        below, beside = self.blocks(x)
        return self.columns * self._high * self.width * int(x.shape[0]) * below * beside

    def im2col(self, x: Array) -> Array:
        """The images as (columns, height of a block, width, C, N, *blocks): `phase` makes matrices of it.

        A copy of one view of the images where the library has such views. Else in two steps, so that most
        of the copying is of whole images: `beside` has an image for every column of pixels in a block, and
        the pixels of one row in all blocks together; then its rows.
        """
        xp, (c, n), (below, across) = namespace_of(x), x.shape[:2], self.blocks(x)
        shape, device = (self.columns, self._high, self.width, c, n, below, across), device_of(x)
        beside_shape, x = self._beside(x), padded(x, self.pad)
        view = self._view(x, shape)
        if view is not None:
            return set_at(xp.empty(shape, dtype=x.dtype, device=device), ..., view)
        beside = xp.empty(beside_shape, dtype=x.dtype, device=device)
        for place, pixels in self._pairs(beside):
            beside = set_at(beside, place, x[pixels])
        col = xp.empty(shape, dtype=x.dtype, device=device)
        for q in range(self.columns):
            for i in range(self._high):
                col = set_at(col, (q, i, ...), beside[self._rows(i, q, below)])
        return col

    def _view(self, x: Array, shape: tuple[int, ...]) -> Array | None:
        """What im2col copies, as a view of padded images (C, N, H, W); None where there is none."""
        if not is_registered(x):
            return None
        down, right = self._step, self.columns * self.stride
        axes = [(3, self.stride), (2, 1), (3, 1), (0, 1), (1, 1), (2, down), (3, right)]
        return backend_of(x).strided_view(x, shape, axes)

    def phase(self, col: Array, r: int, q: int) -> Array:
        """The windows of a phase as the columns of a matrix, (height · width · C, N · blocks): a view."""
        xp, top = namespace_of(col), r * self.stride
        return xp.reshape(col[q, top : top + self.height, ...], (self.height * self.width * col.shape[3], -1))

    def col2im(self, products: Iterable[tuple[Phase, Array]], x: Array) -> Array:
        """Images like x, with every entry of matrices like those of `phase` added where it came from."""
        xp, (c, n, h, w), (below, _), pad = namespace_of(x), x.shape, self.blocks(x), self.pad
        beside = xp.zeros(self._beside(x), dtype=x.dtype, device=device_of(x))
        for (r, q), product in products:
            col = xp.reshape(product, (self.height, self.width, c, n, below, beside.shape[-1]))
            for i in range(self.height):
                beside = add_at(beside, self._rows(r * self.stride + i, q, below), col[i, ...])
        dx = xp.zeros((c, n, h + 2 * pad, w + 2 * pad), dtype=x.dtype, device=device_of(x))
        for place, pixels in self._pairs(beside):
            dx = add_at(dx, pixels, beside[place])
        return dx[:, :, pad : pad + h, pad : pad + w]

    @property
    def _high(self) -> int:
        """How many rows of pixels a block covers."""
        return (self.rows - 1) * self.stride + self.height

    @property
    def _step(self) -> int:
        """How many rows of pixels the next block is below."""
        return self.rows * self.stride

    def _beside(self, x: Array) -> tuple[int, ...]:
        """The shape of `beside`: (row within the step, column in a block, C, N, steps, blocks beside)."""
        below, beside = self.blocks(x)
        wide = (self.columns - 1) * self.stride + self.width
        return min(self._step, self._high), wide, *x.shape[:2], (self._high - 1) // self._step + below, beside

    def _rows(self, i: int, q: int, below: int) -> Any:
        """In `beside`: row i of all blocks, and the columns of their windows (…, q)."""
        start, row = divmod(i, self._step)
        left = q * self.stride
        return row, slice(left, left + self.width), slice(None), slice(None), slice(start, start + below), ...

    def _pairs(self, beside: Array) -> Iterator[tuple[Any, Any]]:
        """Parts of `beside`, and where their pixels are in the padded images."""
        rows, wide, _, _, most, across = beside.shape
        down, right, below = self._step, self.columns * self.stride, most - (self._high - 1) // self._step
        for s in range(rows):
            steps = (self._high - 1 - s) // down + below
            ys = slice(s, s + down * (steps - 1) + 1, down)
            for j in range(wide):
                xs = slice(j, j + right * (across - 1) + 1, right)
                yield (s, j, slice(None), slice(None), slice(0, steps), ...), (..., ys, xs)


def few_calls(x: Array) -> bool:
    """Whether x's library makes few calls rather than many whose arrays stay in a cache."""
    return is_registered(x) and backend_of(x).few_calls


def padded(x: Array, pad: int, value: float = 0.0) -> Array:
    """Images (…, H, W) with `pad` rows and columns of `value` around them."""
    if not pad:
        return x
    xp, (*others, h, w) = namespace_of(x), x.shape
    frame = xp.zeros((*others, h + 2 * pad, w + 2 * pad), dtype=x.dtype, device=device_of(x))
    if value:
        frame += value
    return set_at(frame, (..., slice(pad, pad + h), slice(pad, pad + w)), x)


def slabs(x: Array, numbers_each: int) -> Iterator[slice]:
    """The samples of images (C, N, H, W) in parts; a layer holds `numbers_each` numbers for a sample."""
    n, bytes_each = x.shape[1], numbers_each * namespace_of(x).finfo(x.dtype).bits // 8
    limit = (backend_of(x) if is_registered(x) else Backend).slab_bytes
    parts = max(1, -(-n * bytes_each // max(limit, bytes_each)))
    size = max(1, -(-n // parts))
    return (slice(start, min(start + size, n)) for start in range(0, n or 1, size))
