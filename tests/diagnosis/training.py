"""Small networks in training, and the warnings about them."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from backprop import Network, TwoLayerNet, fit
from backprop.diagnosis import LearningWarning

RNG = np.random.default_rng(0)

X = RNG.standard_normal((600, 8)).astype("float32")

T = np.argmax(X[:, :4], axis=1)


def net(std: float = 0.3, classes: int = 4, device: Any = "cpu") -> TwoLayerNet:
    return TwoLayerNet(8, 20, classes, weight_init_std=std, device=device, rng=0)


def learning_warnings(network: Network, x: Any = X, t: Any = T, **options: Any) -> list[str]:
    settings: dict[str, Any] = {"epochs": 40, "batch_size": 100, "rng": 0, **options}
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        fit(network, x, t, **settings)
    return [str(one.message) for one in found if one.category is LearningWarning]


def causes(network: Network, x: Any = X, t: Any = T, **options: Any) -> list[str]:
    (line,) = learning_warnings(network, x, t, **options)
    assert "the network is no better than guessing: loss " in line
    return [part.partition(") ")[2] for part in line.partition("in order: ")[2].split("; (")]
