"""Functions in place of CuPy's: the standard's results, without waiting for the device."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from backends import Backend, namespace_of

pytestmark = pytest.mark.only("cupy")

VALUES = [math.nan, -math.inf, math.inf, -3.0, -0.5, 0.0, 0.5, 3.0]
CLIPS: list[tuple[Any, ...]] = [
    (-1.0, 1.0),
    (-1, None),
    (None, 2),
    (None, None),
    (1.0, -1.0),
    (-math.inf, 0.25),
]


def same(backend: Backend, function: Callable[[Any, Any], Any], x: np.ndarray) -> None:
    """`function(xp, x)` gives NumPy's result, shape and dtype, also in a capture."""
    expected = np.asarray(function(namespace_of(x), x))
    on_device = backend.asarray(x)
    called = function(backend.xp, on_device)
    replay = backend.record(lambda state, x: (function(backend.xp, x),), [{}], [on_device])
    for found in (called, replay(on_device)[0]):
        assert found is not on_device
        host = backend.to_numpy(found)
        assert (host.dtype, host.shape) == (expected.dtype, expected.shape)
        np.testing.assert_array_equal(host, expected)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_clip_and_sign(dtype: str, backend: Backend) -> None:
    x = np.asarray(VALUES, dtype)
    for low, high in CLIPS:
        same(backend, lambda xp, x, low=low, high=high: xp.clip(x, low, high), x)
    same(backend, lambda xp, x: xp.sign(x), x)


def test_clip_and_sign_of_integers_and_with_arrays(backend: Backend) -> None:
    for x in (np.arange(-3, 4), np.arange(5, dtype="uint8")):
        for low, high in ((-1, 2), (1, None), (-1, 300)):
            found = backend.to_numpy(backend.xp.clip(backend.asarray(x), low, high))
            np.testing.assert_array_equal(found, np.clip(x, low, high).astype(x.dtype))
        np.testing.assert_array_equal(backend.to_numpy(backend.xp.sign(backend.asarray(x))), np.sign(x))
    x, low = np.linspace(-1.0, 1.0, 5), np.linspace(-0.5, 0.5, 5)
    found = backend.to_numpy(backend.xp.clip(backend.asarray(x), backend.asarray(low), 0.75))
    np.testing.assert_array_equal(found, np.clip(x, low, 0.75))


@pytest.mark.parametrize("n", [0, 1, 255, 256, 1000])
@pytest.mark.parametrize("name", ["all", "any", "count_nonzero"])
def test_reductions_of_truth_values(name: str, n: int, backend: Backend) -> None:
    for where in (slice(None), slice(0, 0), slice(n // 2, n // 2 + 1), slice(0, n // 2)):
        x = np.zeros(n, bool)
        x[where] = True
        for values in (x, ~x):
            same(backend, lambda xp, x: getattr(xp, name)(x), values)


@pytest.mark.parametrize("name", ["all", "any", "count_nonzero"])
def test_reductions_along_axes_of_views_and_of_numbers(name: str, backend: Backend) -> None:
    x = np.arange(1200).reshape(30, 40) % 7
    for values in (x, x.astype("float32"), x > 0, x >= 0, x < 0, (x > 0).T, (x > 0)[:, ::2]):
        for options in ({}, {"axis": 0}, {"axis": (0, 1)}, {"keepdims": True}, {"axis": 1, "keepdims": True}):
            same(backend, lambda xp, x, options=options: getattr(xp, name)(x, **options), values)


def test_no_kernel_is_compiled_with_cub(backend: Backend) -> None:
    device = pytest.importorskip("cupy_emulator").device
    x = backend.asarray(np.arange(1000.0)) > 3.0

    def launched() -> dict[str, int]:
        return {name: n for name, n in device.counts().items() if name.startswith("launches: cupy_cub_")}

    before = launched()
    for name in ("all", "any", "count_nonzero"):
        getattr(backend.xp, name)(x)
    assert launched() == before


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
@pytest.mark.parametrize("count", [1, 2, 50, 64, 65, 130])
def test_numbers_are_stacked(count: int, dtype: str, backend: Backend) -> None:
    values = np.arange(count).astype(dtype)
    vector = backend.asarray(values)
    stacked = backend.xp.stack([vector[i] for i in range(count)])
    assert (stacked.dtype, stacked.shape) == (values.dtype, (count,))
    np.testing.assert_array_equal(backend.to_numpy(stacked), values)


def test_other_arrays_are_stacked_as_by_cupy(backend: Backend) -> None:
    rows = [backend.asarray([float(i), 1.0]) for i in range(3)]
    assert backend.to_numpy(backend.xp.stack(rows, axis=1)).tolist() == [[0.0, 1.0, 2.0], [1.0, 1.0, 1.0]]
    numbers = [backend.asarray(1), backend.asarray(0.5)]
    assert backend.to_numpy(backend.xp.stack(numbers)).tolist() == [1.0, 0.5]
    assert backend.xp.stack([numbers[0]], axis=-1).shape == (1,)
    with pytest.raises(ValueError, match="axis"):  # NumPy's AxisError
        backend.xp.stack([numbers[0]], axis=1)


@pytest.mark.parametrize("shape", [(), (1,), (100,), (3, 5), (20_000,), (0,)])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int64"])
@pytest.mark.filterwarnings("ignore:Mean of empty slice:RuntimeWarning")
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_means(dtype: str, shape: tuple[int, ...], backend: Backend) -> None:
    import cupy

    values = (np.random.default_rng(0).standard_normal(shape) * 10.0).astype(dtype)
    x = backend.asarray(values)
    for ours, its in ((x, x), (x[..., ::2], x[..., ::2])) if shape else ((x, x),):
        found, expected = backend.xp.mean(ours), cupy.mean(its)
        assert (found.dtype, found.shape) == (expected.dtype, ())
        rtol = {"float16": 1e-2, "float32": 1e-5}.get(dtype, 1e-12)
        np.testing.assert_allclose(backend.to_numpy(found), cupy.asnumpy(expected), rtol=rtol, atol=rtol)


def test_means_over_axes(backend: Backend) -> None:
    x = backend.asarray([[1.0, 2.0], [3.0, 6.0]])
    assert backend.to_numpy(backend.xp.mean(x, axis=0)).tolist() == [2.0, 4.0]
    assert backend.to_numpy(backend.xp.mean(x, axis=1, keepdims=True)).tolist() == [[1.5], [4.5]]
    assert backend.to_numpy(backend.xp.mean(x, keepdims=True)).tolist() == [[3.0]]


def test_the_mean_of_nan_and_infinity(backend: Backend) -> None:
    assert np.isnan(backend.to_numpy(backend.xp.mean(backend.asarray([1.0, np.nan]))))
    assert backend.to_numpy(backend.xp.mean(backend.asarray([1.0, np.inf]))) == np.inf
