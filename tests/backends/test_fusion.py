"""The results of fused functions."""

from __future__ import annotations

import numpy as np

from backends.fusion import without_aliases, write_back


def test_results_take_the_place_of_their_arguments() -> None:
    a, b, c = np.ones(2), 2.0 * np.ones(2), 3.0 * np.ones(2)
    write_back([a, b, c], [a, c * 2.0])
    assert [x.tolist() for x in (a, b, c)] == [[1.0, 1.0], [6.0, 6.0], [3.0, 3.0]]


def test_exchanged_arguments() -> None:
    a, b = np.ones(2), 2.0 * np.ones(2)
    write_back([a, b], [b, a])
    assert [x.tolist() for x in (a, b)] == [[2.0, 2.0], [1.0, 1.0]]


def test_only_an_argument_in_another_position_is_copied() -> None:
    a, b, new = np.ones(2), 2.0 * np.ones(2), 3.0 * np.ones(2)
    kept, moved, fresh = without_aliases([a, b], [a, a, new])
    assert (kept is a, moved is a, fresh is new) == (True, False, True)
    assert moved.tolist() == [1.0, 1.0]  # type: ignore[attr-defined]
