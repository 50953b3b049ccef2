"""What a network gets right and wrong, and how its layers look, as host arrays and numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from backends import Array

from ..losses import SoftmaxWithLoss
from ..networks import Network
from ..optimizers import Optimizer
from ..pictures import image_shape
from .batch import Gradient, LayerOutput, look_at
from .signs import warning_signs

Host = np.ndarray[Any, Any]

BATCH = 500
"""The most samples of the batch on which layers and gradients are looked at."""

WORST = 20
"""The most misclassified samples that are kept."""

PART = 1000
"""Samples that are predicted at once."""


@dataclass(frozen=True)
class Mistake:
    """A misclassified test sample."""

    index: int
    """Its place in the test data."""
    label: int
    prediction: int
    probability: float
    """Of the prediction, by softmax."""
    loss: float
    """−log of the label's probability."""
    x: Host
    """The sample itself."""


@dataclass(frozen=True)
class Diagnosis:
    """What is known of a network; None where its loss or its layers have no such thing."""

    test_loss: float
    test_accuracy: float | None
    confusion: Host | None
    """(C, C): how many test samples of each class (row) were predicted as each class (column)."""
    mistakes: tuple[Mistake, ...]
    """The misclassified ones with the largest losses, the worst first."""
    weights: Host | None
    """(K, 1 or 3, H, W): the first weights as images, the columns of an Affine or the filters."""
    outputs: tuple[LayerOutput, ...]
    gradients: tuple[Gradient, ...]
    rate: float | None
    """The learning rate of the update."""
    warnings: tuple[str, ...]


def diagnose(
    network: Network,
    x_train: Host,
    t_train: Host,
    x_test: Host,
    t_test: Host,
    optimizer: Optimizer | None = None,
) -> Diagnosis:
    """Look at a network with its own backend; it and the optimizer are left as they were.

    Parameters
    ----------
    x_train, t_train : host arrays (N, …); layers, gradients and the update are those of the first 500
    x_test, t_test : host arrays, for loss, accuracy, confusion matrix and misclassified samples
    optimizer : as `fit` has left it; without one nothing is said about updates

    Source of the update's ratio: Karpathy, *CS231n*, "Neural networks part 3".

    >>> from backprop import TwoLayerNet
    >>> x, t = np.eye(3, dtype="float32"), np.asarray([0, 1, 2])
    >>> diagnosis = diagnose(TwoLayerNet(3, 4, 3, rng=0), x, t, x, t)
    >>> diagnosis.confusion.sum(axis=1)
    array([1, 1, 1])
    """
    loss, accuracy, scores = _tested(network, x_test, t_test)
    confusion: Host | None = None
    mistakes: tuple[Mistake, ...] = ()
    if isinstance(network.last_layer, SoftmaxWithLoss):
        labels = t_test if t_test.ndim == 1 else t_test.argmax(axis=1)
        confusion = confusion_matrix(labels, scores.argmax(axis=1), scores.shape[1])
        mistakes = _worst(scores, labels, x_test)
    x, t = _on_device(network, x_train[:BATCH]), _on_device(network, t_train[:BATCH])
    outputs, gradients = look_at(network, x, t, optimizer)
    rate = None if optimizer is None else optimizer.rate(optimizer.steps + 1)
    signs = warning_signs(outputs, gradients, scheduled=callable(getattr(optimizer, "lr", None)))
    weights = first_weights(network, x_train.shape[1:])
    return Diagnosis(
        loss, accuracy, confusion, mistakes, weights, tuple(outputs), tuple(gradients), rate, tuple(signs)
    )


def confusion_matrix(labels: Host, predictions: Host, classes: int) -> Host:
    """(C, C): how many samples of each class (row) were predicted as each class (column)."""
    pairs = np.bincount(labels.astype(np.int64) * classes + predictions, minlength=classes * classes)
    return pairs.reshape(classes, classes)


def first_weights(network: Network, sample: tuple[int, ...]) -> Host | None:
    """The network's first weights as images (K, 1 or 3, H, W), for samples of that shape; or None."""
    for layer in network.layers.values():
        if "W" in layer.params:
            W = network.backend.to_numpy(layer.params["W"])
            return _columns(W, sample) if W.ndim == 2 else _filters(W)
    return None


def _columns(W: Host, sample: tuple[int, ...]) -> Host | None:
    """(D, K) to (K, C, H, W), where a sample is an image of D numbers."""
    shape = image_shape(sample)
    fits = shape is not None and math.prod(shape) == W.shape[0]
    return W.T.reshape(-1, *shape) if shape is not None and fits else None


def _filters(W: Host) -> Host:
    """(FN, C, FH, FW), with every channel an image of its own where C is not 1 or 3."""
    return W if W.shape[1] in (1, 3) else W.reshape(-1, 1, *W.shape[2:])


def _tested(network: Network, x: Host, t: Host) -> tuple[float, float | None, Host]:
    """Loss, accuracy and the scores (N, …) before the loss."""
    parts = [network.predict(_on_device(network, x[i : i + PART])) for i in range(0, len(x), PART)]
    scores = network.backend.xp.concat(parts)
    target = network.as_target(_on_device(network, t), len(x), tuple(scores.shape[1:]))
    last, to_numpy = network.last_layer, network.backend.to_numpy
    loss = float(to_numpy(last.forward(scores, target)))
    accuracy = int(to_numpy(last.correct(scores, target))) / len(x) if last.counts_correct else None
    return loss, accuracy, to_numpy(scores)


def _worst(scores: Host, labels: Host, x: Host) -> tuple[Mistake, ...]:
    """The misclassified samples with the largest losses, from their scores (N, C)."""
    shifted = scores.astype(np.float64) - scores.max(axis=1, keepdims=True)
    log_probabilities = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    samples = np.arange(len(labels))
    losses, predictions = -log_probabilities[samples, labels], scores.argmax(axis=1)
    wrong = samples[predictions != labels]
    worst = wrong[np.argsort(-losses[wrong], kind="stable")][:WORST]
    return tuple(
        Mistake(
            int(i),
            int(labels[i]),
            int(predictions[i]),
            float(np.exp(log_probabilities[i, predictions[i]])),
            float(losses[i]),
            x[i],
        )
        for i in worst
    )


def _on_device(network: Network, values: Host) -> Array:
    """Host values on the network's device, floating-point ones in its dtype."""
    return network.backend.asarray(values, dtype=network.dtype if values.dtype.kind == "f" else None)
