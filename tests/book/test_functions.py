"""The book's functions against their formulas, written out entry by entry."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest

from backprop.book import (
    cross_entropy_error,
    identity_function,
    relu,
    relu_grad,
    sigmoid,
    sigmoid_grad,
    softmax,
    softmax_loss,
    step_function,
    sum_squared_error,
)

X = np.asarray([[-2.0, 0.0, 0.5], [3.0, -0.25, 1.0]])


def entries(function: object) -> np.ndarray:
    return np.vectorize(function, otypes=[float])(X)  # type: ignore[call-overload]


def test_elementwise_functions() -> None:
    assert identity_function(X) is X
    np.testing.assert_array_equal(step_function(X), entries(lambda v: 1 if v > 0 else 0))
    assert step_function(X).dtype == int
    np.testing.assert_allclose(sigmoid(X), entries(lambda v: 1 / (1 + math.exp(-v))), rtol=1e-15)
    slope = entries(lambda v: math.exp(-v) / (1 + math.exp(-v)) ** 2)
    np.testing.assert_allclose(sigmoid_grad(X), slope, rtol=1e-14)
    np.testing.assert_array_equal(relu(X), entries(lambda v: max(v, 0)))
    np.testing.assert_array_equal(relu_grad(X), entries(lambda v: 1 if v >= 0 else 0))


def test_sigmoid_does_not_warn_of_overflow() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert sigmoid(np.asarray([-1000.0, 1000.0])).tolist() == [0.0, 1.0]


def test_softmax_is_the_share_of_each_entry_in_its_row() -> None:
    expected = [[math.exp(v) / sum(map(math.exp, row)) for v in row] for row in X.tolist()]
    np.testing.assert_allclose(softmax(X), expected, rtol=1e-14)
    np.testing.assert_allclose(softmax(X[0]), expected[0], rtol=1e-14)
    np.testing.assert_array_equal(softmax([1010.0, 1010.0]), [0.5, 0.5])


def test_float32_stays_float32_and_integers_are_counted_as_numbers() -> None:
    assert sigmoid(X.astype("float32")).dtype == softmax(X.astype("float32")).dtype == np.float32
    pixels = np.asarray([200, 100], dtype=np.uint8)  # whose negatives would wrap around
    np.testing.assert_allclose(softmax(pixels), softmax([200.0, 100.0]))
    np.testing.assert_allclose(sigmoid(pixels), [1.0, 1.0])


def test_sum_squared_error() -> None:
    assert sum_squared_error([0.1, 0.05, 0.6], [0, 0, 1]) == pytest.approx((0.01 + 0.0025 + 0.16) / 2)


Y = np.asarray([[0.1, 0.6, 0.3], [0.5, 0.2, 0.3]])


@pytest.mark.parametrize("t", [
    [1, 0], np.asarray([1, 0], np.uint8), [[1], [0]], [[0, 1, 0], [1, 0, 0]], np.eye(3)[[1, 0]]
])  # fmt: skip
def test_cross_entropy_has_the_constant_inside_the_logarithm(t: object) -> None:
    expected = -(math.log(0.6 + 1e-7) + math.log(0.5 + 1e-7)) / 2
    assert cross_entropy_error(Y, t) == pytest.approx(expected, rel=1e-14)
    assert softmax_loss(np.log(Y), t) == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize("t", [1, [1], [0, 1, 0], [[1]], np.asarray(1)])
def test_cross_entropy_of_a_single_sample(t: object) -> None:
    assert cross_entropy_error(Y[0], t) == pytest.approx(-math.log(0.6 + 1e-7), rel=1e-14)


def test_cross_entropy_of_a_probability_of_0_is_finite() -> None:
    assert cross_entropy_error([1.0, 0.0], 1) == pytest.approx(-math.log(1e-7))


@pytest.mark.parametrize(("t", "error", "message"), [
    ([1, 0, 2], ValueError, r"expected labels \(2,\) or one-hot \(2, 3\), got \(3,\)"),
    ([1, 3], ValueError, "expected labels 0 to 2, got 3"),
    ([-1, 0], ValueError, "expected labels 0 to 2, got -1"),
    (["a", "b"], TypeError, "expected integer class numbers, got str32$"),
    ([1.0, 0.0], TypeError, r"expected integer class numbers, got float64; use t\.astype\(int\)"),
])  # fmt: skip
def test_wrong_labels(t: object, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"^cross_entropy_error: {message}"):
        cross_entropy_error(Y, t)


def test_wrong_arguments() -> None:
    with pytest.raises(TypeError, match="^sigmoid: expected numbers, got str32: 'x'"):
        sigmoid("x")
    with pytest.raises(ValueError, match="^softmax: expected rows of one length"):
        softmax([[1.0], [1.0, 2.0]])
    with pytest.raises(
        ValueError, match=r"^sum_squared_error: expected y and t of one shape, got \(2,\) and \(1,\)"
    ):
        sum_squared_error([1.0, 2.0], [1.0])


def test_arrays_of_another_library_are_refused() -> None:
    class OnGpu:
        def __array__(self, *_: object, **__: object) -> None:
            raise TypeError("Implicit conversion to a NumPy array is not allowed")

    with pytest.raises(
        TypeError, match="^softmax: expected a NumPy array, got .*OnGpu; the book computes with"
    ):
        softmax(OnGpu())
