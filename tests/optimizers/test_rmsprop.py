"""RMSprop."""

from __future__ import annotations

import math

import numpy as np
import pytest

from backends import Backend
from backprop import RMSprop

from .cases import assert_follows, assert_matches_pytorch, first_step


def test_formula_of_the_book(backend: Backend) -> None:
    h = {"W": 0.0, "b": 0.0}

    def step(t: int, key: str, p: np.ndarray, g: np.ndarray) -> None:
        h[key] = 0.9 * h[key] + 0.1 * g * g
        p -= 0.01 * g / (np.sqrt(h[key]) + 1e-7)

    assert_follows(RMSprop(0.01, 0.9), step, backend)


@pytest.mark.only("torch")
def test_matches_pytorch(backend: Backend) -> None:
    import torch

    assert_matches_pytorch(
        RMSprop(0.01, 0.9), lambda p: torch.optim.RMSprop(p, 0.01, alpha=0.9, eps=1e-7), backend
    )


def test_a_large_epsilon_in_the_first_step() -> None:
    expected = 2.0 - 0.1 * 0.5 / (math.sqrt(0.01) * 0.5 + 0.5)
    assert first_step(RMSprop(0.1, epsilon=0.5)) == pytest.approx(expected, rel=1e-12)
