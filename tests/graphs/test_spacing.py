"""Positions across the drawing."""

from __future__ import annotations

import numpy as np
import pytest

from backprop.graphs.spacing import nearest, straighten


@pytest.mark.parametrize("seed", range(30))
def test_no_positions_are_nearer(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 8))
    desired, weights = 5.0 * rng.standard_normal(n), rng.uniform(0.05, 2.0, n)
    apart = rng.uniform(0.1, 3.0, n - 1)
    found = np.asarray(nearest(desired.tolist(), weights.tolist(), apart.tolist()))
    assert (np.diff(found) >= apart - 1e-9).all()
    cost = (weights * (found - desired) ** 2).sum()
    for scale in (1e-3, 0.1, 1.0):
        for _ in range(200):
            other = found + scale * rng.standard_normal(n)
            if (np.diff(other) >= apart).all():
                assert (weights * (other - desired) ** 2).sum() >= cost - 1e-9


def test_positions_that_have_room_are_kept() -> None:
    assert nearest([0.0, 5.0, 9.0], [1.0, 0.1, 3.0], [5.0, 1.0]) == [0.0, 5.0, 9.0]
    assert nearest([], [], []) == []


def test_a_line_is_straight_where_its_neighbours_leave_room() -> None:
    layers = [[0, 1], [2], [3, 4]]
    extents = [(1.0, 1.0)] * 5
    at = [0.0, 7.0, 3.0, 8.0, 20.0]
    straighten([[1, 2, 4]], layers, extents, 2.0, at)
    assert at == [0.0, 12.0, 12.0, 8.0, 12.0]  # 4 is kept 4 away from 3
    blocked = [0.0, 7.0, 3.0, 8.0, 20.0]
    straighten([[0, 2, 4]], layers, extents, 2.0, blocked)  # 0 must stay below 3, 4 above 12
    assert blocked == [0.0, 7.0, 3.0, 8.0, 20.0]
