"""Clipping gradients by their norm."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from typing import Any

from ..backends import Array, namespace_of


def clip_by_norm(grads: Mapping[str, Array], max_norm: float) -> Mapping[str, Array]:
    """Return g · min(1, max_norm / ‖g‖), with ‖g‖ over all gradients.

    The norm is taken in units of the largest entry, whose squares do not overflow.

    >>> import numpy as np
    >>> clip_by_norm({"W": np.asarray([3.0]), "b": np.asarray([4.0])}, max_norm=1.0)["W"].round(3)
    array([0.6])
    """
    filled = [g for g in grads.values() if 0 not in g.shape]
    if not filled:
        return grads
    xp = namespace_of(filled[0])
    limits = xp.finfo(filled[0].dtype)
    squares: Any = 0.0
    max_norm = min(max(max_norm, float(limits.smallest_normal)), float(limits.max))
    unit = reduce(xp.maximum, [xp.max(xp.abs(g)) for g in filled])
    unit = xp.maximum(unit, max_norm)  # squares of smaller entries vanish beside max_norm²; never 0
    for g in filled:
        part = g / unit
        squares = squares + xp.sum(part * part)
    limit = max_norm / unit
    scale = limit / xp.maximum(xp.sqrt(squares), limit)
    return {key: g * scale for key, g in grads.items()}
