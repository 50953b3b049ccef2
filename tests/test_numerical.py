"""Central differences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from backends import Backend, namespace_of
from backprop import TwoLayerNet, numerical_gradient


def squares(x: Any) -> Any:
    return namespace_of(x).sum(x * x)


@pytest.mark.parametrize("dtype", ["int64", "uint8", "float32", "float64"])
def test_any_dtype_uses_float64(dtype: str, backend: Backend) -> None:
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


@pytest.mark.changes_arrays
def test_function_that_uses_the_array_itself(backend: Backend) -> None:
    """The idiom of the book's chapter 4: f ignores its argument."""
    W = backend.asarray(np.asarray([[3.0, 4.0], [0.0, 1.0]]))
    gradient = numerical_gradient(lambda _: squares(W), W)
    np.testing.assert_allclose(backend.to_numpy(gradient), [[6.0, 8.0], [0.0, 2.0]], atol=1e-10)
    half_and_half = numerical_gradient(lambda w: namespace_of(w).sum(w * W), W)
    np.testing.assert_allclose(backend.to_numpy(half_and_half), [[6.0, 8.0], [0.0, 2.0]], atol=1e-10)
    assert backend.to_numpy(W).tolist() == [[3.0, 4.0], [0.0, 1.0]]


@pytest.mark.changes_arrays
def test_network_parameter_as_in_the_book(backend: Backend, rng: np.random.Generator) -> None:
    network = TwoLayerNet(4, 3, 2, weight_init_std=1.0, dtype="float64", device=backend, rng=rng)
    x, t = backend.asarray(rng.standard_normal((5, 4))), backend.asarray(rng.integers(0, 2, 5))
    gradient = numerical_gradient(lambda _: network.loss(x, t), network.params["W1"])
    expected = network.numerical_gradient(x, t)["W1"]
    np.testing.assert_allclose(backend.to_numpy(gradient), backend.to_numpy(expected), atol=1e-12)


def test_array_is_restored_after_an_error(backend: Backend) -> None:
    W = backend.asarray(np.asarray([3.0, 4.0]))
    calls = []

    def f(w: Any) -> Any:
        calls.append(w)
        if len(calls) == 3:
            raise ZeroDivisionError
        return squares(W)

    with pytest.raises(ZeroDivisionError):
        numerical_gradient(f, W)
    assert backend.to_numpy(W).tolist() == [3.0, 4.0]


@pytest.mark.changes_arrays
@pytest.mark.parametrize("dtype", ["float32", "int64", "uint8"])
def test_dtype_too_coarse_for_differences(dtype: str, backend: Backend) -> None:
    W = backend.asarray(np.asarray([3, 4], dtype=dtype))
    with pytest.raises(
        TypeError, match=f"f uses x itself instead of its argument, and {dtype} is too coarse for differences"
    ):
        numerical_gradient(lambda _: squares(W), W)
    assert backend.to_numpy(W).tolist() == [3, 4]


def test_function_that_changes_its_argument() -> None:
    W = np.asarray([3.0, 4.0])

    def f(w: Any) -> Any:
        value = squares(w)
        w[1] = 0.0
        return value

    with pytest.raises(ValueError, match="f changes its argument; let it work on a copy"):
        numerical_gradient(f, W)
    assert W.tolist() == [3.0, 4.0]


def test_read_only_array_that_f_uses_itself() -> None:
    x = np.ones(3)
    x.flags.writeable = False
    with pytest.warns(UserWarning, match="f did not change with any entry of x; it must use its argument"):
        numerical_gradient(lambda _: squares(x), x)


def test_rounded_step() -> None:
    """x + h is rounded if x is large."""
    assert numerical_gradient(lambda x: x[0], np.asarray([3e9])).tolist() == [1.0]


def test_invalid_arguments() -> None:
    with pytest.raises(ValueError, match="expected a step h above 0, got 0"):
        numerical_gradient(squares, np.ones(2), h=0)
    with pytest.raises(
        ValueError, match=r"f must return a number or a 0-d array, got ndarray of shape \(2,\)"
    ):
        numerical_gradient(lambda x: x, np.ones(2))
    with pytest.raises(TypeError, match="expected a real array, got complex128"):
        numerical_gradient(squares, np.ones(2, dtype=complex))


def test_step_lost_in_rounding(backend: Backend) -> None:
    with pytest.raises(ValueError, match="a step h of 0.0001 is lost when 1e.16 is rounded: give a larger h"):
        numerical_gradient(lambda x: backend.xp.sum(x * x), backend.asarray([1e16]))
