"""SGD, and the gradient of lr · loss."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from backends import Backend
from backprop import SGD

from .cases import MAKERS, assert_follows, assert_matches_pytorch


def test_formula_of_the_book(backend: Backend) -> None:
    def step(t: int, key: str, p: np.ndarray, g: np.ndarray) -> None:
        p -= 0.1 * g

    assert_follows(SGD(0.1), step, backend)


@pytest.mark.only("torch")
def test_matches_pytorch(backend: Backend) -> None:
    import torch

    assert_matches_pytorch(SGD(0.1), lambda p: torch.optim.SGD(p, 0.1), backend)


def test_only_plain_sgd_scales_the_loss() -> None:
    class Own(SGD):
        pass

    for kind in (*MAKERS, Own):
        plain, clipped = kind(0.2).loss_scale([0.2]), kind(0.2, max_norm=3.0).loss_scale([0.2])
        assert (plain, clipped) == (0.2 if kind is SGD else 1.0, 1.0)


def test_apply_takes_the_gradient_of_the_scaled_loss(backend: Backend) -> None:
    for options, expected in (({}, [-1.0, -1.0]), ({"max_norm": 1e9}, [0.5, 1.25])):
        optimizer: Any = SGD(0.25, **options)
        params = {"W": backend.asarray([1.0, 2.0])}
        optimizer.apply(params, {"W": backend.asarray([2.0, 3.0])}, {}, optimizer.scalars(1))
        assert backend.to_numpy(params["W"]).tolist() == expected
    with pytest.raises(ValueError, match=r"SGD: expected a gradient of shape \(2,\) for W, got \(1,\)"):
        SGD().apply({"W": np.ones(2)}, {"W": np.ones(1)}, {}, (0.01,))
