"""Losses whose target has the shape of x."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from backends import Backend
from backprop import MeanSquaredError, SigmoidWithLoss


@pytest.mark.parametrize("loss_class", [SigmoidWithLoss, MeanSquaredError])
def test_targets_of_another_shape(loss_class: Any, backend: Backend) -> None:
    with pytest.raises(ValueError, match=r"expected t \(4, 1\), got \(4,\)"):
        loss_class().forward(backend.asarray(np.zeros((4, 1))), backend.asarray(np.zeros(4)))
