"""Indices of `take` in a replay."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from backends import namespace_of
from backends.numpy.bounds import BoundsCheck

from .recording import backend, same


def test_empty_takes() -> None:
    def body(xp: Any, s: Any, x: Any) -> Any:
        rows = xp.astype(x[:0, 0], xp.int64)
        return (
            xp.take(x, rows, axis=0),
            xp.take(s["row"], rows),
            xp.take(x[:1, :], xp.zeros(2, dtype=xp.int64), axis=0),
        )

    same(body)


def test_indices_that_are_negative_or_out_of_bounds() -> None:
    def function(state: Any, chosen: Any) -> tuple[Any, ...]:
        xp = namespace_of(chosen)
        return tuple(
            xp.take(state[key], rows) for rows in (chosen, chosen + 1) for key in ("a", "b", "short")
        )

    state = {"a": np.arange(9.0), "b": 10.0 + np.arange(9.0), "short": np.arange(5.0)}
    replay = backend.record(function, [state], [np.asarray([0, 1])])
    assert replay is not None
    for rows in ([0, 1], [3, 2], [2, 3], [1, 1], [-1, -5], [0, 3]):
        chosen = np.asarray(rows)
        for ours, expected in zip(replay(chosen), function(state, chosen), strict=True):
            np.testing.assert_array_equal(ours, expected)
    for rows in ([4, 0], [-6, 0]):  # too far for the short one only
        with pytest.raises(IndexError):
            replay(np.asarray(rows))


def test_an_input_is_checked_once_and_computed_indices_each_time() -> None:
    def function(state: Any, chosen: Any) -> tuple[Any, ...]:
        xp = namespace_of(chosen)
        taken = [xp.take(state["a"], chosen), xp.take(state["b"], chosen)]
        taken += [xp.take(state["a"], chosen * 1), xp.take(state["a"], chosen - 1)]  # one memory, used again
        return tuple(taken)

    state = {"a": np.arange(9.0), "b": 10.0 + np.arange(9.0)}
    replay: Any = backend.record(function, [state], [np.asarray([1, 2])])
    assert sum(isinstance(call, BoundsCheck) for call in replay._program) == 3
    for rows in ([1, 2], [0, 3]):
        chosen = np.asarray(rows)
        for ours, expected in zip(replay(chosen), function(state, chosen), strict=True):
            np.testing.assert_array_equal(ours, expected)


def test_two_views_of_an_input_are_both_checked() -> None:
    def function(state: Any, chosen: Any) -> tuple[Any, ...]:
        xp = namespace_of(chosen)
        parts = chosen[:2], chosen[1:], chosen[::2], xp.reshape(chosen[:2], (2, 1))
        return tuple(xp.take(state[key], rows) for key in ("long", "short") for rows in parts)

    state = {"long": np.arange(9.0), "short": np.arange(3.0)}
    replay: Any = backend.record(function, [state], [np.asarray([0, 1, 2])])
    for values in ([0, 1, 2], [2, -1, 0], [-3, 2, 1]):
        chosen = np.asarray(values)
        for ours, expected in zip(replay(chosen), function(state, chosen), strict=True):
            np.testing.assert_array_equal(ours, expected)
    for far in ([0, 0, 3], [3, 0, 0]):
        with pytest.raises(IndexError):
            replay(np.asarray(far))
