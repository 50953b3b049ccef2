"""How far apart results on a GPU may be, with the functions of every library."""

from __future__ import annotations

import math

import numpy as np

from backends import Backend
from backends.rounding import agree, updates_agree


def test_updates_may_differ_where_a_gradient_is_rounding_alone(backend: Backend) -> None:
    def agrees(x: np.ndarray, y: np.ndarray) -> bool:
        arrays = [backend.asarray(z, dtype="float32") for z in (before, x, y)]
        return bool(updates_agree(backend.xp, *arrays))

    before = np.linspace(0.5, 1.0, 100)
    updated = before + 1e-3
    assert agrees(updated, np.where(np.arange(100) < 5, -1e-3, 1e-3) + before)
    assert not agrees(updated, np.where(np.arange(100) < 15, -1e-3, 1e-3) + before)
    assert not agrees(updated, before + 1.1e-3)
    assert not agrees(updated, before + 1.0)
    assert agrees(updated, np.where(np.arange(100) == 3, 1e-2, 1e-3) + before)
    assert not agrees(updated, np.where(np.arange(100) == 3, 1e-1, 1e-3) + before)  # far away, even alone
    assert agrees(updated * np.nan, updated * np.nan)
    assert not agrees(updated, updated * np.nan)
    before = np.zeros(0)
    assert agrees(before, before)


def test_results_agree_up_to_rounding(backend: Backend) -> None:
    for dtype, small, tf32 in (("float32", 1e-4, False), ("float64", 1e-7, True), ("float32", 2e-3, True)):

        def agrees(x: list[float], y: list[float], dtype: str = dtype, tf32: bool = tf32) -> bool:
            with np.errstate(invalid="ignore"):  # ∞ - ∞
                arrays = [backend.asarray(z, dtype=dtype) for z in (x, y)]
                return bool(agree(backend.xp, *arrays, tf32=tf32))

        x = [1.0, -3.0, math.nan, math.inf]
        assert agrees(x, [(1.0 + small) * z for z in x])
        assert not agrees(x, [(1.0 + 100.0 * small) * z for z in x])
        assert not agrees(x, [1.0, -3.0, math.nan, 5.0])
        assert not agrees(x, [1.0, -3.0, 0.0, math.inf])
        assert not agrees([1.0, -3.0, math.nan, 5.0], x)
        assert agrees([], [])


def test_integers_agree_when_they_are_equal(backend: Backend) -> None:
    def agrees(x: list[int], y: list[int]) -> bool:
        return bool(agree(backend.xp, backend.asarray(x), backend.asarray(y)))

    assert agrees([1000, 2], [1000, 2])
    assert not agrees([1000, 2], [1001, 2])


def test_half_floats_are_compared_coarsely(backend: Backend) -> None:
    if backend.name == "strict":  # it has no float16
        return
    x, y, z = (backend.asarray(np.asarray([w, 1.0], "float16")) for w in (1.0, 1.01, 1.1))
    assert agree(backend.xp, x, y)
    assert not agree(backend.xp, x, z)


def test_replays_that_may_round_are_compared_so(backend: Backend) -> None:
    if not backend.can_record:
        return
    x, y = (backend.asarray([1.0, z], dtype="float32") for z in (1.0, 1.0 + 1e-4))
    assert bool(backend.agree(x, y)) is not backend.replays_exactly
    assert bool(backend.updates_agree(x * 0.0, x, y)) is not backend.replays_exactly
