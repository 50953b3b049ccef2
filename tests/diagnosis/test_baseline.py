"""The loss and accuracy of the best constant output."""

from __future__ import annotations

import math

import numpy as np
import pytest

from backprop import Affine, MeanSquaredError, Network, SigmoidWithLoss, SoftmaxWithLoss
from backprop.diagnosis import constant_baseline

from .training import RNG, T, net


@pytest.mark.parametrize(("classes", "t"), [(4, T), (4, np.where(T > 0, 1, 0)), (5, T)])
def test_cross_entropy(classes: int, t: np.ndarray) -> None:
    network = net(classes=classes)
    shares = np.bincount(t, minlength=classes) / len(t)
    found = constant_baseline(network.last_layer, classes, t, network)
    assert found is not None
    entropy = -sum(p * math.log(p) for p in shares if p)
    assert (found.loss, found.accuracy) == pytest.approx((entropy, shares.max()), rel=1e-5)


def test_other_losses() -> None:
    t = RNG.standard_normal((50, 3)) + 2.0
    mean = Network([Affine(np.zeros((8, 3)), np.zeros(3))], MeanSquaredError())
    found = constant_baseline(mean.last_layer, 3, t, mean)
    best = min(
        float(mean.last_layer.forward(np.broadcast_to(t.mean(axis=0) + d, t.shape), t))
        for d in (-0.1, 0.0, 0.1)
    )
    assert found is not None
    assert (found.loss, found.accuracy) == (pytest.approx(best), None)
    yes = Network([Affine(np.zeros((8, 1)), np.zeros(1))], SigmoidWithLoss())
    found = constant_baseline(yes.last_layer, 1, np.asarray([[1.0], [0.0], [0.0], [0.0]]), yes)
    assert found is not None
    entropy = -0.25 * math.log(0.25) - 0.75 * math.log(0.75)
    assert (found.loss, found.accuracy) == (pytest.approx(entropy), 0.75)


def test_label_smoothing() -> None:
    network = Network(
        [Affine(np.zeros((8, 10), "float32"), np.zeros(10, "float32"))], SoftmaxWithLoss(label_smoothing=0.1)
    )
    found = constant_baseline(network.last_layer, 10, T, network)
    assert found is not None
    scores = np.log(0.9 * np.bincount(T, minlength=10) / 600 + 0.01)
    best = float(network.last_layer.forward(np.broadcast_to(scores, (600, 10)).copy(), T))
    assert found.loss == pytest.approx(best, rel=1e-5)
    for _ in range(20):
        other = scores + 0.1 * RNG.standard_normal(10)
        assert best < float(network.last_layer.forward(np.broadcast_to(other, (600, 10)).copy(), T))
