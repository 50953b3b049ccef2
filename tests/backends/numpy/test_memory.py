"""The memory of a recorded step."""

from __future__ import annotations

from typing import Any

from .recording import same


def test_results_begin_a_cache_line() -> None:
    replay = same(
        lambda xp, s, x: (x * 2.0, xp.exp(x[0, :]) + 1.0, xp.sum(x), x[:, 1:] - 1.0, x[:0, :] * 1.0)
    )
    assert len(replay.recorded) == 6
    assert {call.out.__array_interface__["data"][0] % 64 for call in replay.recorded} == {0}


def test_memory_is_reused() -> None:
    def body(xp: Any, s: Any, x: Any) -> Any:
        for _ in range(50):
            x = xp.exp(x) * 0.1
        return x

    replay = same(body)
    assert len({call.out.__array_interface__["data"][0] for call in replay.recorded}) <= 3


def test_a_view_keeps_its_memory() -> None:
    def body(xp: Any, s: Any, x: Any) -> Any:
        views = [(x * 2.0)[1:, :], (x * 3.0).T, (x * 4.0).mT, xp.permute_dims(x * 5.0, (1, 0))]
        others = [x * number for number in (6.0, 7.0, 8.0, 9.0)]  # these would lie there otherwise
        return *(view * 1.0 for view in views), *others

    same(body)
