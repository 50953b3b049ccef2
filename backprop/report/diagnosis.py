"""What a network gets right and wrong, and how its layers look, as host arrays and numbers."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from ..backends import Array, HostArray
from ..diagnosis import (
    Gradient,
    Guessing,
    LayerOutput,
    look_at,
    no_better_than_guessing,
    some_samples,
    warning_signs,
)
from ..losses import SoftmaxWithLoss
from ..networks.network import Network
from ..optimizers import Optimizer
from ..pictures import image_shape

BATCH = 500
"""The most samples of the batch on which layers and gradients are looked at."""

WORST = 20
"""The most misclassified samples that are kept."""

MOST_CLASSES = 30
"""With more classes there is a list of confusions instead of the matrix."""

NUMBER = re.compile(r"(?<![\w.])\d[\d.,e+-]*")
"""A figure in a sentence, which is no part of a name."""

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
    x: HostArray
    """The sample itself."""


@dataclass(frozen=True)
class Diagnosis:
    """What is known of a network; None where its loss or its layers have no such thing."""

    test_loss: float
    test_accuracy: float | None
    confusion: HostArray | None
    """(C, C): how many test samples of each class (row) were predicted as each class (column); None, too,
    where there are more than 30 classes."""
    confusions: HostArray | None
    """(K, 3): label, prediction and number of test samples, the most frequent confusion first."""
    mistakes: tuple[Mistake, ...]
    """The misclassified ones with the largest losses, the worst first."""
    weights: HostArray | None
    """(K, 1 or 3, H, W): the first weights as images, the columns of an Affine or the filters."""
    outputs: tuple[LayerOutput, ...]
    gradients: tuple[Gradient, ...]
    rate: float | None
    """The learning rate of the update."""
    guessing: Guessing | None
    """That the network is no better than guessing, and why; None if it is better."""
    warnings: tuple[str, ...]
    """Other signs that it does not learn as it could."""


def diagnose(
    network: Network,
    x_train: HostArray,
    t_train: HostArray,
    x_test: HostArray,
    t_test: HostArray,
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
    loss, accuracy, classified = _tested(network, x_test, t_test)
    confusion = confusions = None
    mistakes: tuple[Mistake, ...] = ()
    if classified is not None:
        confusions = frequent_confusions(classified.labels, classified.predictions)
        if classified.classes <= MOST_CLASSES:
            confusion = confusion_matrix(classified.labels, classified.predictions, classified.classes)
        mistakes = _worst(classified, x_test)
    x, t = _on_device(network, x_train[:BATCH]), _on_device(network, t_train[:BATCH])
    outputs, gradients = look_at(network, x, t, optimizer)
    rate = None if optimizer is None else optimizer.rate(optimizer.steps + 1)
    signs = warning_signs(outputs, gradients, scheduled=callable(getattr(optimizer, "lr", None)))
    guessing = _guesses(network, x_train, t_train, optimizer)
    weights = first_weights(network, x_train.shape[1:])
    return Diagnosis(
        loss,
        accuracy,
        confusion,
        confusions,
        mistakes,
        weights,
        tuple(outputs),
        tuple(gradients),
        rate,
        guessing,
        tuple(_not_among(guessing.causes if guessing else (), signs)),
    )


def _guesses(network: Network, x: HostArray, t: HostArray, optimizer: Optimizer | None) -> Guessing | None:
    """Whether the network is no better than guessing on the training data."""
    rows = some_samples(len(x))
    some, target = network.validated(_on_device(network, x[rows])), _on_device(network, t[rows])
    return no_better_than_guessing(network, some, network.as_target_for(some, target), optimizer)


def _not_among(causes: Iterable[str], signs: Iterable[str]) -> Iterator[str]:
    """The signs that no cause tells of, be it with the figures of other samples."""
    told = {NUMBER.sub("", cause.rstrip(".")) for cause in causes}
    return (sign for sign in signs if NUMBER.sub("", sign.rstrip(".")) not in told)


def confusion_matrix(labels: HostArray, predictions: HostArray, classes: int) -> HostArray:
    """(C, C): how many samples of each class (row) were predicted as each class (column)."""
    pairs = np.bincount(labels.astype(np.int64) * classes + predictions, minlength=classes * classes)
    return pairs.reshape(classes, classes)


def frequent_confusions(labels: HostArray, predictions: HostArray) -> HostArray:
    """(K, 3): the pairs of a label and another prediction with how often they occur, the most often first.

    >>> frequent_confusions(np.asarray([0, 7, 7, 2]), np.asarray([1, 5, 5, 2]))
    array([[7, 5, 2],
           [0, 1, 1]])
    """
    wrong = labels != predictions
    pairs, counts = np.unique(np.stack([labels[wrong], predictions[wrong]], 1), axis=0, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    return np.column_stack([pairs, counts])[order]


def first_weights(network: Network, sample: tuple[int, ...]) -> HostArray | None:
    """The network's first weights as images (K, 1 or 3, H, W), for samples of that shape; or None."""
    for layer in network.layers.values():
        if "W" in layer.params:
            W = network.backend.to_numpy(layer.params["W"])
            return _columns(W, sample) if W.ndim == 2 else _filters(W)
    return None


