"""Arrays of libraries that have no backend."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from backprop import check_gradients
from backprop.gradcheck.libraries import Library

from .functions import cubes, cubes_gradient


def test_library_without_a_backend() -> None:
    """The array API standard is enough; NumPy's own namespace stands for such a library."""
    library = Library(np.ones(2, np.float32))
    assert (library.asarray([1, 2]).dtype, library.asarray([1, 2]).tolist()) == (np.float64, [1.0, 2.0])
    assert library.asarray([1, 2], dtype="float32").dtype == np.float32
    assert (library.name, library.device) == ("numpy", "cpu")
    assert library.to_numpy(np.ones(2)).tolist() == [1.0, 1.0]


def test_library_without_float64() -> None:
    class Single:
        float64 = np.float32

        def asarray(self, values: Any, dtype: Any, device: Any) -> Any:
            return np.asarray(values, dtype)

    class Alien:
        device = "cpu"

        def __array_namespace__(self) -> Any:
            return Single()

    with pytest.raises(TypeError, match="differences need float64, but tests makes float32 of it here$"):
        check_gradients(cubes, cubes_gradient, Alien())


class Foreign:
    """An array of a library that nobody knows, on a device of its own."""

    def __init__(self, values: Any) -> None:
        self.values = np.array(values)
        self.device, self.shape, self.dtype = "elsewhere", self.values.shape, self.values.dtype

    def __array_namespace__(self) -> Any:
        return ForeignNamespace

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return np.array(self.values, dtype)

    def __mul__(self, other: Foreign) -> Foreign:
        return Foreign(self.values * other.values)


class ForeignNamespace:
    float64 = np.float64

    @staticmethod
    def asarray(values: Any, *, dtype: Any = None, device: Any = "elsewhere", copy: Any = None) -> Foreign:
        assert device == "elsewhere"
        return Foreign(np.array(values, dtype))


def test_arrays_of_an_unknown_library_stay_what_they_are() -> None:
    seen: set[type] = set()

    def f(x: Foreign, y: Foreign) -> Foreign:
        seen.update({type(x), type(y)})
        return Foreign(x.values * y.values)

    def gradient(x: Foreign, y: Foreign, dout: Foreign) -> tuple[Foreign, Foreign]:
        seen.add(type(dout))
        return dout * y, dout * x

    x, y = Foreign([1.0, -2.0]), Foreign([3.0, 0.5])
    report = check_gradients(f, gradient, x, y)
    assert report.passed, f"\n{report}"
    assert (report.subject, report.backend, report.device) == ("f", "tests", "elsewhere")
    assert seen == {Foreign}
    assert check_gradients(f, lambda x, y, dout: (dout * x, dout * y), x, y).failed
    x.dtype = SimpleNamespace(name="bfloat16")
    assert check_gradients(f, gradient, x, y).passed
    x.dtype = SimpleNamespace(name="string")
    with pytest.raises(TypeError, match="expected real arguments, got string"):
        check_gradients(f, gradient, x, y)
