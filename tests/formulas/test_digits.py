"""What `digits` writes is what `rounded` returns."""

from __future__ import annotations

import numpy as np

from backprop.formulas.digits import rounded
from backprop.text import digits


def test_rounded_is_what_is_written() -> None:
    rng = np.random.default_rng(0)
    for value in rng.standard_normal(200) * 10.0 ** rng.integers(-9, 9, 200):
        assert rounded(value) == float(digits(value).replace("−", "-"))
        assert abs(rounded(value) - value) <= 5.001e-4 * abs(value)


def test_nan_stays_nan() -> None:
    assert np.isnan(rounded(float("nan")))
    assert rounded(float("-inf")) == -np.inf
