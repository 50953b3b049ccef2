"""Elementwise functions block by block."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from backends.numpy.fusion import BLOCK, blockwise


def drawn(n: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(n)


@pytest.mark.parametrize("n", [7, BLOCK, BLOCK + 1, 3 * BLOCK + 5])
def test_functions_blockwise(n: int) -> None:
    """Whether the function changes its arguments, returns new arrays or one argument for another."""

    def changing(p: Any, v: Any, g: Any, rate: float) -> Any:
        v -= rate * g
        p += v
        return p, v

    def returning(p: Any, v: Any, g: Any, rate: float) -> Any:
        v = v - rate * g
        return p + v, v

    def swapping(p: Any, v: Any, g: Any, rate: float) -> Any:
        return v, p

    def keeping(p: Any, v: Any, g: Any, rate: float) -> Any:
        p -= v
        return p, g

    for function in (changing, returning, swapping, keeping):
        arrays, whole = ([drawn(n, seed) for seed in range(3)] for _ in range(2))
        expected = [result.copy() for result in function(*whole, 0.5)]
        for ours, theirs in zip(blockwise(function)(*arrays, 0.5), expected, strict=True):
            np.testing.assert_array_equal(ours, theirs)
        np.testing.assert_array_equal(arrays[2], drawn(n, 2))
