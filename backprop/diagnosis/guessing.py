"""Whether a network is no better than guessing, and what may keep it from learning.

To guess is to give every sample the same output, the best one for the targets: for classes, their shares.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..backends import Array, HostArray
from ..inputs import LARGE
from ..losses import Loss, MeanSquaredError, SigmoidWithLoss, SoftmaxWithLoss
from ..networks.network import Network
from ..optimizers import Optimizer
from .batch import Gradient, LayerOutput, look_at
from .signs import warning_signs

BETTER = 0.99
"""The share of a guess's loss that a network has to get below."""

SMALL = 1e-2
"""The root mean square of inputs below which they hardly move the first layer."""

UNEVEN = 1e3
"""How many times the largest column of a table may exceed the median one."""

ABOVE = 1.1
"""How many times a guess's loss a network that learns does not reach."""

SAMPLES = 1000

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


@dataclass(frozen=True)
class Guessing:
    """That a network is no better than guessing."""

    found: str
    """What was found, in a line."""
    causes: tuple[str, ...]
    """The likely ones, the likeliest first."""
    definite: bool
    """Whether more training cannot be expected to help."""

    def __str__(self) -> str:
        if not self.causes:
            return self.found
        listed = "; ".join(f"({i}) {cause}" for i, cause in enumerate(self.causes, 1))
        return f"{self.found}. Likely causes, in order: {listed}"


@dataclass(frozen=True)
class _Reached:
    """What the network reaches on some samples."""

    outputs: int
    """How many numbers come out for a sample."""
    loss: float
    accuracy: float | None
    chosen: int | None
    """The class that every sample is taken for, if it is one."""


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


def _constant(loss: Loss, outputs: int, t: HostArray) -> HostArray | None:
    if isinstance(loss, SoftmaxWithLoss):
        shares = np.bincount(t, minlength=outputs) / len(t) if t.ndim == 1 else t.mean(axis=0)
        shares = (1.0 - loss.label_smoothing) * shares + loss.label_smoothing / outputs
        return np.log(np.maximum(shares, LEAST))
    if isinstance(loss, SigmoidWithLoss):
        shares = np.clip(np.asarray(t.mean(axis=0), np.float64), LEAST, 1.0 - LEAST)
        return np.asarray(np.log(shares / (1.0 - shares)))
    return np.asarray(t.mean(axis=0)) if isinstance(loss, MeanSquaredError) else None


def some_samples(n: int) -> HostArray:
    """Up to 1,000 of n samples, drawn alike from all of them, and the same ones every time."""
    return np.sort(np.random.default_rng(0).choice(n, min(n, SAMPLES), replace=False))


def no_better_than_guessing(
    network: Network,
    x: Array,
    t: Array,
    optimizer: Optimizer | None = None,
    *,
    batch_size: int = 100,
    falling: bool = False,
) -> Guessing | None:
    """That, with the likely causes; None if the network is better, or if that cannot be told.

    It is no better where its loss on x and t is not 1 % below that of a guess, and its accuracy not
    clearly above a guess's. Its accuracy is no better where it takes every sample for one class.

    Parameters
    ----------
    x, t : training samples on the network's device, which have passed its border
    optimizer : as training has left it, for the sizes of its updates
    batch_size : samples that are computed at once
    falling : whether the loss of the training was still falling
    """
    try:
        reached = _reached(network, x, t, batch_size)
        guessed = guess(network.last_layer, reached.outputs, t, network)
        if guessed is None or guessed.loss <= LEAST:
            return None
        return _judged(network, x, t, optimizer, reached, guessed, batch_size, falling=falling)
    except Exception:  # a layer of one's own, or the memory: looking must not end a training
        return None


def _reached(network: Network, x: Array, t: Array, batch_size: int) -> _Reached:
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
    return _Reached(outputs, loss / n, accuracy, classes.pop() if len(classes) == 1 else None)


