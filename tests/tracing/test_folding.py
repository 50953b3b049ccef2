"""What repeats in a stack."""

from __future__ import annotations

import pytest

from backprop.tracing.folding import repeats


@pytest.mark.parametrize(("kinds", "runs"), [
    ("", []),
    ("a", [(0, 1, 1)]),
    ("aaa", [(0, 1, 3)]),
    ("abc", [(0, 1, 1), (1, 1, 1), (2, 1, 1)]),
    ("ababa", [(0, 2, 2), (4, 1, 1)]),
    ("xabcabcy", [(0, 1, 1), (1, 3, 2), (7, 1, 1)]),
    ("crcrpcrcrpcrcrpardf", [(0, 5, 3), (15, 1, 1), (16, 1, 1), (17, 1, 1), (18, 1, 1)]),
])  # fmt: skip
def test_repeats(kinds: str, runs: list[tuple[int, int, int]]) -> None:
    assert [(run.start, run.length, run.count) for run in repeats(list(kinds))] == runs


def test_every_layer_is_in_one_run() -> None:
    kinds = list("abababcabcaabbaabbxyz")
    stops = [run.stop for run in repeats(kinds)]
    assert [run.start for run in repeats(kinds)] == [0, *stops[:-1]]
    assert stops[-1] == len(kinds)
