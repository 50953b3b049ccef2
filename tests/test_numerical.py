"""Central differences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from backends import Backend, namespace_of
from backprop import numerical_gradient


def squares(x: Any) -> Any:
    return namespace_of(x).sum(x * x)


@pytest.mark.parametrize("dtype", ["int64", "uint8", "float32", "float64"])
def test_any_dtype_is_differentiated_in_float64(dtype: str, backend: Backend) -> None:
    x = backend.asarray(np.asarray([[3, 4], [0, 1]], dtype=dtype))
    gradient = numerical_gradient(squares, x)
    assert backend.owns(gradient)
    assert gradient.dtype == backend.dtype("float64")
    np.testing.assert_allclose(backend.to_numpy(gradient), [[6.0, 8.0], [0.0, 2.0]], atol=1e-10)
    assert x.dtype == backend.dtype(dtype)
    assert backend.to_numpy(x).tolist() == [[3, 4], [0, 1]]


def test_numbers_and_lists() -> None:
    assert float(numerical_gradient(lambda x: x**2, 3)) == pytest.approx(6.0)
    assert numerical_gradient(lambda x: float(x[0] * x[1]), [3, 4]).tolist() == pytest.approx([4.0, 3.0])


def test_read_only_and_strided() -> None:
    x = np.arange(6.0).reshape(2, 3)[:, ::2]
    x.flags.writeable = False
    np.testing.assert_allclose(numerical_gradient(squares, x), 2.0 * x, atol=1e-10)


def test_function_that_ignores_its_argument() -> None:
    x = np.ones(3)
    with pytest.warns(
        UserWarning, match="f did not change with any entry of x; it must compute from its argument"
    ):
        numerical_gradient(lambda _: squares(x), x)


def test_wrong_use() -> None:
    with pytest.raises(ValueError, match="expected a step h above 0, got 0"):
        numerical_gradient(squares, np.ones(2), h=0)
    with pytest.raises(
        ValueError, match=r"f must return a number or a 0-d array, got ndarray of shape \(2,\)"
    ):
        numerical_gradient(lambda x: x, np.ones(2))
    with pytest.raises(TypeError, match="expected a real array, got complex128"):
        numerical_gradient(squares, np.ones(2, dtype=complex))
