"""Layers that change the shape alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from backprop import Reshape


def test_a_shape_in_numpy_s_numbers() -> None:
    assert Reshape((np.int64(2), np.uint8(3))).forward(np.ones((4, 6))).shape == (4, 2, 3)


@pytest.mark.parametrize(
    ("make", "x", "message"),
    [
        (lambda: Reshape((0, 2)), None, "Reshape: expected whole numbers of at least 1 in shape"),
        (lambda: Reshape(6), None, r"Reshape: expected a shape such as \(6,\), got 6"),
        (lambda: Reshape((2, 2)), np.ones((3, 5)), r"expected input \(N, …\) with 4 numbers a sample, got \(3, 5\)"),
    ],
)  # fmt: skip
def test_bad_input(make: Any, x: np.ndarray | None, message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        make().forward(x, training=True)
