"""Record a function on NumPy and compare its replays with calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from backends import get_backend, namespace_of
from backends.numpy.replay import NumpyReplay

backend = get_backend("cpu")


xp: Any = backend.xp


def arrays(seed: int, dtype: str) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)

    def draw(*shape: int) -> np.ndarray:
        if dtype == "int64":
            return rng.integers(1, 9, shape)
        return np.asarray(rng.uniform(0.1, 0.9, shape), dtype)

    return {"a": draw(5, 4), "b": draw(5, 4), "row": draw(4), "square": draw(4, 4), "long": draw(3, 40)}


def same(
    body: Callable[..., Any], dtype: str = "float32", times: int = 4, fill: float | None = None
) -> NumpyReplay:
    """`body(xp, state, x)` recorded with one state and inputs, and replayed with others: as it is called."""

    def function(state: Any, x: Any) -> tuple[Any, ...]:
        result = body(namespace_of(x), state, x)
        return result if isinstance(result, tuple) else (result,)

    state, other, first = arrays(0, dtype), arrays(0, dtype), arrays(1, dtype)["a"]
    for values in () if fill is None else (first, *state.values()):
        values[...] = fill
    replay = backend.record(function, [state], [first])
    assert isinstance(replay, NumpyReplay)
    for key in state:
        state[key][...] = other[key]
    for seed in range(1, 1 + times):
        x = arrays(seed, dtype)["a"]
        ours, expected = replay(x), function(other, x.copy())
        for mine, its in zip(ours, expected, strict=True):
            its = np.asarray(its)
            assert (mine.dtype, mine.shape, mine.tobytes()) == (its.dtype, its.shape, its.tobytes())
        for key, values in other.items():
            assert state[key].tobytes() == values.tobytes()
    return replay


def filled(xp: Any, s: Any, x: Any) -> Any:
    frame, whole = xp.zeros((7, 4), dtype=x.dtype), xp.empty((5, 4), dtype=xp.int64)
    frame[1:6, :] = x
    frame[0, :] += x[0, :]
    frame[6, 2] = 7.0
    whole[...] = 7
    whole[1, ...] = x[0, :] * 9.5  # as NumPy assigns: converted
    whole[2, 1] = xp.astype(xp.count_nonzero(x > 0.5), xp.int64)
    return frame, whole
