"""Adam and AdamW."""

from __future__ import annotations

import math

import numpy as np
import pytest

from backends import Backend
from backprop import Adam, AdamW

from .cases import assert_follows, assert_matches_pytorch, first_step


def test_formula_of_the_book(backend: Backend) -> None:
    m, v = {"W": 0.0, "b": 0.0}, {"W": 0.0, "b": 0.0}

    def step(t: int, key: str, p: np.ndarray, g: np.ndarray) -> None:
        rate = 0.01 * math.sqrt(1.0 - 0.99**t) / (1.0 - 0.8**t)
        m[key] += (1.0 - 0.8) * (g - m[key])
        v[key] += (1.0 - 0.99) * (g * g - v[key])
        p -= rate * m[key] / (np.sqrt(v[key]) + 1e-7)

    assert_follows(Adam(0.01, 0.8, 0.99), step, backend)


def test_adamw_is_algorithm_2_of_its_paper(backend: Backend) -> None:
    m, v = {"W": 0.0, "b": 0.0}, {"W": 0.0, "b": 0.0}

    def step(t: int, key: str, p: np.ndarray, g: np.ndarray) -> None:
        m[key] += (1.0 - 0.8) * (g - m[key])
        v[key] += (1.0 - 0.99) * (g * g - v[key])
        p -= 0.01 * 0.3 * p
        p -= 0.01 * (m[key] / (1.0 - 0.8**t)) / (np.sqrt(v[key] / (1.0 - 0.99**t)) + 1e-8)

    assert_follows(AdamW(0.01, 0.8, 0.99, weight_decay=0.3), step, backend)


@pytest.mark.only("torch")
def test_matches_pytorch(backend: Backend) -> None:
    """With a tiny ε, which stands elsewhere in PyTorch."""
    import torch

    ours = Adam(0.01, 0.8, 0.99, epsilon=1e-30)
    assert_matches_pytorch(ours, lambda p: torch.optim.Adam(p, 0.01, betas=(0.8, 0.99), eps=1e-30), backend)


@pytest.mark.only("torch")
def test_adamw_matches_pytorch(backend: Backend) -> None:
    import torch

    assert_matches_pytorch(
        AdamW(0.01, 0.8, 0.99, weight_decay=0.3, epsilon=1e-3),
        lambda p: torch.optim.AdamW(p, 0.01, betas=(0.8, 0.99), eps=1e-3, weight_decay=0.3),
        backend,
    )


def test_a_large_epsilon_in_the_first_step() -> None:
    """It shows where ε stands."""
    outside = 2.0 - 0.1 * math.sqrt(0.001) * 0.5 / (math.sqrt(0.001) * 0.5 + 0.5)
    inside = 2.0 * (1.0 - 0.1 * 0.01) - 0.1 * 0.5 / (0.5 + 0.5)
    assert first_step(Adam(0.1, epsilon=0.5)) == pytest.approx(outside, rel=1e-12)
    assert first_step(AdamW(0.1, epsilon=0.5)) == pytest.approx(inside, rel=1e-12)
