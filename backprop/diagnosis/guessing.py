"""Whether a network is no better than guessing, and what may keep it from learning.

To guess is to give every sample the same output, the best one for the targets: for classes, their shares.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..backends import Array
from ..inputs import LARGE
from ..losses import Loss, MeanSquaredError, SigmoidWithLoss, SoftmaxWithLoss
from ..networks import Network
from ..optimizers import Optimizer
from .batch import LayerOutput, look_at
from .signs import warning_signs

Host = np.ndarray[Any, Any]

BETTER = 0.99
"""The share of a guess's loss that a network has to get below."""

SMALL = 1e-2
"""The root mean square of inputs below which they hardly move the first layer."""

UNEVEN = 1e3
"""How many times the largest column of a table may exceed the median one."""

FAST = 1e-2
"""What a step may change a parameter by, as a share of its norm, in a training that settles."""

MOST_CAUSES = 4

LEAST = 1e-12
"""What a share counts as at least, in a logarithm."""


class LearningWarning(UserWarning):
    """A network that has been trained and is no better than guessing."""


@dataclass(frozen=True)
class Guess:
    """What the best constant output reaches on some samples."""

    loss: float
    accuracy: float | None


def guess(loss: Loss, outputs: int, t: Array, network: Network) -> Guess | None:
    """The loss and the accuracy of the best constant output for the targets t; None for an unknown loss.

    Cross-entropy: log of the classes' shares, so that the loss is their entropy, log(classes) where they
    are equal. Mean squared error: the mean, so that the loss is half of the variance or all of it, as the
    loss has it.

    >>> from backprop import TwoLayerNet
    >>> network = TwoLayerNet(4, 3, 2, rng=0)
    >>> guess(network.last_layer, 2, np.asarray([0, 1, 1, 0]), network)
    Guess(loss=0.693147..., accuracy=0.5)
    """
    backend = network.backend
    host = backend.to_numpy(t)
    best = _constant(loss, outputs, host)
    if best is None:
        return None
    scores = backend.asarray(np.broadcast_to(best, (len(host), *best.shape)).copy(), dtype=network.dtype)
    reached = float(backend.to_numpy(loss.forward(scores, t)))
    if not loss.counts_correct:
        return Guess(reached, None)
    return Guess(reached, int(backend.to_numpy(loss.correct(scores, t))) / len(host))


def _constant(loss: Loss, outputs: int, t: Host) -> Host | None:
    if isinstance(loss, SoftmaxWithLoss):
        shares = np.bincount(t, minlength=outputs) / len(t) if t.ndim == 1 else t.mean(axis=0)
        return np.log(np.maximum(shares, LEAST))
    if isinstance(loss, SigmoidWithLoss):
        shares = np.clip(np.asarray(t.mean(axis=0), np.float64), LEAST, 1.0 - LEAST)
        return np.asarray(np.log(shares / (1.0 - shares)))
    return np.asarray(t.mean(axis=0)) if isinstance(loss, MeanSquaredError) else None


def no_better_than_guessing(
    network: Network, x: Array, t: Array, optimizer: Optimizer | None = None, *, falling: bool = False
) -> str | None:
    """One line that says so, with the likely causes in order; None if the network is better.

    It is no better where its loss on x and t is not 1 % below that of a guess; its accuracy is no better
    where it takes every sample for the same class.

    Parameters
    ----------
    x, t : training samples on the network's device, which have passed its border
    optimizer : as training has left it, for the sizes of its updates
    falling : whether the loss of the training was still falling
    """
    last, to_numpy = network.last_layer, network.backend.to_numpy
    scores = network.forward(network.scaled(x))
    guessed = guess(last, int(scores.shape[-1]) if scores.ndim > 1 else 1, t, network)
    if guessed is None or guessed.loss <= LEAST:
        return None
    loss = float(to_numpy(last.forward(scores, t)))
    chosen = _chosen_for_all(last, to_numpy(scores))
    if loss < BETTER * guessed.loss and chosen is None:
        return None
    reached = f"loss {loss:.4g} on the training data, and {guessed.loss:.4g} for the best constant output"
    if chosen is not None:
        share = int(to_numpy(last.correct(scores, t))) / x.shape[0]
        reached += f"; every sample is taken for class {chosen}, which {share:.1%} of them are"
    if loss < BETTER * guessed.loss:
        return (
            f"the accuracy is no better than guessing: {reached}. The loss is better: the network learns but "
            "does not tell the rarer classes yet; train longer, or on more samples of these"
        )
    causes = list(_causes(network, x, t, optimizer, above=loss > guessed.loss / BETTER, falling=falling))
    listed = "; ".join(f"({i}) {cause}" for i, cause in enumerate(causes[:MOST_CAUSES], 1))
    return f"the network is no better than guessing: {reached}. Likely causes, in order: {listed}"


def _chosen_for_all(loss: Loss, scores: Host) -> int | None:
    """The class that every sample is taken for, if it is one."""
    if not isinstance(loss, SoftmaxWithLoss):
        return None
    classes = np.unique(scores.argmax(axis=1))
    return int(classes[0]) if len(classes) == 1 else None


def _causes(
    network: Network, x: Array, t: Array, optimizer: Optimizer | None, *, above: bool, falling: bool
) -> Iterator[str]:
    of_inputs = list(_of_inputs(network.backend.to_numpy(network.scaled(x))))
    yield from of_inputs
    try:
        outputs, gradients = look_at(network, x, t, optimizer)
    except Exception:  # a layer of one's own that cannot be copied or looked into
        outputs, gradients = [], []
    signs = [sign.rstrip(".") for sign in warning_signs(outputs, gradients)]
    yield from signs
    yield from _of_outputs(outputs)
    if falling:
        yield "the training was short: the loss is still falling"
    elif above and max((g.update or 0.0 for g in gradients), default=0.0) > FAST:
        yield f"the loss is above that of a guess: the learning rate{_rate(optimizer)} may be too large"
    elif not (signs or of_inputs):
        yield f"the training was short, or the learning rate{_rate(optimizer)} is too small or too large"
        yield "the targets do not belong to these inputs, as where only one of the two was shuffled"


def _of_inputs(x: Host) -> Iterator[str]:
    flat = x.reshape(len(x), -1).astype(np.float64)
    size = math.sqrt(float(np.square(flat).mean()))
    if len(x) > 1 and not (flat != flat[0]).any():
        yield "the inputs of all samples are the same"
    elif size > LARGE:
        yield f"the inputs are large, with a root mean square of {size:.4g}: scale or standardize them"
    elif size < SMALL:
        yield f"the inputs are small, with a root mean square of {size:.4g}: scale or standardize them"
    columns = np.sqrt(np.square(flat).mean(axis=0))
    columns = columns[columns > 0.0]
    if len(columns) > 1 and columns.max() > UNEVEN * np.median(columns):
        ratio = columns.max() / np.median(columns)
        yield f"one column of the inputs is {ratio:.3g} times as large as most: standardize the columns"


def _of_outputs(outputs: list[LayerOutput]) -> Iterator[str]:
    first = next((output for output in outputs if output.constant), None)
    if first is not None:
        yield f"from {first.name} on, the outputs are the same for every sample"


def _rate(optimizer: Optimizer | None) -> str:
    return "" if optimizer is None else f", {optimizer.rate(max(optimizer.steps, 1)):.3g},"
