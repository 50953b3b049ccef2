"""Clipping gradients by their norm."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from functools import reduce

from ..backends import Array, Namespace, fused, namespace_of


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
    max_norm = min(max(max_norm, float(limits.smallest_normal)), float(limits.max))
    unit = reduce(xp.maximum, [xp.max(xp.abs(g)) for g in filled])
    unit = xp.maximum(unit, max_norm)  # squares of smaller entries vanish beside max_norm²; never 0
    squares = reduce(operator.add, [xp.sum(_squares(g, unit)) for g in filled])
    scale = _scale(squares, unit, max_norm)
    return {key: g * scale for key, g in grads.items()}


@fused
def _squares(xp: Namespace, g: Array, unit: Array) -> Array:
    part = g / unit
    return part * part


@fused
def _scale(xp: Namespace, squares: Array, unit: Array, max_norm: float) -> Array:
    """min(1, max_norm / ‖g‖), where ‖g‖² is that many squares of the unit."""
    limit = max_norm / unit
    return limit / xp.maximum(xp.sqrt(squares), limit)
