"""Statistics of an array's entries."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .backends import HostArray


@dataclass(frozen=True)
class Statistics:
    """Mean, standard deviation, extremes and norm of an array's finite entries, computed in float64.

    If no entry is finite, they are NaN, and the norm is 0.
    """

    shape: tuple[int, ...]
    mean: float
    std: float
    """The standard deviation: the root of the mean square of the distances from the mean."""
    smallest: float
    largest: float
    zeros: float
    """The share of all entries that are 0; NaN without entries."""
    norm: float
    """The root of the sum of squares."""
    nonfinite: int
    """How many entries are NaN or infinite."""

    @classmethod
    def of(cls, values: HostArray) -> Statistics:
        """The statistics of an array of real numbers.

        >>> Statistics.of(np.asarray([0.0, 4.0, np.inf]))  # doctest: +NORMALIZE_WHITESPACE, +ELLIPSIS
        Statistics(shape=(3,), mean=2.0, std=2.0, smallest=0.0, largest=4.0, zeros=0.333...,
                   norm=4.0, nonfinite=1)
        """
        shape, wide = tuple(values.shape), np.asarray(values, np.float64)
        is_finite = np.isfinite(wide)
        nonfinite = int(is_finite.size - np.count_nonzero(is_finite))
        finite = wide[is_finite] if nonfinite else wide
        zeros = float((wide == 0.0).mean()) if wide.size else math.nan
        if not finite.size:
            nan = math.nan
            return cls(shape, nan, nan, nan, nan, zeros, 0.0, nonfinite)
        smallest, largest = float(finite.min()), float(finite.max())
        unit = _unit(max(-smallest, largest))
        scaled = finite / unit  # no square of it overflows
        return cls(
            shape,
            mean=float(scaled.mean()) * unit,
            std=float(scaled.std()) * unit,
            smallest=smallest,
            largest=largest,
            zeros=zeros,
            norm=float(np.linalg.norm(scaled)) * unit,
            nonfinite=nonfinite,
        )

    @property
    def size(self) -> int:
        """The number of entries."""
        return math.prod(self.shape)


def _unit(size: float) -> float:
    """The largest power of two up to `size`: dividing by it changes no digit. 1 for 0."""
    return 2.0 ** (math.frexp(size)[1] - 1) if size else 1.0
