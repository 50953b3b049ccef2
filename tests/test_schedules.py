"""Learning-rate schedules."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from backends import Backend
from backprop import SGD
from backprop.schedules import Constant, Cosine, Step, WarmUp

from .optimizers.cases import trained


@pytest.mark.parametrize(
    "lr", [Step(0.1, every=3, factor=0.5), Cosine(0.1, 20, 0.01), WarmUp(Constant(0.1), 5)]
)
def test_a_schedule_is_followed_in_fit(lr: Any, backend: Backend) -> None:
    captured, called = (trained(SGD(lr), backend, capture) for capture in (True, False))
    np.testing.assert_allclose(captured, called, rtol=1e-12)
    params, net = {"W": np.zeros(1)}, SGD(lr)
    for _ in range(20):
        net.update(params, {"W": np.ones(1)})
    np.testing.assert_allclose(params["W"], [-sum(lr(step) for step in range(1, 21))])


def test_schedules() -> None:
    assert [Step(1.0, 2, 0.1)(step) for step in (1, 2, 3, 4, 5)] == pytest.approx([1.0, 1.0, 0.1, 0.1, 0.01])
    cosine = Cosine(1.0, 5, 0.2)
    assert [cosine(step) for step in (1, 2, 3, 5, 9)] == pytest.approx(
        [1.0, 0.2 + 0.8 * (1 + math.sqrt(0.5)) / 2, 0.6, 0.2, 0.2]
    )
    assert Cosine(1.0, 1)(1) == 1.0
    assert [Step(1.0, np.int64(2))(3), Cosine(1.0, np.int32(5))(5)] == pytest.approx([0.1, 0.0])
    warm = WarmUp(Cosine(1.0, 3), np.int64(4))
    assert [warm(step) for step in range(1, 9)] == pytest.approx([0.25, 0.5, 0.75, 1.0, 1.0, 0.5, 0.0, 0.0])
    for make, message in [
        (lambda: Constant(-1.0), "Constant: expected a finite rate of at least 0, got -1.0"),
        (lambda: Step(0.1, 0), "Step: expected every to be a whole number of at least 1, got 0"),
        (lambda: Step(0.1, 3, 1.5), "Step: expected a factor above 0 and at most 1, got 1.5"),
        (lambda: Cosine(0.1, 5, math.nan), "Cosine: expected a finite rate of at least 0, got nan"),
        (lambda: Cosine(0.1, 5, 0.2), "Cosine: expected lowest to be at most lr, 0.1, got 0.2"),
        (lambda: Cosine(0.1, 2.5), "Cosine: expected steps to be a whole number"),
        (lambda: WarmUp(0.1, 5), r"WarmUp: expected a schedule, such as Constant\(0.1\), got 0.1"),
        (lambda: WarmUp(Constant(0.1), 0), "WarmUp: expected steps to be a whole number"),
    ]:
        with pytest.raises((ValueError, TypeError), match=message):
            make()
