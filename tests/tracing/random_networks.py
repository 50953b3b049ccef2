"""Small random networks of all kinds of layers and losses, with a batch for each."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from backends import Array, Backend
from backprop import (
    GELU,
    Affine,
    AveragePooling,
    BatchNormalization,
    Convolution,
    ConvolutionReLUPooling,
    Dropout,
    Flatten,
    Identity,
    LayerNormalization,
    LeakyReLU,
    MaxPooling,
    MeanSquaredError,
    Network,
    ReLU,
    Reshape,
    Residual,
    Sigmoid,
    SigmoidWithLoss,
    Softmax,
    SoftmaxWithLoss,
    Tanh,
)
from backprop.layers import Layer
from backprop.losses import Loss

ACTIVATIONS = (GELU, Identity, LeakyReLU, ReLU, Sigmoid, Tanh)
SAMPLES = 3


def random_network(backend: Backend, seed: int) -> tuple[Network, Array, Array]:
    """A network of a few layers, in float64, with an input and a target for it."""
    rng = np.random.default_rng(seed)
    shape = ((1, 3, 3), (2, 3, 3), (3,), (4,))[rng.integers(4)]
    x = rng.standard_normal((SAMPLES, *shape))
    layers = [*images(rng, shape[0])] if len(shape) == 3 else []
    layers += flat(rng, features(layers, x), int(rng.integers(1, 3 if len(shape) == 3 else 4)))
    classes = int(rng.integers(2, 4))
    layers.append(affine(rng, features(layers, x), classes))
    loss, t = loss_and_target(rng, classes)
    if isinstance(loss, MeanSquaredError) and rng.integers(2):
        layers.append(Softmax())
    decay = float(rng.choice([0.0, 0.3]))
    network = Network(layers, loss, weight_decay=decay).to(dtype="float64", device=backend)
    return network, backend.asarray(x, dtype="float64"), backend.asarray(t)


def features(layers: list[Layer], x: np.ndarray) -> int:
    """How many numbers a sample has after the layers."""
    for layer in layers:
        x = layer.forward(x)
    return math.prod(x.shape[1:])


def images(rng: np.random.Generator, channels: int) -> Iterator[Layer]:
    """A convolution and what may come after it, up to rows of numbers."""
    filters = rng.standard_normal((2, channels, 2, 2)), rng.standard_normal(2)
    if rng.integers(3) == 0:
        yield ConvolutionReLUPooling(*filters, pad=1)
    else:
        yield Convolution(*filters, pad=int(rng.integers(2)))
        if rng.integers(2):
            yield BatchNormalization(rng.uniform(0.5, 1.5, 2), rng.standard_normal(2))
        yield activation(rng)
        yield (MaxPooling(2), AveragePooling(2))[rng.integers(2)]
    yield Flatten()


def flat(rng: np.random.Generator, width: int, number: int) -> Iterator[Layer]:
    """Layers of rows of numbers: so many times one, or a few that belong together."""
    for _ in range(number):
        kind = rng.integers(6)
        if kind == 0:
            inner = [affine(rng, width, 3), activation(rng), affine(rng, 3, width)]
            if rng.integers(2):
                inner.insert(1, Dropout(0.3, int(rng.integers(100))))
            yield Residual(inner)
        elif kind == 1:
            yield LayerNormalization(rng.uniform(0.5, 1.5, width), rng.standard_normal(width))
        elif kind == 2:
            yield BatchNormalization(rng.uniform(0.5, 1.5, width), rng.standard_normal(width))
        elif kind == 3:
            yield Dropout(0.4, int(rng.integers(100)), inverted=bool(rng.integers(2)))
        elif kind == 4:
            yield from (Reshape((width, 1)), activation(rng), Flatten())
        else:
            wider = int(rng.integers(2, 5))
            yield from (affine(rng, width, wider), activation(rng))
            width = wider


def affine(rng: np.random.Generator, rows: int, columns: int) -> Affine:
    return Affine(rng.standard_normal((rows, columns)), rng.standard_normal(columns))


def activation(rng: np.random.Generator) -> Layer:
    return ACTIVATIONS[rng.integers(len(ACTIVATIONS))]()


def loss_and_target(rng: np.random.Generator, classes: int) -> tuple[Loss, np.ndarray]:
    labels, shape = rng.integers(0, classes, SAMPLES), (SAMPLES, classes)
    kind = rng.integers(6)
    if kind == 0:
        return SoftmaxWithLoss(), labels
    if kind == 1:
        return SoftmaxWithLoss(), np.eye(classes)[labels]
    if kind == 2:
        return SoftmaxWithLoss(), rng.dirichlet(np.ones(classes), SAMPLES)
    if kind == 3:
        return SoftmaxWithLoss(label_smoothing=0.2), labels
    if kind == 4:
        return SigmoidWithLoss(), rng.integers(0, 2, shape)
    return MeanSquaredError(), rng.standard_normal(shape)
