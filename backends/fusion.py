"""Functions that a library may compute in one pass over their arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any, TypeAlias, TypeVar, cast

from .array import Array
from .dispatch import namespace_of

Result = TypeVar("Result")

Fuse: TypeAlias = Callable[[Callable[..., Any], Mapping[str, Any]], Callable[..., Any]]
"""What makes a function of arrays out of one that is given a namespace first, and its options."""

fuses: dict[type, Fuse] = {}
"""By the class of arrays, where its library computes a function in one pass."""


def fused(function: Callable[..., Result]) -> Callable[..., Result]:
    """A function of (namespace, array, …) as one of (array, …), in one pass where the library can.

    The function is called as it is, with the namespace of its first array, or turned into one kernel. It
    takes arrays and numbers, which broadcast to one shape, then options by keyword; for each of these, of
    the dtypes and of the numbers of axes there is a kernel of its own. It depends on nothing else: the
    kernel would go on with what a global or a closure held when it was made. It computes with the
    standard's elementwise functions and operators, and returns an array or a tuple of arrays. They have
    that one shape; or the last thing that it computes is a sum, a maximum or a count, without keepdims. It
    may change an array of that shape in place, and return it.

    >>> import numpy as np
    >>> @fused
    ... def softplus(xp, x):
    ...     return xp.log1p(xp.exp(x))
    >>> softplus(np.asarray([0.0])).round(4)
    array([0.6931])
    """

    @wraps(function)
    def call(x: Array, *others: Any, **options: Any) -> Result:
        fuse = fuses.get(type(x))
        if fuse is None:
            return function(namespace_of(x), x, *others, **options)
        return cast(Result, fuse(function, options)(x, *others))

    return call


def write_back(arguments: Sequence[Array], results: Sequence[Array]) -> None:
    """Write each result into the argument in its position, unless it is that argument."""
    if all(a is b for a, b in zip(arguments, results, strict=False)):
        return
    for place, result in zip(arguments, without_aliases(arguments, results), strict=False):
        if result is not place:
            place[...] = result


def without_aliases(arguments: Sequence[Array], results: Sequence[Array]) -> list[Array]:
    """The results, with a copy of each that is an argument in another position, since that is overwritten."""
    return [
        result * 1.0 if any(result is x for j, x in enumerate(arguments) if j != i) else result
        for i, result in enumerate(results)
    ]
