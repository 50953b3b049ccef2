"""A group of entries of an array: those that differ from one of them along some axes only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..backends import HostArray
from .formula import Entry


@dataclass(frozen=True)
class Group:
    """The entries of an array of this shape that differ from `index` along `axes` only.

    >>> group = Group((2, 3), (0,), (1, 2))
    >>> group.of(np.arange(6).reshape(2, 3)), group.place(0)
    (array([2., 5.]), (0, 2))
    """

    shape: tuple[int, ...]
    axes: tuple[int, ...]
    """In ascending order."""
    index: Entry

    def of(self, array: HostArray) -> HostArray:
        """The values of the group in float64, (n,)."""
        where = tuple(slice(None) if axis in self.axes else i for axis, i in enumerate(self.index))
        return np.asarray(array[where], np.float64).ravel()

    def place(self, j: int) -> Entry:
        """The index of the entry j of the group."""
        along = iter(np.unravel_index(j, tuple(self.shape[axis] for axis in self.axes)))
        return tuple(int(next(along)) if axis in self.axes else i for axis, i in enumerate(self.index))
