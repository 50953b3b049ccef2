"""Diagnose a network: its test results and mistakes, its layers, gradients and weights."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from ..backends import Array, HostArray
from ..diagnosis import (
    Gradient,
    LayerOutput,
    LearningProblem,
    find_learning_problem,
    find_warnings,
    inspect_batch,
    sample_indices,
)
from ..losses import SoftmaxWithLoss
from ..networks.network import Network
from ..optimizers import Optimizer
from ..pages.images import weights_as_images

BATCH = 500
"""The largest batch for layers and gradients."""

MOST_MISTAKES = 20

MOST_CLASSES = 30
"""With more classes, a list of confusions replaces the matrix."""

NUMBER = re.compile(r"(?<![\w.])\d[\d.,e+-]*")
"""A figure in a sentence, but not in a name."""

PART = 1000
"""Samples per forward pass."""


@dataclass(frozen=True)
class Mistake:
    """A misclassified test sample."""

    index: int
    """The sample's index in the test data."""
    label: int
    prediction: int
    probability: float
    """The softmax probability of the prediction."""
    loss: float
    """−log of the label's probability."""
    x: HostArray
    """The sample."""


@dataclass(frozen=True)
class Diagnosis:
    """Facts about a network; None for those that its loss or its layers do not have."""

    test_loss: float
    test_accuracy: float | None
    confusion: HostArray | None
    """(C, C): the number of test samples by label (row) and prediction (column); None for over 30 classes."""
    confusions: HostArray | None
    """(K, 3): label, prediction and number of test samples, the most frequent first."""
    mistakes: tuple[Mistake, ...]
    """The misclassified samples with the largest losses, the worst first."""
    weights: HostArray | None
    """(K, 1 or 3, H, W): the first weights as images: the columns of an Affine layer, or the filters."""
    outputs: tuple[LayerOutput, ...]
    gradients: tuple[Gradient, ...]
    rate: float | None
    """The learning rate of the update."""
    learning_problem: LearningProblem | None
    """Why the network is no better than guessing; None if it is better."""
    warnings: tuple[str, ...]
    """Other warnings."""


def diagnose(
    network: Network,
    x_train: HostArray,
    t_train: HostArray,
    x_test: HostArray,
    t_test: HostArray,
    optimizer: Optimizer | None = None,
) -> Diagnosis:
    """Diagnose a network on its own backend, without changing it or the optimizer.

    Parameters
    ----------
    x_train, t_train : host arrays (N, …); the first 500 samples give outputs, gradients and the update
    x_test, t_test : host arrays for loss, accuracy, confusion matrix and misclassified samples
    optimizer : in its state after training; without it there is nothing about updates

    Source of the update ratio: Karpathy, *CS231n*, "Neural networks part 3".

    >>> from backprop import TwoLayerNet
    >>> x, t = np.eye(3, dtype="float32"), np.asarray([0, 1, 2])
    >>> diagnosis = diagnose(TwoLayerNet(3, 4, 3, rng=0), x, t, x, t)
    >>> diagnosis.confusion.sum(axis=1)
    array([1, 1, 1])
    """
    loss, accuracy, classified = _test(network, x_test, t_test)
    confusion = confusions = None
    mistakes: tuple[Mistake, ...] = ()
    if classified is not None:
        confusions = frequent_confusions(classified.labels, classified.predictions)
        if classified.classes <= MOST_CLASSES:
            confusion = confusion_matrix(classified.labels, classified.predictions, classified.classes)
        mistakes = _worst_mistakes(classified, x_test)
    x, t = _on_device(network, x_train[:BATCH]), _on_device(network, t_train[:BATCH])
    outputs, gradients = inspect_batch(network, x, t, optimizer)
    rate = None if optimizer is None else optimizer.rate(optimizer.steps + 1)
    warnings = find_warnings(outputs, gradients, scheduled=callable(getattr(optimizer, "lr", None)))
    problem = _learning_problem(network, x_train, t_train, optimizer)
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
        problem,
        tuple(_without_causes(warnings, problem.causes if problem else ())),
    )


