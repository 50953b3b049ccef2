"""Questions about dtypes and numbers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from backends import Backend
from backprop.dtypes import (
    copied,
    is_bool,
    is_float,
    is_float16,
    is_integer,
    is_whole,
    narrowed,
    overflows,
    widened,
)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("float32", "float"),
        ("float64", "float"),
        ("uint8", "integer"),
        ("int64", "integer"),
        ("bool", "bool"),
    ],
)
def test_kinds_of_dtypes(name: str, kind: str, backend: Backend) -> None:
    dtype = backend.asarray([0, 1], dtype=name).dtype
    assert (is_float(dtype), is_integer(dtype), is_float16(dtype)) == (
        kind == "float",
        kind == "integer",
        False,
    )
    assert is_bool(dtype) == (kind == "bool")


def test_float16_is_computed_in_float32(backend: Backend) -> None:
    if not hasattr(backend.xp, "float16"):
        pytest.skip("the standard has no float16")
    x = backend.asarray([1.0, 2.5], dtype="float16")
    wide = widened(x)
    assert is_float16(x.dtype)
    assert is_float(x.dtype)
    assert wide.dtype == backend.dtype("float32")
    assert narrowed(wide, x.dtype).dtype == x.dtype
    assert backend.to_numpy(narrowed(wide, x.dtype)).tolist() == [1.0, 2.5]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_other_dtypes_stay_what_they_are(dtype: str, backend: Backend) -> None:
    x = backend.asarray([1.0, 2.5], dtype=dtype)
    assert widened(x) is x
    assert narrowed(x, x.dtype) is x


@pytest.mark.changes_arrays
def test_a_copy_has_memory_of_its_own(backend: Backend) -> None:
    x = backend.asarray([1.0, 2.5], dtype="float32")
    y = copied(x)
    y[...] = 0.0
    assert y.dtype == x.dtype
    assert backend.to_numpy(x).tolist() == [1.0, 2.5]


@pytest.mark.parametrize(
    ("values", "dtype", "found"),
    [([1e38], "float32", False), ([1e39], "float32", True), ([math.inf, math.nan], "float32", False),
     ([65504.0], "float16", False), ([1.0, -7e4], "float16", True), ([], "float16", False)],
)  # fmt: skip
def test_numbers_that_overflow(values: list[float], dtype: str, found: bool) -> None:
    assert overflows(np.asarray(values), dtype) is found


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (3, True),
        (np.int64(-3), True),
        (np.uint8(3), True),
        (True, False),
        (3.0, False),
        ("3", False),
        (None, False),
    ],
)
def test_whole_numbers(value: Any, found: bool) -> None:
    assert is_whole(value) is found
