"""Fused functions, and their results."""

from __future__ import annotations

from typing import Any

import numpy as np

from backends import Array, Backend, Namespace, fused, namespace_of
from backends.fusion import without_aliases, write_back

seen: list[Any] = []


@fused
def scaled(xp: Namespace, x: Array, y: Array, *, factor: float) -> tuple[Array, Array]:
    """What it computes."""
    seen.append(xp)
    largest = xp.maximum(x, y)
    return factor * largest, x > y


def test_a_function_gets_the_namespace_of_its_arrays(backend: Backend) -> None:
    x, y = backend.asarray([1.0, 4.0], dtype="float32"), backend.asarray([2.0, 3.0], dtype="float32")
    seen.clear()
    largest, larger = scaled(x, y, factor=0.5)
    assert backend.to_numpy(largest).tolist() == [1.0, 2.0]
    assert backend.to_numpy(larger).tolist() == [False, True]
    assert largest.dtype == x.dtype
    if backend.name != "cupy":  # which calls it once, to make a kernel
        assert seen == [namespace_of(x)]
    assert (scaled.__name__, scaled.__doc__) == ("scaled", "What it computes.")


def test_its_calls_are_recorded(backend: Backend) -> None:
    if not backend.can_record:
        return

    def step(state: dict[str, Array], x: Array) -> tuple[Array, ...]:
        largest, _ = scaled(x, state["y"], factor=0.5)
        return (largest,)

    y = backend.asarray([2.0, 3.0])
    first, other = backend.asarray([1.0, 4.0]), backend.asarray([8.0, 0.0])
    step({"y": y}, first)
    replay = backend.record(step, [{"y": y}], [first])
    assert backend.to_numpy(replay(other)[0]).tolist() == [4.0, 1.5]


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