def _learning_problem(
    network: Network, x: HostArray, t: HostArray, optimizer: Optimizer | None
) -> LearningProblem | None:
    """Find out on some training samples whether the network is no better than guessing."""
    rows = sample_indices(len(x))
    some, target = network.validated(_on_device(network, x[rows])), _on_device(network, t[rows])
    return find_learning_problem(network, some, network.as_target_for(some, target), optimizer)


def _without_causes(warnings: Iterable[str], causes: Iterable[str]) -> Iterator[str]:
    """Drop the warnings that are also causes, even if their figures differ."""
    known = {NUMBER.sub("", cause.rstrip(".")) for cause in causes}
    return (warning for warning in warnings if NUMBER.sub("", warning.rstrip(".")) not in known)


def confusion_matrix(labels: HostArray, predictions: HostArray, classes: int) -> HostArray:
    """(C, C): the number of samples by label (row) and prediction (column)."""
    pairs = np.bincount(labels.astype(np.int64) * classes + predictions, minlength=classes * classes)
    return pairs.reshape(classes, classes)


def frequent_confusions(labels: HostArray, predictions: HostArray) -> HostArray:
    """(K, 3): the pairs of a label and a wrong prediction with their counts, the most frequent first.

    >>> frequent_confusions(np.asarray([0, 7, 7, 2]), np.asarray([1, 5, 5, 2]))
    array([[7, 5, 2],
           [0, 1, 1]])
    """
    wrong = labels != predictions
    pairs, counts = np.unique(np.stack([labels[wrong], predictions[wrong]], 1), axis=0, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    return np.column_stack([pairs, counts])[order]


def first_weights(network: Network, sample: tuple[int, ...]) -> HostArray | None:
    """The network's first weights as images (K, 1 or 3, H, W), if samples of this shape allow it."""
    for layer in network.layers.values():
        if "W" in layer.params:
            return weights_as_images(network.backend.to_numpy(layer.params["W"]), sample)
    return None


@dataclass(frozen=True)
class _Classified:
    """The classification of every sample, as arrays (N,)."""

    classes: int
    labels: HostArray
    predictions: HostArray
    probabilities: HostArray
    """The softmax probabilities of the predictions."""
    losses: HostArray


def _test(network: Network, x: HostArray, t: HostArray) -> tuple[float, float | None, _Classified | None]:
    """Compute loss, accuracy and, for classes, the classification of every sample, part by part."""
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
            parts.append(_classify(to_numpy(scores), labels[part]))
    accuracy = correct / n if last.counts_correct else None
    if not parts:
        return loss / n, accuracy, None
    return loss / n, accuracy, _Classified(classes[0], labels, *map(np.concatenate, zip(*parts, strict=True)))


def _classify(scores: HostArray, labels: HostArray) -> tuple[HostArray, HostArray, HostArray]:
    """Compute predictions, their probabilities and the losses from scores (N, C)."""
    shifted = scores.astype(np.float64) - scores.max(axis=1, keepdims=True)
    log_total = np.log(np.exp(shifted).sum(axis=1))
    samples, predictions = np.arange(len(labels)), scores.argmax(axis=1)
    probabilities = np.exp(shifted[samples, predictions] - log_total)
    return predictions, probabilities, log_total - shifted[samples, labels]


def _worst_mistakes(classified: _Classified, x: HostArray) -> tuple[Mistake, ...]:
    """The misclassified samples with the largest losses."""
    wrong = np.nonzero(classified.predictions != classified.labels)[0]
    worst = wrong[np.argsort(-classified.losses[wrong], kind="stable")][:MOST_MISTAKES]
    return tuple(
        Mistake(
            int(i),
            int(classified.labels[i]),
            int(classified.predictions[i]),
            float(classified.probabilities[i]),
            float(classified.losses[i]),
            x[i],
        )
        for i in worst
    )


def _on_device(network: Network, values: HostArray) -> Array:
    """Move values to the network's device, floats in its dtype."""
    return network.backend.asarray(values, dtype=network.dtype if values.dtype.kind == "f" else None)
