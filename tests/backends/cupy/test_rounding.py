"""How far apart results on a GPU may be."""

from __future__ import annotations

import math

import numpy as np
import pytest

from backends import Backend


@pytest.mark.only("cupy")
def test_updates_may_differ_where_a_gradient_is_rounding_alone(backend: Backend) -> None:
    before = backend.asarray(np.linspace(0.5, 1.0, 100), dtype="float32")
    updated = before + 1e-3
    noisy = backend.asarray(np.where(np.arange(100) < 5, -1e-3, 1e-3), dtype="float32") + before
    assert backend.updates_agree(before, updated, noisy)
    assert not backend.updates_agree(before, updated, before + 1.1e-3)
    assert not backend.updates_agree(before, updated, before + 1.0)
    assert backend.updates_agree(before, updated * np.nan, updated * np.nan)


@pytest.mark.only("cupy")
def test_results_agree_up_to_rounding(backend: Backend) -> None:
    for dtype, small in (("float32", 1e-4), ("float64", 1e-7)):
        x = backend.asarray([1.0, -3.0, math.nan, math.inf], dtype=dtype)
        assert backend.agree(x, x * (1.0 + small))
        assert not backend.agree(x, x * (1.0 + 100.0 * small))
        assert not backend.agree(x, backend.asarray([1.0, -3.0, math.nan, 5.0], dtype=dtype))
        assert not backend.agree(x, backend.asarray([1.0, -3.0, 0.0, math.inf], dtype=dtype))
    assert backend.agree(backend.asarray(np.zeros(0)), backend.asarray(np.zeros(0)))
    assert not backend.agree(backend.asarray([1, 2]), backend.asarray([1, 3]))
