"""Differences and the estimates of their own error."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from backprop.gradcheck.differences import EPSILON, Difference, Differences, slope


def differences(
    f: Callable[[np.ndarray], np.ndarray], x: np.ndarray, *, extrapolate: bool = True
) -> Differences:
    def entry(i: int, value: float) -> np.ndarray:
        changed = x.copy()
        changed.reshape(-1)[i] = value
        return f(changed)

    return Differences(x, f, entry, np.random.default_rng(0), extrapolate=extrapolate)


@pytest.mark.parametrize("steps", [[1.0, -1.0], [1.0, -1.0, 0.5], [0.3, -0.2, 0.1]])
def test_slope_of_a_polynomial(steps: list[float]) -> None:
    """Exact up to the degree that the points determine."""
    cubic = 5.0 if len(steps) == 3 else 0.0
    assert slope(steps, [2.0 * t - 3.0 * t**2 + cubic * t**3 for t in steps]) == pytest.approx(2.0)


@pytest.mark.parametrize("step", [1e-1, 1e-2, 1e-3])
def test_truncation(step: float) -> None:
    """The central difference is off by h²/6 f‴, which is what is estimated; the cubic by far less."""
    x = np.asarray([0.3, 1.0])
    sines = differences(np.sin, x)
    for i in range(2):
        d, true = sines.at(i, step), math.cos(x[i])
        assert d.truncation == pytest.approx(step**2 / 6.0 * true, rel=0.1)
        assert abs(d.value - true) < 0.05 * d.truncation + d.rounding
        plain = differences(np.sin, x, extrapolate=False).at(i, step)
        assert plain.value == pytest.approx((math.sin(x[i] + step) - math.sin(x[i] - step)) / (2.0 * step))
        assert abs(plain.value - true) == pytest.approx(d.truncation, rel=0.1)
        assert (plain.truncation, plain.rounding) == (d.truncation, d.rounding)


@pytest.mark.parametrize("size", [1.0, 1e3, 1e6])
def test_rounding(size: float) -> None:
    """The noise of f, hidden behind a large number, is measured; the error stays below ten estimates."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal(50)
    hidden = differences(lambda x: (np.sin(x) + size) - size, x)
    for i in range(50):
        d = hidden.at(i, 1e-4)
        assert 0.05 * size * EPSILON < d.rounding * 1e-4 / 4.0 / math.sqrt(50) < 2.0 * size * EPSILON
        assert abs(d.value - math.cos(x[i])) <= 10.0 * d.error
        assert d.error == d.truncation + d.rounding


def test_rounding_of_what_does_not_change() -> None:
    """Half the last digit of a number, four times over the step; of zeros, that of 1."""
    for value, noise, size in (
        (8.0, math.sqrt(2.0) * 4.0 * EPSILON, math.sqrt(2.0) * 8.0),
        (0.0, EPSILON, 1.0),
    ):
        d = differences(lambda x, value=value: 0.0 * x + value, np.asarray([1.0, 2.0])).at(0, 1e-3)
        assert (d.value, d.truncation) == (0.0, 0.0)
        assert d.rounding == pytest.approx(4.0 * noise / 1e-3, rel=1e-12)
        assert d.size == pytest.approx(size, rel=1e-12)


def test_noise_is_measured_by_third_differences() -> None:
    """Of 0, a, 0, 0, 0, 0 they are 3a, −a and 0; their mean square is 20 times that of the noise."""
    values = iter([0.0, 1e-5, 0.0, 0.0, 0.0, 0.0])
    found = Differences(
        np.asarray([1.0]),
        lambda x: np.asarray([next(values)]),
        lambda i, v: np.zeros(1),
        np.random.default_rng(0),
    )
    assert found.at(0, 1e-3).rounding == pytest.approx(4.0 * 1e-5 * math.sqrt(10 / 3 / 20) / 1e-3, rel=1e-12)


def test_steps_are_those_that_are_really_taken() -> None:
    """x + h is rounded where x is large: 1e-4 beside 1e10 is 53 times the last digit."""
    doubled = differences(lambda x: 2.0 * x, np.asarray([1e10]))
    assert doubled.at(0, 1e-4).value == pytest.approx(2.0, rel=1e-15)


def test_a_step_too_small_to_be_taken() -> None:
    assert math.isnan(differences(np.sin, np.asarray([1e10])).at(0, 1e-7).value)


def test_a_kink_shows_as_truncation() -> None:
    kink = differences(np.abs, np.asarray([0.0, 1.0]))
    assert kink.at(0, 1e-3).truncation == pytest.approx(2.0 / 3.0)
    assert kink.at(0, 1e-6).truncation == pytest.approx(2.0 / 3.0)
    assert kink.at(1, 1e-3).truncation < 1e-12


def test_what_is_no_number() -> None:
    def root(x: np.ndarray) -> np.ndarray:
        with np.errstate(invalid="ignore"):
            return np.sqrt(x)

    roots = differences(root, np.asarray([1e-3, 1.0]))
    assert math.isnan(roots.at(0, 0.1).value)
    assert roots.at(0, 0.1).error == math.inf
    assert roots.at(0, 0.1).better_step() == pytest.approx(1e-4)
    assert roots.at(1, 1e-3).value == pytest.approx(0.5)
    assert roots.finite
    assert not differences(root, np.asarray([-1.0])).finite


def test_lengths() -> None:
    """|x|, but from a tenth to ten times the spread; of equal numbers their size, of zeros 0.1."""
    lengths = lambda *x: differences(np.sin, np.asarray(x)).lengths.tolist()  # noqa: E731
    assert lengths(-1.0, 0.0, 1.0, 100.0) == pytest.approx([2.55, 2.55, 2.55, 100.0])
    assert lengths(1e5, 1e5 + 1.0, 1e5 + 2.0) == pytest.approx([20 / 3] * 3)
    assert lengths(3.0, 3.0) == [3.0, 3.0]
    assert lengths(0.0, 0.0) == [0.1, 0.1]


def test_better_step() -> None:
    """Where the sum of both errors is least, and within reason."""
    balanced = Difference(1.0, 1e-6, 2e-6, 1e-3)
    assert balanced.better_step() == pytest.approx(1e-2)
    assert Difference(1.0, 1e-6, 1e-9, 1e-3).better_step() == pytest.approx(1e-3 * (1e-9 / 2e-6) ** (1 / 3))
    assert Difference(1.0, 1.0, 1e-30, 1e-3).better_step() == pytest.approx(1e-6)


def test_two_cubics_say_more_than_one() -> None:
    larger = Difference(1.0 + 8e-9, 1e-4, 1e-12, 2e-3)
    smaller = Difference(1.0, 2.5e-5, 2e-12, 1e-3)
    assert smaller.beside(larger).truncation == pytest.approx(8e-9)
    assert larger.beside(smaller) == larger
    kink = Difference(1.0, 1e-4, 2e-12, 1e-3)  # truncation does not fall with the step
    assert kink.beside(larger) == kink
    precise = Difference(1.0 + 1e-3, 2.5e-5, 2e-12, 1e-3)
    assert precise.beside(larger).truncation == 2.5e-5
