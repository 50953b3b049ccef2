"""The layout of samples: flat, or images with channels first."""

from __future__ import annotations

import math

from ..backends import Array, namespace_of
from .messages import warn


def laid_out(x: Array, sample: tuple[int, ...] | None) -> Array:
    """x with samples of this shape, where the layout is certain: flat, or images with channels last.

    Raises `ValueError` for as many numbers in another order.
    """
    own = tuple(map(int, x.shape[1:]))
    if sample is None or own == sample or math.prod(own) != math.prod(sample):
        return x
    xp = namespace_of(x)
    if len(own) == 1 or len(sample) == 1 or _without_ones(own) == _without_ones(sample):
        return xp.reshape(x, (x.shape[0], *sample))
    if len(own) == len(sample) == 3 and own == (*sample[1:], sample[0]):
        warn(f"images {own} have their channels last: they are taken as {sample}")
        return xp.permute_dims(x, (0, 3, 1, 2))
    raise ValueError(
        f"expected samples of shape {sample}, as the network has learned from, got {own}: as many numbers, "
        "in another order"
    )


def _without_ones(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(n for n in shape if n != 1)
