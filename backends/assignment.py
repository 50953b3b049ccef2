"""Item assignment for every library: in place, or where arrays do not change, as a new array.

Use the result in place of the array: `y = set_at(y, part, values)`.
"""

from __future__ import annotations

from typing import Any, cast

from .array import Array, Index, Operand
from .dispatch import namespace_of


def set_at(x: Array, index: Index, value: Operand) -> Array:
    """`x[index] = value`: x itself, or where it cannot change, a new array with the values.

    >>> import numpy as np
    >>> set_at(np.zeros(3), slice(1, 3), 5.0)
    array([0., 5., 5.])
    """
    if _never_changes(x):
        return cast(Array, cast(Any, x).at[index].set(value))
    x[index] = value
    return x


def overwritten(x: Array, value: Operand) -> Array:
    """`x[...] = value`, for a number or an array like x: x itself, or an array like it."""
    if _never_changes(x) and getattr(value, "shape", None) == x.shape:
        return cast(Array, value)
    return set_at(x, ..., value)


def copy_of(x: Array) -> Array:
    """A copy of an array, or x itself where it cannot change."""
    return x if _never_changes(x) else namespace_of(x).asarray(x, copy=True)


def add_at(x: Array, index: Index, value: Operand) -> Array:
    """`x[index] += value` for an index without repeated entries: x itself, or a new array.

    >>> import numpy as np
    >>> add_at(np.ones(3), slice(1, 3), 5.0)
    array([1., 6., 6.])
    """
    if _never_changes(x):
        return cast(Array, cast(Any, x).at[index].add(value))
    x[index] += value
    return x


def _never_changes(x: Array) -> bool:
    """Whether these are arrays as JAX's, which have `x.at[index]` in place of item assignment."""
    return hasattr(type(x), "at")
