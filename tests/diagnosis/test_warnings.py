"""Warnings about layers and gradients."""

from __future__ import annotations

import numpy as np
import pytest

from backprop.diagnosis.batch import Gradient, LayerOutput, histogram
from backprop.diagnosis.warnings import find_warnings


def output(name: str = "ReLU1", dead: int = 0, *, finite: bool = True) -> LayerOutput:
    return LayerOutput(name, (5, 20), 0.0, 1.0, 0.5, False, finite, 20, dead, histogram(np.ones(3)))


def gradient(number: int, norm: float, update: float | None = 1e-3) -> Gradient:
    shape, counts = (2, 2), histogram(np.ones(4))
    return Gradient(f"W{number}", f"Affine{number}", True, shape, 1.0, norm, update, counts)


@pytest.mark.parametrize(
    ("outputs", "gradients", "warnings"),
    [
        ([output(dead=2)], [gradient(1, 1.0), gradient(2, 1.0)], []),
        ([output(dead=3)], [], ["ReLU1: 3 of 20 units (15%) are dead"]),
        ([output(finite=False)], [], ["The output of ReLU1 contains NaN or infinity."]),
        ([], [gradient(1, 1.1e-3), gradient(2, 1.0)], []),
        ([], [gradient(1, 0.9e-3), gradient(2, 1.0)], ["Affine1: the gradient of W1 vanishes"]),
        ([], [gradient(1, 0.9e-7), gradient(2, 2e-7)], ["Affine1: W1 has almost no gradient"]),
        ([], [gradient(1, 1.0, 0.2)], ["Affine1: a step changes W1 by 0.2 of its norm, more than 0.1;"]),
        ([], [gradient(1, 1.0, np.nan)], ["Affine1: a step changes W1 by nan of its norm, more than 0.1;"]),
        ([], [gradient(1, 1.0, 5e-7)], ["Affine1: a step changes W1 by 5e-07 of its norm, less than 1e-06;"]),
        ([], [gradient(1, 1.0, None)], []),
    ],
)
def test_warnings(outputs: list[LayerOutput], gradients: list[Gradient], warnings: list[str]) -> None:
    found = list(find_warnings(outputs, gradients))
    assert len(found) == len(warnings)
    assert all(line.startswith(start) for line, start in zip(found, warnings, strict=True))


def test_schedule_may_end_with_small_updates() -> None:
    assert not list(find_warnings([], [gradient(1, 1.0, 0.0)], scheduled=True))
