"""Statistics of arrays."""

from __future__ import annotations

import math

import numpy as np
import pytest

from backprop.statistics import Statistics


def test_the_statistics_are_numpys(rng: np.random.Generator) -> None:
    values = rng.standard_normal((3, 4, 5)).astype("float32")
    values[0] = 0.0
    found, wide = Statistics.of(values), values.astype(np.float64)
    assert (found.shape, found.size, found.nonfinite) == ((3, 4, 5), 60, 0)
    assert (found.mean, found.std) == (wide.mean(), wide.std())
    assert (found.smallest, found.largest) == (wide.min(), wide.max())
    assert found.zeros == pytest.approx(1 / 3)
    assert found.norm == pytest.approx(np.sqrt((wide**2).sum()), rel=1e-14)


def test_entries_that_are_not_finite_are_counted_and_left_out() -> None:
    found = Statistics.of(np.asarray([[np.nan, 1.0], [np.inf, 3.0], [-np.inf, 0.0]]))
    assert (found.nonfinite, found.smallest, found.largest, found.mean) == (3, 0.0, 3.0, 4.0 / 3.0)
    assert (found.norm, found.zeros) == (pytest.approx(math.sqrt(10.0)), 1.0 / 6.0)


def test_without_finite_entries_there_is_no_mean() -> None:
    found = Statistics.of(np.full((2, 2), np.nan))
    assert found.nonfinite == 4
    assert all(map(math.isnan, (found.mean, found.std, found.smallest, found.largest)))
    assert found.norm == 0.0
    assert math.isnan(Statistics.of(np.zeros((0, 3))).zeros)


@pytest.mark.parametrize("size", [1e300, 1e-300])
def test_squares_do_not_overflow_and_do_not_vanish(size: float) -> None:
    found = Statistics.of(size * np.asarray([3.0, -4.0]))
    assert found.norm == pytest.approx(5.0 * size)
    assert found.std == pytest.approx(3.5 * size)


def test_numbers_of_any_kind_and_shape() -> None:
    assert Statistics.of(np.asarray(2.0)).mean == 2.0
    assert Statistics.of(np.asarray([1, 0, 2], np.uint8)).zeros == pytest.approx(1 / 3)
    assert Statistics.of(np.asarray([True, False])).norm == 1.0
    largest = np.asarray([6e4, -6e4], np.float16)
    assert Statistics.of(largest).norm == pytest.approx(math.sqrt(2.0) * float(largest[0]))
