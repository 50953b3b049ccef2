"""Samples in a memory-mapped file, which may be larger than the memory."""

from __future__ import annotations

import mmap
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

from ..backends import HostArray

Step = Callable[[HostArray], HostArray]
"""A conversion of a batch that treats every sample by itself."""


def is_mapped(array: Any) -> bool:
    """Whether a NumPy array, or what it is a view of, is a memory-mapped file."""
    while isinstance(array, np.ndarray):
        array = array.base
    return isinstance(array, mmap.mmap)


def take_samples(array: Any, rows: HostArray) -> Any:
    """These samples of a host array; of a memory-mapped one they are read when they are used."""
    if isinstance(array, Mapped):
        return array.only(rows)
    return Mapped(array, rows) if is_mapped(array) else array[rows]


class Mapped:
    """An array whose samples are read, and converted, only when they are taken.

    Functions of its namespace, such as `astype`, and a product with a number return another `Mapped`. An
    index returns NumPy's array.

    Parameters
    ----------
    array : a memory-mapped array
    rows : which of its samples these are; by default all
    steps : how a batch of them is converted
    """

    def __init__(self, array: HostArray, rows: HostArray | None = None, steps: tuple[Step, ...] = ()) -> None:
        self.base = np.asarray(array)
        if not self.base.dtype.isnative:
            steps = (_astype(self.base.dtype.newbyteorder("=")), *steps)
        self._rows, self._steps = rows, steps
        form = self._converted(self.base[:1])
        self.shape: tuple[int, ...] = (len(self.base if rows is None else rows), *form.shape[1:])
        self.dtype, self.ndim = form.dtype, form.ndim

    def __array_namespace__(self, *, api_version: str | None = None) -> Any:
        return NAMESPACE

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> HostArray:
        return np.array(self[:], dtype=dtype, copy=copy)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> HostArray:
        rows, *others = key if isinstance(key, tuple) else (key,)
        is_one = isinstance(rows, int | np.integer)
        found: HostArray = self._read([rows] if is_one else rows)[0 if is_one else slice(None), *others]
        return found

    def __mul__(self, factor: float) -> Mapped:
        return self.converted(lambda batch: batch * factor)

    def take(
        self, indices: HostArray, axis: int | None = 0, out: HostArray | None = None, mode: Any = "raise"
    ) -> HostArray:
        """NumPy's method, along the samples."""
        if self._rows is None and not self._steps and self.base.flags.carray:
            return self.base.take(indices, 0, out, mode)
        taken = self._read(indices)
        if out is None:
            return taken
        out[...] = taken
        return out

    def only(self, rows: HostArray) -> Mapped:
        """These of the samples."""
        return Mapped(self.base, rows if self._rows is None else self._rows[rows], self._steps)

    def converted(self, step: Step) -> Mapped:
        """The samples with one conversion more."""
        return Mapped(self.base, self._rows, (*self._steps, step))

    def _read(self, rows: Any) -> HostArray:
        return self._converted(self.base[rows if self._rows is None else self._rows[rows]])

    def _converted(self, batch: HostArray) -> HostArray:
        for step in self._steps:
            batch = step(batch)
        return batch


def _astype(dtype: Any) -> Step:
    return lambda batch: batch.astype(dtype, copy=False)


def _mapped_astype(x: Mapped, dtype: Any, /, *, copy: bool = True) -> Mapped:
    return x if x.dtype == dtype else x.converted(_astype(dtype))


def _mapped_reshape(x: Mapped, /, shape: tuple[int, ...]) -> Mapped:
    return x.converted(lambda batch: batch.reshape(len(batch), *shape[1:]))


def _mapped_permute_dims(x: Mapped, /, axes: tuple[int, ...]) -> Mapped:
    return x.converted(lambda batch: batch.transpose(axes))


NAMESPACE = SimpleNamespace(
    astype=_mapped_astype,
    reshape=_mapped_reshape,
    permute_dims=_mapped_permute_dims,
    **{name: getattr(np, name) for name in ("uint8", "int64", "float16", "float32", "float64")},
)
"""What is used of a namespace where data come in."""
