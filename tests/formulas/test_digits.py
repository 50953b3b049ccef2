"""Four significant digits, and what `digits` writes is what `rounded` returns."""

from __future__ import annotations

import numpy as np
import pytest

from backprop.formulas.digits import digits, rounded


@pytest.mark.parametrize(("value", "text"), [
    (0.0, "0"), (-0.0, "0"), (1.0, "1"), (-2.5, "−2.5"), (0.123456, "0.1235"), (0.99999, "1"),
    (12.3456, "12.35"), (1234.56, "1235"), (12345.6, "12346"), (999999.0, "999999"), (1e6, "1e6"),
    (1234567.0, "1.235e6"), (0.001, "0.001"), (0.00099, "9.9e−4"), (1e-300, "1e−300"), (3.1e38, "3.1e38"),
    (float("nan"), "NaN"), (float("inf"), "∞"), (float("-inf"), "−∞"), (100.0, "100"), (0.1 + 0.2, "0.3"),
])  # fmt: skip
def test_digits(value: float, text: str) -> None:
    assert digits(value) == text


def test_rounded_is_what_is_written() -> None:
    rng = np.random.default_rng(0)
    for value in rng.standard_normal(200) * 10.0 ** rng.integers(-9, 9, 200):
        assert rounded(value) == float(digits(value).replace("−", "-"))
        assert abs(rounded(value) - value) <= 5.001e-4 * abs(value)


def test_nan_stays_nan() -> None:
    assert np.isnan(rounded(float("nan")))
    assert rounded(float("-inf")) == -np.inf
