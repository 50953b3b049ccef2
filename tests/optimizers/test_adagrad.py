"""AdaGrad."""

from __future__ import annotations

import numpy as np
import pytest

from backends import Backend
from backprop import AdaGrad

from .cases import assert_follows, assert_matches_pytorch, first_step


def test_formula_of_the_book(backend: Backend) -> None:
    h = {"W": 0.0, "b": 0.0}

    def step(t: int, key: str, p: np.ndarray, g: np.ndarray) -> None:
        h[key] += g * g
        p -= 0.1 * g / (np.sqrt(h[key]) + 1e-7)

    assert_follows(AdaGrad(0.1), step, backend)


@pytest.mark.only("torch")
def test_matches_pytorch(backend: Backend) -> None:
    import torch

    assert_matches_pytorch(AdaGrad(0.1), lambda p: torch.optim.Adagrad(p, 0.1, eps=1e-7), backend)


def test_a_large_epsilon_in_the_first_step() -> None:
    assert first_step(AdaGrad(0.1, epsilon=0.5)) == pytest.approx(2.0 - 0.1 * 0.5 / (0.5 + 0.5), rel=1e-12)
