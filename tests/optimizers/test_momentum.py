"""Momentum and Nesterov."""

from __future__ import annotations

import numpy as np
import pytest

from backends import Backend
from backprop import Momentum, Nesterov

from .cases import assert_follows, assert_matches_pytorch


def test_formula_of_the_book(backend: Backend) -> None:
    v = {"W": 0.0, "b": 0.0}

    def step(t: int, key: str, p: np.ndarray, g: np.ndarray) -> None:
        v[key] = 0.8 * v[key] - 0.1 * g
        p += v[key]

    assert_follows(Momentum(0.1, 0.8), step, backend)


def test_nesterov_uses_v_before_its_change(backend: Backend) -> None:
    """As in equation 7 of the paper."""
    v = {"W": 0.0, "b": 0.0}

    def step(t: int, key: str, p: np.ndarray, g: np.ndarray) -> None:
        p += 0.8 * 0.8 * v[key] - (1.0 + 0.8) * 0.1 * g
        v[key] = 0.8 * v[key] - 0.1 * g

    assert_follows(Nesterov(0.1, 0.8), step, backend)


@pytest.mark.only("torch")
@pytest.mark.parametrize("kind", [Momentum, Nesterov])
def test_matches_pytorch(kind: type[Momentum], backend: Backend) -> None:
    import torch

    nesterov = kind is Nesterov
    assert_matches_pytorch(
        kind(0.1, 0.8), lambda p: torch.optim.SGD(p, 0.1, momentum=0.8, nesterov=nesterov), backend
    )
