"""One array of a subject, as the variable of the function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..numerical import writable
from .subject import Slot, Subject


class Variable:
    """Evaluates a subject as a function of one of its arrays."""

    def __init__(self, subject: Subject, slot: Slot) -> None:
        self.slot, self._subject = slot, subject
        self.values = np.array(subject.library.to_numpy(subject.get(slot)), dtype=np.float64)
        self._in_place = writable(subject.get(slot))
        self._shape: tuple[int, ...] | None = None

    def whole(self, values: np.ndarray) -> np.ndarray:
        """The terms with `values` in the array's place."""
        try:
            self._put(values)
            return self._terms()
        finally:
            self._put(self.values)

    def entry(self, i: int, value: float) -> np.ndarray:
        """The terms with the entry of flat index i changed."""
        terms: np.ndarray = self._with_entry(i, value, self._terms)
        return terms

    def _terms(self) -> np.ndarray:
        """The terms; NaN if the function raises away from its given inputs, as a logarithm does below 0."""
        try:
            terms = self._subject.terms(self.slot)
        except (ArithmeticError, ValueError):
            if self._shape is None:
                raise
            return np.full(self._shape, np.nan)
        self._shape = terms.shape
        return terms

    def regions(self, i: int, value: float) -> list[np.ndarray]:
        """The regions with the entry of flat index i changed."""
        regions: list[np.ndarray] = self._with_entry(i, value, self._subject.regions)
        return regions

    def _with_entry(self, i: int, value: float, compute: Callable[[], Any]) -> Any:
        index = tuple(int(j) for j in np.unravel_index(i, self.values.shape))
        try:
            self._write(index, value)
            return compute()
        finally:
            self._write(index, float(self.values[index]))

    def _write(self, index: tuple[int, ...], value: float) -> None:
        if self._in_place:
            self._subject.get(self.slot)[index] = value
        else:
            changed = self.values.copy()
            changed[index] = value
            self._put(changed)

    def _put(self, values: np.ndarray) -> None:
        self._subject.set(self.slot, self._subject.library.asarray(values.copy(), dtype="float64"))
