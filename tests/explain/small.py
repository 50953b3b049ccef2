"""Small networks with a batch, of every kind that is explained."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from backprop import (
    Affine,
    BatchNormalization,
    Convolution,
    DeepConvNet,
    Dropout,
    Flatten,
    LayerNormalization,
    MeanSquaredError,
    MultiLayerNet,
    Network,
    ReLU,
    Residual,
    Sigmoid,
    SigmoidWithLoss,
    SimpleConvNet,
    Tanh,
    TwoLayerNet,
)
from backprop.datasets import mnist

Batch = tuple[Network, np.ndarray, np.ndarray]


def digits(count: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """The first test samples of MNIST, as bytes."""
    data = mnist()
    return data.x_test[:count], data.t_test[:count]


def affine(rng: np.random.Generator, inputs: int, outputs: int) -> Affine:
    return Affine(rng.standard_normal((inputs, outputs)) / inputs**0.5, 0.1 * rng.standard_normal(outputs))


def two_layer() -> Batch:
    x, t = digits()
    return TwoLayerNet(784, 50, 10, rng=0), x.reshape(-1, 784), t


def multi_layer() -> Batch:
    x, t = digits()
    options: dict[str, Any] = {"use_batchnorm": True, "dropout_ratio": 0.2, "weight_decay_lambda": 0.1}
    return MultiLayerNet(784, [8, 8], 10, rng=0, **options), x.reshape(-1, 784), t


def simple_conv() -> Batch:
    return SimpleConvNet(rng=0), *images()


def deep_conv() -> Batch:
    return DeepConvNet(rng=0), *images()


def images() -> tuple[np.ndarray, np.ndarray]:
    x, t = digits(2)
    return x.reshape(-1, 1, 28, 28), t


def regression() -> Batch:
    rng = np.random.default_rng(0)
    network = Network([affine(rng, 3, 5), Tanh(), affine(rng, 5, 2)], MeanSquaredError())
    return network, rng.standard_normal((4, 3)), rng.standard_normal((4, 2))


def questions() -> Batch:
    rng = np.random.default_rng(0)
    network = Network([affine(rng, 3, 5), Sigmoid(), affine(rng, 5, 2)], SigmoidWithLoss())
    return network, rng.standard_normal((4, 3)), rng.integers(0, 2, (4, 2))


def blocks() -> Batch:
    rng = np.random.default_rng(0)
    block = Residual(
        [affine(rng, 4, 4), BatchNormalization(np.ones(4), np.zeros(4)), ReLU(), Dropout(0.3, seed=1)]
    )
    layers = [affine(rng, 3, 4), block, LayerNormalization(np.ones(4), np.zeros(4)), affine(rng, 4, 3)]
    return Network(layers), rng.standard_normal((4, 3)), rng.integers(0, 3, 4)


def colours() -> Batch:
    rng = np.random.default_rng(0)
    W = rng.standard_normal((2, 3, 2, 2))
    network = Network([Convolution(W, np.zeros(2)), ReLU(), Flatten(), affine(rng, 2 * 7 * 7, 3)])
    return network, rng.random((3, 3, 8, 8)), rng.integers(0, 3, 3)


NETWORKS: dict[str, Callable[[], Batch]] = {
    "TwoLayerNet": two_layer,
    "MultiLayerNet": multi_layer,
    "SimpleConvNet": simple_conv,
    "DeepConvNet": deep_conv,
    "regression": regression,
    "questions": questions,
    "blocks": blocks,
    "colours": colours,
}
