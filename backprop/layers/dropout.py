"""Dropout, with masks that are the same on every backend."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Self

import numpy as np

from ..backends import Array, Namespace, backend_of, device_of, dtype_name, fused, namespace_of
from ..dtypes import copied, is_whole
from .checks import check_dout, check_float
from .layer import Layer
from .shared_batch import SharedBatch, UndividedBatch

LOW = 2**32 - 1
"""The lower 32 bits: numbers of 32 bits in int64, whose products by less than 2³¹ cannot overflow."""


class Dropout(Layer):
    """In training y = x · mask / (1 − ratio), in inference y = x; dx = dout · mask / (1 − ratio).

    The mask is 0 with probability `ratio`, else 1. It is a hash of the seed, the number of masks drawn
    before, and the position of the entry: computed on the device, the same on every backend, and the same
    after a restart, since the count is the layer's state (`state["drawn"]`).

    Parameters
    ----------
    ratio : the share that is dropped, from 0 to below 1
    seed : a whole number from 0; by default one drawn from the operating system
    inverted : if false, as in the book: y = x · mask in training and y = x · (1 − ratio) in inference

    x: floating point, any shape; y and dx: the same.

    Source: *Deep Learning from Scratch*, section 6.4.3; Srivastava and others (2014).

    >>> import numpy as np
    >>> dropout = Dropout(0.25, seed=1)
    >>> y = dropout.forward(np.ones((1000, 3)), training=True)
    >>> (y == 0).mean().round(2), y.max().round(3), dropout.forward(np.ones(2))
    (np.float64(0.24), np.float64(1.333), array([1., 1.]))
    """

    def __init__(self, ratio: float = 0.5, seed: int | None = None, *, inverted: bool = True) -> None:
        super().__init__()
        if not 0.0 <= ratio < 1.0:
            raise ValueError(f"Dropout: expected a ratio from 0 to below 1, got {ratio}")
        if seed is None:
            seed = int(np.random.default_rng().integers(2**31))
        if not is_whole(seed) or seed < 0:
            raise ValueError(f"Dropout: expected a seed, a whole number from 0, got {seed!r}")
        self.ratio, self.seed, self.inverted = float(ratio), int(seed), inverted
        self.state["drawn"] = np.zeros((), np.int64)

    def forward(self, x: Array, *, training: bool = False) -> Array:
        check_float(self.name, x)
        if training:
            (y,) = self.forward_parts([self], [x], UndividedBatch(x.shape[0] if x.ndim else 1))
            return y
        self.saved = None
        return copied(x) if self.inverted else x * (1.0 - self.ratio)

    def forward_parts(self, parts: Sequence[Self], xs: Sequence[Array], batch: SharedBatch) -> list[Array]:
        check_float(self.name, xs[0])
        self.move_state_to(xs[0])
        self.state["drawn"] += 1
        drawn, xp, ys = self.state["drawn"], namespace_of(xs[0]), []
        with backend_of(xs[0]).float64():  # and int64
            if drawn.dtype != xp.int64:
                drawn = xp.astype(drawn, xp.int64)
            for part, x, start in zip(parts, xs, batch.starts, strict=True):
                places = self._hash_of_places(x, start)
                y, part.saved = _dropped(x, places, drawn, ratio=self.ratio, inverted=self.inverted)
                ys.append(y)
        return ys

    def backward(self, dout: Array) -> Array:
        check_dout(self.name, dout, self.saved)
        return dout * self.saved

    def _hash_of_places(self, x: Array, start: int) -> Array:
        """A hash of the seed and the position, 32 bits for every entry of x, made once for each shape.

        `start` is the place in the batch of the first sample of x.
        """
        key = tuple(x.shape), start, x.dtype.__class__, dtype_name(x.dtype), str(device_of(x))
        if key not in self.constants:
            xp, first = namespace_of(x), start * math.prod(x.shape[1:])
            with backend_of(x).made_now():
                places = xp.arange(first, first + math.prod(x.shape), dtype=xp.int64, device=device_of(x))
                self.constants[key] = xp.reshape(_mixed(_mixed(places) ^ _hash_of_seed(self.seed)), x.shape)
        return self.constants[key]

    @classmethod
    def case(cls, rng: np.random.Generator) -> tuple[Dropout, np.ndarray]:
        return cls(0.4, seed=int(rng.integers(100))), rng.standard_normal((3, 4))


@fused
def _dropped(
    xp: Namespace, x: Array, places: Array, drawn: Array, *, ratio: float, inverted: bool
) -> tuple[Array, Array]:
    """x · mask and the mask, in which the hash of the place and of the number of masks is below the ratio."""
    h = places ^ _mixed(drawn)
    kept = (_mixed(h) >= math.ceil(ratio * 2**32)) if ratio else h >= 0
    mask = xp.astype(kept, x.dtype)
    scale = 1.0 / (1.0 - ratio) if inverted else 1.0
    if scale != 1.0:
        mask = mask * scale
    return x * mask, mask


def _hash_of_seed(seed: int) -> int:
    """A hash of 32 bits of a whole number of any size; those of neighbours are unrelated."""
    return int(np.random.SeedSequence(seed).generate_state(1)[0])


def _mixed(h: Array) -> Array:
    """A multiplicative hash of 32-bit numbers, with the high bits folded into the low ones."""
    h = (h * 0x45D9F3B5) & LOW
    h = h ^ (h >> 15)
    h = (h * 0x2C1B3C6D) & LOW
    return h ^ (h >> 13)