def _judged(
    network: Network,
    x: Array,
    t: Array,
    optimizer: Optimizer | None,
    reached: _Reached,
    guessed: Guess,
    batch_size: int,
    *,
    falling: bool,
) -> Guessing | None:
    found = (
        f"loss {reached.loss:.4g} on {x.shape[0]:,} training samples, and {guessed.loss:.4g} for the best "
        "constant output"
    )
    if reached.chosen is not None:
        share = f"{reached.accuracy:.1%}"
        found += f"; every sample is taken for class {reached.chosen}, which {share} of them are"
    if reached.loss < BETTER * guessed.loss:
        if reached.chosen is None:
            return None
        said = f"the accuracy is no better than guessing: {found}. The loss is better; judge by that"
        return Guessing(said, (), definite=False)
    if _classifies(reached, guessed, x.shape[0]):
        return None
    above = reached.loss > ABOVE * guessed.loss
    causes, definite = _causes(network, x, t, optimizer, batch_size, above=above, falling=falling)
    said = f"the network is no better than guessing: {found}"
    return Guessing(said, tuple(causes[:MOST_CAUSES]), definite=definite or (above and not falling))


def _classifies(reached: _Reached, guessed: Guess, n: int) -> bool:
    """Whether the accuracy on n samples shows that the network has learnt, whatever its loss."""
    if reached.accuracy is None or guessed.accuracy is None:
        return False
    deviation = math.sqrt(max(guessed.accuracy * (1.0 - guessed.accuracy), LEAST) / n)
    if reached.loss > guessed.loss:  # which networks that nobody has trained have, too
        return reached.accuracy > min(2.0 * guessed.accuracy, 0.5 * (1.0 + guessed.accuracy))
    return reached.accuracy > guessed.accuracy + 3.0 * deviation


def _causes(
    network: Network,
    x: Array,
    t: Array,
    optimizer: Optimizer | None,
    batch_size: int,
    *,
    above: bool,
    falling: bool,
) -> tuple[list[str], bool]:
    """The likely causes, and whether there is one that more training does not mend."""
    if not network.params:
        return ["no layer has parameters, so there is nothing to train"], True
    definite = list(_of_inputs(network.backend.to_numpy(network.scaled(x))))
    outputs, gradients = _looked_at(network, x[:batch_size, ...], t[:batch_size, ...], optimizer)
    constant = list(_of_outputs(outputs))
    scheduled = callable(getattr(optimizer, "lr", None))
    signs = [sign.rstrip(".") for sign in warning_signs(outputs, gradients, scheduled=scheduled)]
    found = [*definite, *signs, *constant]
    if falling:
        found.append("the training was short: the loss is still falling")
    elif above and max((g.update or 0.0 for g in gradients), default=0.0) > FAST:
        found.append(
            f"the loss is above that of a guess: the learning rate{_rate(optimizer)} may be too large"
        )
    elif not found:
        found.append(f"the training was short, or the learning rate{_rate(optimizer)} does not suit it")
        found.append("the targets do not belong to these inputs, as where only one of the two was shuffled")
    return found, bool(definite or constant)


def _looked_at(
    network: Network, x: Array, t: Array, optimizer: Optimizer | None
) -> tuple[list[LayerOutput], list[Gradient]]:
    """`look_at`, which leaves everybody's generators as they are; nothing of what cannot be looked into."""
    drawn, python = np.random.get_state(), random.getstate()
    try:
        return look_at(network, x, t, optimizer)
    except Exception:  # a layer of one's own that cannot be copied
        return [], []
    finally:
        np.random.set_state(drawn)
        random.setstate(python)


def _of_inputs(x: HostArray) -> Iterator[str]:
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
    if first is not None and outputs[-1].constant:
        yield f"from {first.name} on, the outputs are the same for every sample"


def _rate(optimizer: Optimizer | None) -> str:
    return "" if optimizer is None else f", {optimizer.rate(max(optimizer.steps, 1)):.3g},"
