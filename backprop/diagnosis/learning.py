"""Detect a network that learns nothing: one that is no better than guessing."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..backends import Array, HostArray
from ..losses import SoftmaxWithLoss
from ..networks.network import Network
from ..optimizers import Optimizer
from .baseline import SMALLEST_SHARE, Baseline, constant_baseline
from .causes import Examination, likely_causes

BETTER = 0.99
"""A network is better than guessing below this share of the baseline's loss."""

ABOVE = 1.1
"""A network that learns stays below this multiple of the baseline's loss."""

SAMPLES = 1000

MOST_CAUSES = 4


class LearningWarning(UserWarning):
    """A trained network is no better than guessing."""


@dataclass(frozen=True)
class LearningProblem:
    """The finding that a network is no better than guessing."""

    summary: str
    """What was found, in one line."""
    causes: tuple[str, ...]
    """The likely causes, the likeliest first."""
    definite: bool
    """Whether more training is unlikely to help."""

    def __str__(self) -> str:
        if not self.causes:
            return self.summary
        listed = "; ".join(f"({i}) {cause}" for i, cause in enumerate(self.causes, 1))
        return f"{self.summary}. Likely causes, in order: {listed}"


@dataclass(frozen=True)
class _Performance:
    """A network's results on some samples."""

    samples: int
    outputs: int
    """The number of outputs for a sample."""
    loss: float
    accuracy: float | None
    only_class: int | None
    """The predicted class, if it is the same for every sample."""


def sample_indices(n: int) -> HostArray:
    """The indices of up to 1,000 of n samples, drawn uniformly, and the same every time."""
    return np.sort(np.random.default_rng(0).choice(n, min(n, SAMPLES), replace=False))


def find_learning_problem(
    network: Network,
    x: Array,
    t: Array,
    optimizer: Optimizer | None = None,
    *,
    batch_size: int = 100,
    falling: bool = False,
) -> LearningProblem | None:
    """Find out whether the network is no better than guessing, and why; None if it is better, or unknown.

    Guessing means to give every sample the same output, the best one for the targets. A network is no better
    if its loss is not 1 % lower and its accuracy not clearly higher. Its accuracy alone is no better if it
    predicts one class for every sample.

    Parameters
    ----------
    x, t : validated training samples on the network's device
    optimizer : in its state after training, for the sizes of its updates
    batch_size : samples per forward pass
    falling : whether the training loss was still falling
    """
    try:
        performance = _performance(network, x, t, batch_size)
        baseline = constant_baseline(network.last_layer, performance.outputs, t, network)
        if baseline is None or baseline.loss <= SMALLEST_SHARE:
            return None
        examination = Examination(network, x, t, optimizer, batch_size, falling=falling)
        return _problem(performance, baseline, examination)
    except Exception:  # a custom layer, or a lack of memory, must not end a training
        return None


def _performance(network: Network, x: Array, t: Array, batch_size: int) -> _Performance:
    last, to_numpy, n = network.last_layer, network.backend.to_numpy, x.shape[0]
    loss, correct, outputs, classes = 0.0, 0, 1, set[int]()
    for start in range(0, n, batch_size):
        part = slice(start, min(start + batch_size, n))
        scores, target = network.forward(network.scaled(x[part, ...])), t[part, ...]
        loss += float(to_numpy(last.forward(scores, target))) * scores.shape[0]
        outputs = int(scores.shape[-1]) if scores.ndim > 1 else 1
        if last.counts_correct:
            correct += int(to_numpy(last.correct(scores, target)))
        if isinstance(last, SoftmaxWithLoss):
            classes |= set(to_numpy(scores).argmax(axis=1).tolist())
    accuracy = correct / n if last.counts_correct else None
    return _Performance(n, outputs, loss / n, accuracy, classes.pop() if len(classes) == 1 else None)


def _problem(
    performance: _Performance, baseline: Baseline, examination: Examination
) -> LearningProblem | None:
    summary = (
        f"loss {performance.loss:.4g} on {performance.samples:,} training samples, and {baseline.loss:.4g} "
        "for the best constant output"
    )
    if performance.only_class is not None:
        summary += f"; it predicts class {performance.only_class} for every sample, the label of "
        summary += f"{performance.accuracy:.1%} of them"
    if performance.loss < BETTER * baseline.loss:
        if performance.only_class is None:
            return None
        summary = f"the accuracy is no better than guessing: {summary}. The loss is better; judge by that"
        return LearningProblem(summary, (), definite=False)
    if _classifies(performance, baseline):
        return None
    above = performance.loss > ABOVE * baseline.loss
    causes, definite = likely_causes(examination, loss_above_baseline=above)
    return LearningProblem(
        f"the network is no better than guessing: {summary}",
        tuple(causes[:MOST_CAUSES]),
        definite=definite or (above and not examination.falling),
    )


def _classifies(performance: _Performance, baseline: Baseline) -> bool:
    """Whether the accuracy alone shows that the network has learned."""
    if performance.accuracy is None or baseline.accuracy is None:
        return False
    if performance.loss > baseline.loss:  # an untrained network may be slightly better by chance
        return performance.accuracy > min(2.0 * baseline.accuracy, 0.5 * (1.0 + baseline.accuracy))
    variance = max(baseline.accuracy * (1.0 - baseline.accuracy), SMALLEST_SHARE)
    return performance.accuracy > baseline.accuracy + 3.0 * math.sqrt(variance / performance.samples)
