"""How values are written."""

from __future__ import annotations

import math

import numpy as np
import pytest

from backprop.graphs.labels import LONGEST_ROW, described, is_large, label_of
from backprop.text import digits
from backprop.text import shape as shape_text

from ..tables import number


@pytest.mark.parametrize("scale", [1e-300, 1e-12, 1e-3, 1.0, 1e3, 1e7, 1e300])
def test_a_number_is_its_value_to_four_digits(scale: float, rng: np.random.Generator) -> None:
    for value in scale * rng.standard_normal(300):
        assert number(digits(value)) == pytest.approx(value, rel=5.1e-4)


@pytest.mark.parametrize("value", [0, 1, -7, 10, 999, 1000, 12345, 999_999])
def test_whole_numbers_are_written_whole(value: int) -> None:
    assert digits(value) == digits(float(value)) == str(value).replace("-", "−")


def test_numbers_that_are_none() -> None:
    assert [digits(value) for value in (math.nan, math.inf, -math.inf)] == ["NaN", "∞", "−∞"]
    assert label_of(None) is None


@pytest.mark.parametrize("shape", [(), (1,), (6,), (7,), (12,), (3, 4), (12, 1), (1, 12), (2, 1)])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int64", "uint8", "bool"])
def test_few_entries_are_written_one_by_one(shape: tuple[int, ...], dtype: str) -> None:
    values = np.asarray(np.random.default_rng(0).uniform(-9.0, 99.0, shape)).astype(dtype)
    label = label_of(values)
    assert label is not None
    found = np.asarray([[number(entry) for entry in row] for row in label.rows])
    np.testing.assert_allclose(found, np.atleast_2d(values.astype(np.float64)), rtol=5.1e-4)
    assert [entry for row in label.lines for entry in row] == [entry for row in label.rows for entry in row]
    assert max(map(len, label.lines)) <= LONGEST_ROW
    assert eval(label.text().replace("−", "-")) is not None
    if shape:
        assert np.shape(eval(label.text().replace("−", "-"))) == shape


def test_the_shape_is_written_where_the_rows_do_not_show_it() -> None:
    shapes: dict[tuple[int, ...], bool] = {
        (): False, (6,): False, (2, 6): False, (7,): True, (1, 12): True, (13,): True, (2, 2, 2): True, (0,): True
    }  # fmt: skip
    for shape, expected in shapes.items():
        label = label_of(np.ones(shape))
        assert label is not None
        assert label.needs_shape is expected


@pytest.mark.parametrize("shape", [(13,), (4, 4), (2, 2, 2), (100, 50)])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
def test_many_entries_are_their_shape_mean_and_deviation(shape: tuple[int, ...], dtype: str) -> None:
    values = (100.0 * np.random.default_rng(0).standard_normal(shape)).astype(dtype)
    label = label_of(values)
    assert label is not None
    assert label.shape == shape
    mean, deviation = map(number, label.rows[0][0].split(" ± "))
    assert mean == pytest.approx(values.mean(dtype="float64"), rel=5.1e-4)
    assert deviation == pytest.approx(values.std(dtype="float64"), rel=5.1e-4)
    assert label.text() == f"{shape_text(shape)}: {label.rows[0][0]}"


def test_float16_does_not_overflow_in_a_mean() -> None:
    label = label_of(np.full(100, 60_000.0, np.float16))
    assert label is not None
    assert label.text() == "100 numbers: 60000 ± 0"


def test_what_is_not_finite_is_said() -> None:
    values = np.arange(20.0)
    values[3], values[5], values[7] = np.nan, np.inf, -np.inf
    label = label_of(values)
    assert label is not None
    assert label.text() == "20 numbers: 3 of 20 not finite"
    assert described(values).endswith("from 0 to 19, 1 NaN, 2 infinite")
    assert described(np.full(20, np.nan)) == "20 numbers float64: 20 NaN"


def test_large_numbers_do_not_overflow() -> None:
    label = label_of(np.asarray([1e200, -1e200] * 10))
    assert label is not None
    assert label.text() == "20 numbers: 0 ± 1e200"


def test_no_entries() -> None:
    values = np.ones((0, 5))
    label = label_of(values)
    assert label is not None
    assert label.text() == "0×5: no entries"
    assert not is_large(values)