def _columns(W: HostArray, sample: tuple[int, ...]) -> HostArray | None:
    """(D, K) to (K, C, H, W), where a sample is an image of D numbers."""
    shape = image_shape(sample)
    fits = shape is not None and math.prod(shape) == W.shape[0]
    return W.T.reshape(-1, *shape) if shape is not None and fits else None


def _filters(W: HostArray) -> HostArray:
    """(FN, C, FH, FW), with every channel an image of its own where C is not 1 or 3."""
    return W if W.shape[1] in (1, 3) else W.reshape(-1, 1, *W.shape[2:])


@dataclass(frozen=True)
class _Classified:
    """What became of every sample, (N,) each."""

    classes: int
    labels: HostArray
    predictions: HostArray
    probabilities: HostArray
    """Of the predictions, by softmax."""
    losses: HostArray


def _tested(network: Network, x: HostArray, t: HostArray) -> tuple[float, float | None, _Classified | None]:
    """Loss, accuracy and, for classes, what became of every sample; the scores of a part at a time."""
    last, to_numpy, n = network.last_layer, network.backend.to_numpy, len(x)
    classes = tuple(network.predict(_on_device(network, x[:1])).shape[1:])
    target = network.as_target(_on_device(network, t), n, classes)
    labels = t if t.ndim == 1 else t.argmax(axis=1)
    loss, correct, parts = 0.0, 0, []
    for start in range(0, n, PART):
        part = slice(start, min(start + PART, n))
        scores = network.predict(_on_device(network, x[part]))
        loss += float(to_numpy(last.forward(scores, target[part, ...]))) * scores.shape[0]
        if last.counts_correct:
            correct += int(to_numpy(last.correct(scores, target[part, ...])))
        if isinstance(last, SoftmaxWithLoss):
            parts.append(_classified(to_numpy(scores), labels[part]))
    accuracy = correct / n if last.counts_correct else None
    if not parts:
        return loss / n, accuracy, None
    return loss / n, accuracy, _Classified(classes[0], labels, *map(np.concatenate, zip(*parts, strict=True)))


def _classified(scores: HostArray, labels: HostArray) -> tuple[HostArray, HostArray, HostArray]:
    """Predictions, their probabilities and the losses, from scores (N, C)."""
    shifted = scores.astype(np.float64) - scores.max(axis=1, keepdims=True)
    log_total = np.log(np.exp(shifted).sum(axis=1))
    samples, predictions = np.arange(len(labels)), scores.argmax(axis=1)
    probabilities = np.exp(shifted[samples, predictions] - log_total)
    return predictions, probabilities, log_total - shifted[samples, labels]


def _worst(found: _Classified, x: HostArray) -> tuple[Mistake, ...]:
    """The misclassified samples with the largest losses."""
    wrong = np.nonzero(found.predictions != found.labels)[0]
    worst = wrong[np.argsort(-found.losses[wrong], kind="stable")][:WORST]
    return tuple(
        Mistake(
            int(i),
            int(found.labels[i]),
            int(found.predictions[i]),
            float(found.probabilities[i]),
            float(found.losses[i]),
            x[i],
        )
        for i in worst
    )


def _on_device(network: Network, values: HostArray) -> Array:
    """HostArray values on the network's device, floating-point ones in its dtype."""
    return network.backend.asarray(values, dtype=network.dtype if values.dtype.kind == "f" else None)
