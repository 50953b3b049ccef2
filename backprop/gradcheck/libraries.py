"""Arrays of libraries without a backend, in checks of plain functions."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np

from ..backends import Array, Backend, Namespace, backend_of, dtype_name, get_backend, is_registered


class Library:
    """A library used through the array API standard alone, and NumPy's `asarray`."""

    def __init__(self, array: Any) -> None:
        self.xp: Namespace = array.__array_namespace__()
        self.name, self.device = type(array).__module__.partition(".")[0], str(array.device)
        self._device = array.device
        kept = dtype_name(self.asarray(np.zeros(1)).dtype)
        if kept != "float64":
            raise TypeError(
                f"check_gradients: differences need float64, but {self.name} makes {kept} of it here"
            )

    def asarray(self, values: Any, *, dtype: Any = "float64") -> Array:
        """An array of this library on the device of the first one."""
        return self.xp.asarray(values, dtype=getattr(self.xp, dtype_name(dtype)), device=self._device)

    def float64(self) -> AbstractContextManager[Any]:
        """The context in which a backend has float64; a library without one must have it anyway."""
        return nullcontext()

    @staticmethod
    def to_numpy(array: Array) -> np.ndarray:
        return np.asarray(array)


def library_of(value: Any) -> Backend | Library:
    """The library of a function's argument; NumPy for numbers, lists and the like."""
    if is_registered(value):
        return backend_of(value)
    return Library(value) if hasattr(value, "__array_namespace__") else get_backend("numpy")
