"""The numerical gradients that vary their array in place."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from backprop.book import numerical_gradient, numerical_gradient_2d


def test_the_gradient_of_the_book_s_function() -> None:
    np.testing.assert_allclose(numerical_gradient(lambda x: np.sum(x**2), np.asarray([3.0, 4.0])), [6, 8])


@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (2, 1, 2, 2)])
def test_any_shape(shape: tuple[int, ...], rng: np.random.Generator) -> None:
    x = rng.standard_normal(shape)
    np.testing.assert_allclose(numerical_gradient(lambda x: np.sum(np.sin(x)), x), np.cos(x), rtol=1e-7)


def test_a_captured_array_changes_too_and_is_restored(rng: np.random.Generator) -> None:
    W = rng.standard_normal((2, 3))
    before = W.copy()
    np.testing.assert_allclose(numerical_gradient(lambda _: np.sum(W**2), W), 2 * before, rtol=1e-7)
    np.testing.assert_array_equal(W, before)


def test_it_is_restored_after_an_error() -> None:
    x = np.asarray([1.0, 2.0])

    def f(x: np.ndarray) -> float:
        raise ArithmeticError

    with pytest.raises(ArithmeticError):
        numerical_gradient(f, x)
    assert x.tolist() == [1.0, 2.0]


def test_a_part_of_the_array_as_the_value() -> None:
    x = np.asarray([1.0, 2.0])
    np.testing.assert_allclose(numerical_gradient(lambda x: x[:1], x), [1.0, 0.0])


def test_every_row_by_itself(rng: np.random.Generator) -> None:
    X, seen = rng.standard_normal((4, 2)), set()

    def f(x: np.ndarray) -> Any:
        seen.add(x.shape)
        return np.sum(x**2)

    np.testing.assert_allclose(numerical_gradient_2d(f, X), 2 * X, rtol=1e-7)
    assert seen == {(2,)}
    np.testing.assert_allclose(numerical_gradient_2d(f, X[0]), 2 * X[0], rtol=1e-7)


@pytest.mark.parametrize(("x", "error", "message"), [
    (3.0, TypeError, r"expected an array, got float; give numpy\.array\(x\)"),
    (np.asarray([3, 4]), TypeError, r"expected a float64 array, got int64, .* use x\.astype\(float\)"),
    (np.ones(2, np.float32), TypeError, "expected a float64 array, got float32"),
    (np.broadcast_to(1.0, (2,)), ValueError, r"x is read-only and cannot be varied; give x\.copy\(\)"),
])  # fmt: skip
def test_arrays_that_cannot_be_varied(x: Any, error: type[Exception], message: str) -> None:
    for gradient in (numerical_gradient, numerical_gradient_2d):
        with pytest.raises(error, match=f"^numerical_gradient: {message}"):
            gradient(np.sum, x)


def test_a_function_that_returns_an_array() -> None:
    with pytest.raises(
        ValueError, match=r"expected f to return a number, got an array \(2,\); let f return its sum"
    ):
        numerical_gradient(lambda x: x**2, np.ones(2))


@pytest.mark.parametrize(("result", "message"), [
    (None, r"got NoneType; does f end with return\?"), (1j, "got complex$"), ("1", "got str$")
])  # fmt: skip
def test_a_function_that_returns_no_number(result: Any, message: str) -> None:
    with pytest.raises(TypeError, match=f"^numerical_gradient: expected f to return a number, {message}"):
        numerical_gradient(lambda _: result, np.ones(2))
