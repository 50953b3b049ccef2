"""Pooling: every window of an image becomes one number."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any

import numpy as np

from ..backends import Array, Namespace, add_at, device_of, fused, namespace_of, set_at
from ..dtypes import copied, narrowed, widened
from .checks import check_dout, check_float, check_whole
from .layer import Layer
from .spec import ArraySpec
from .windows import padded


class _Pooling(Layer):
    """Windows of pool_h × pool_w, `stride` apart, in padded images."""

    def __init__(
        self, pool_h: int, pool_w: int | None = None, stride: int | None = None, pad: int = 0
    ) -> None:
        super().__init__()
        pool_w = pool_h if pool_w is None else pool_w
        check_whole(self.name, 1, pool_h=pool_h, pool_w=pool_w, stride=1 if stride is None else stride)
        check_whole(self.name, 0, pad=pad)
        self.pool_h, self.pool_w, self.pad = int(pool_h), int(pool_w), int(pad)
        self.stride = None if stride is None else int(stride)
        self.stride_h, self.stride_w = (self.pool_h, self.pool_w) if stride is None else (int(stride),) * 2
        if 2 * pad > min(pool_h, pool_w):
            raise ValueError(
                f"{self.name}: expected pad of at most half the window {pool_h}×{pool_w}, got {pad}"
            )

    def images(self, x: Array, around: float = 0.0) -> Array:
        """The images (C, N, H, W), padded with `around`; raises unless a window fits."""
        xp, pad = check_float(self.name, x), self.pad
        if x.ndim != 4:
            raise ValueError(f"{self.name}: expected input (N, C, H, W), got {tuple(x.shape)}")
        if x.shape[2] + 2 * pad < self.pool_h or x.shape[3] + 2 * pad < self.pool_w:
            raise ValueError(
                f"{self.name}: a window {self.pool_h}×{self.pool_w} is larger than the image "
                f"{x.shape[2]}×{x.shape[3]} with pad {pad}"
            )
        if 0 in x.shape[1:]:
            raise ValueError(f"{self.name}: expected images with pixels, got input {tuple(x.shape)}")
        return padded(xp.permute_dims(x, (1, 0, 2, 3)), pad, around)

    def entries(self, images: Array | ArraySpec) -> list[Any]:
        """For every entry of a window, its index in padded images, for all windows at once."""
        across, down = self.stride_w, self.stride_h
        below = (images.shape[2] - self.pool_h) // down * down + 1
        beside = (images.shape[3] - self.pool_w) // across * across + 1
        return [
            (..., slice(i, i + below, down), slice(j, j + beside, across))
            for i in range(self.pool_h)
            for j in range(self.pool_w)
        ]

    def spread(self, parts: Sequence[Array], entries: list[Any], images: ArraySpec) -> Array:
        """The gradient (N, C, H, W) of the input from those of the entries of all windows."""
        xp, pad, (_, _, h, w) = images.xp, self.pad, images.shape
        apart = self.stride_h >= self.pool_h and self.stride_w >= self.pool_w
        tiled = (self.stride_h, self.stride_w) == (self.pool_h, self.pool_w)
        covered = tiled and h % self.pool_h == w % self.pool_w == 0
        make = xp.empty if covered else xp.zeros
        dx = make(images.shape, dtype=images.dtype, device=device_of(images))
        for part, index in zip(parts, entries, strict=True):
            dx = set_at(dx, index, part) if apart else add_at(dx, index, part)
        return xp.permute_dims(dx[:, :, pad : h - pad, pad : w - pad], (1, 0, 2, 3))


class MaxPooling(_Pooling):
    """y = the largest entry of every window; dx = dout at the first of the largest, else 0.

    A NaN counts as the largest, as in PyTorch.

    Parameters
    ----------
    pool_h, pool_w : height and width of a window; pool_w is pool_h by default
    stride : from one window to the next, down and across; by default windows lie side by side
    pad : rows and columns around the image, at most half a window; they count as −∞

    `forward` takes floating-point x of shape (N, C, H, W) and returns (N, C, OH, OW), where
    OH = ⌊(H + 2 pad − pool_h) / stride⌋ + 1: pixels at the edge that no window reaches are
    ignored. A wrong shape is a `ValueError`, integers are a `TypeError`.

    Source: *Deep Learning from Scratch*, sections 7.3 and 7.4.4, where it is `Pooling`, with a stride
    of 1 by default.

    >>> import numpy as np
    >>> pooling = MaxPooling(2)
    >>> pooling.forward(np.asarray([[[[1.0, 2.0, 5.0, 5.0], [4.0, 3.0, 5.0, 0.0]]]]), training=True)
    array([[[[4., 5.]]]])
    >>> pooling.backward(np.asarray([[[[10.0, 20.0]]]]))
    array([[[[ 0.,  0., 20.,  0.],
             [10.,  0.,  0.,  0.]]]])
    """

    def forward(self, x: Array, *, training: bool = False) -> Array:
        xp, images = namespace_of(x), self.images(x, -float("inf"))
        entries = [images[index] for index in self.entries(images)]  # (C, N, OH, OW) each
        y, *larger = _largest(*entries) if training else (reduce(xp.maximum, entries),)
        if self.pad:  # the first pixel wins also if it is −∞, as what is around the image
            larger = [
                set_at(won, (..., *self._first_inside(number, y.shape)), True)
                for number, won in enumerate(larger, 1)
            ]
        y = xp.permute_dims(y if entries[1:] else copied(y), (1, 0, 2, 3))  # (N, C, OH, OW)
        self.saved = (ArraySpec.of(images), larger, ArraySpec.of(y)) if training else None
        return y

    def backward(self, dout: Array) -> Array:
        images, larger, form = self.saved
        check_dout(self.name, dout, form)
        parts = _parts(form.xp.permute_dims(dout, (1, 0, 2, 3)), *larger)  # (C, N, OH, OW) each
        return self.spread(parts, self.entries(images), images)

    def _first_inside(self, number: int, windows: tuple[int, ...]) -> tuple[slice, slice]:
        """The windows in which this entry is the first that is not padding, down and across."""
        i, j = divmod(number, self.pool_w)
        down, across = ((i, self.stride_h, windows[2]), (j, self.stride_w, windows[3]))
        return _starting(*down, self.pad), _starting(*across, self.pad)

    def region(self, x: Array) -> Array:
        """The number of the largest entry in every window."""
        xp, images = namespace_of(x), self.images(x, -float("inf"))
        windows = xp.stack([images[index] for index in self.entries(images)], axis=-1)
        return xp.permute_dims(xp.argmax(windows, axis=-1), (1, 0, 2, 3))

    @classmethod
    def case(cls, rng: np.random.Generator) -> tuple[MaxPooling, np.ndarray]:
        return cls(2), distinct(rng, 2, 3, 4, 6)


Pooling = MaxPooling


@fused
def _largest(xp: Namespace, first: Array, *others: Array) -> tuple[Array, ...]:
    """The largest of the entries, and for each but the first whether it is larger than all before it."""
    largest, larger = first, []
    for entry in others:
        larger.append((entry > largest) | (entry != entry))  # not where equal: the first stays
        largest = xp.maximum(largest, entry)
    return largest, *larger


@fused
def _parts(xp: Namespace, dout: Array, *larger: Array) -> tuple[Array, ...]:
    """The part of each entry in the gradient of the largest."""
    parts, rest = [], dout  # rest: what belongs to an earlier entry
    for won in reversed(larger):
        parts.append(rest * xp.astype(won, rest.dtype))
        rest = rest - parts[-1]
    return rest, *reversed(parts)


class AveragePooling(_Pooling):
    """y = the mean of every window; dx = dout / (pool_h · pool_w) at each of its entries.

    Padding counts as zeros, which are entries like others (PyTorch's `count_include_pad`).
    Parameters, shapes and errors are those of `MaxPooling`.

    Source: *Deep Learning from Scratch*, section 7.3.

    >>> import numpy as np
    >>> pooling = AveragePooling(1, 2)
    >>> pooling.forward(np.asarray([[[[1.0, 2.0, 5.0, 7.0]]]]), training=True)
    array([[[[1.5, 6. ]]]])
    >>> pooling.backward(np.asarray([[[[10.0, 20.0]]]]))
    array([[[[ 5.,  5., 10., 10.]]]])
    """

    def forward(self, x: Array, *, training: bool = False) -> Array:
        images = self.images(x)
        first, *others = self.entries(images)
        wide = widened(images)
        y = wide[first] * (1.0 / (self.pool_h * self.pool_w))
        for index in others:
            y += wide[index] * (1.0 / (self.pool_h * self.pool_w))
        y = namespace_of(x).permute_dims(narrowed(y, x.dtype), (1, 0, 2, 3))  # (N, C, OH, OW)
        self.saved = (ArraySpec.of(images), ArraySpec.of(y)) if training else None
        return y

    def backward(self, dout: Array) -> Array:
        images, form = self.saved
        check_dout(self.name, dout, form)
        part = form.xp.permute_dims(dout, (1, 0, 2, 3)) * (1.0 / (self.pool_h * self.pool_w))
        entries = self.entries(images)
        return self.spread([part] * len(entries), entries, images)

    @classmethod
    def case(cls, rng: np.random.Generator) -> tuple[AveragePooling, np.ndarray]:
        return cls(2), rng.standard_normal((2, 3, 4, 6))


def _starting(entry: int, step: int, windows: int, pad: int) -> slice:
    """Along one axis, the windows that begin in the padding and have `entry` as their first pixel.

    For the entry 0, those that begin in the image.
    """
    if entry == 0:
        return slice(min(-(-pad // step), windows), windows)
    first, over = divmod(pad - entry, step)
    return slice(first, min(first + 1, windows)) if 0 <= first < windows and not over else slice(0, 0)


def distinct(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Images without ties: no two of the numbers are close to each other."""
    size = int(np.prod(shape))
    return rng.permutation(np.linspace(-1.0, 1.0, size)).reshape(shape)
