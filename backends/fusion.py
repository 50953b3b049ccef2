"""The results of a function that `Backend.fuse` takes: where they go, and which share their memory."""

from __future__ import annotations

from collections.abc import Sequence

from .array import Array


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
