"""NCCL in a group of one, which sends to itself: called and captured, against plain additions."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import add
from typing import Any

import numpy as np

from backends import Backend, Communicator, get_backend

from ..reporting import NotHereError, Report
from .empty_kernel import cupy_on

CASES = {(1, 1000): "float32", (4, 1_000_003): "float32", (4, 50_007): "float64"}
"""How many vectors, of which length."""


def run(report: Report, arguments: list[str], quick: bool) -> None:
    cupy_on(arguments[0])
    backend, alone = get_backend(arguments[0]), Communicator()
    if not backend.records_sums(alone):
        raise NotHereError("NCCL is not installed")
    for (count, length), dtype in CASES.items():
        wrong = [how for how, sums in _sums(backend, alone, count, length, dtype).items() if not all(sums)]
        result = f"other bits {' and '.join(wrong)}" if wrong else "the same bits called and captured"
        report.add(f"{count} vectors of {length:,} in {dtype}", result, passed=not wrong)


def _sums(
    backend: Backend, alone: Communicator, count: int, length: int, dtype: str
) -> dict[str, list[bool]]:
    """Whether each sum, called and captured, has the bits of plain additions."""
    total = backend.exchange(alone, [count], length, dtype)

    def summed(state: Any, *vectors: Any) -> tuple[Any, ...]:
        return (backend.xp.asarray(backend.ordered_sum(total, vectors), copy=True),)

    def vectors(seed: int) -> Sequence[Any]:
        values = np.random.default_rng(seed).standard_normal((count, length))
        return [backend.asarray(vector, dtype=dtype) for vector in values]

    def is_right(found: tuple[Any, ...], seed: int) -> bool:
        expected = backend.to_numpy(reduce(add, vectors(seed)))
        return backend.to_numpy(found[0]).tobytes() == expected.tobytes()

    called = [is_right(summed({}, *vectors(seed)), seed) for seed in range(3)]
    replay = backend.record(summed, [{}], vectors(0))
    return {"called": called, "captured": [is_right(replay(*vectors(seed)), seed) for seed in range(3)]}
