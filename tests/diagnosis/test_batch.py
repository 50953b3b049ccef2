"""Statistics of one batch."""

from __future__ import annotations

import numpy as np

from backprop.diagnosis.batch import histogram


def test_histogram_ignores_nan_and_infinity() -> None:
    assert histogram(np.asarray([1.0, np.nan, np.inf, 2.0])).counts.sum() == 2
