"""Functions with fewer kernels than CuPy's own."""

from __future__ import annotations

import numpy as np
import pytest

from backends import Backend

pytestmark = pytest.mark.only("cupy")


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
