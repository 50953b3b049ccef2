"""The baseline of guessing: the best output that is the same for every sample."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..backends import Array, HostArray
from ..losses import Loss, MeanSquaredError, SigmoidWithLoss, SoftmaxWithLoss
from ..networks.network import Network

SMALLEST_SHARE = 1e-12
"""The lower bound of a share in a logarithm."""


@dataclass(frozen=True)
class Baseline:
    """The loss and accuracy of the best constant output."""

    loss: float
    accuracy: float | None


def constant_baseline(loss: Loss, outputs: int, t: Array, network: Network) -> Baseline | None:
    """Compute the loss and accuracy of the best constant output for the targets t; None for an unknown loss.

    For cross-entropy, that output is the log of the classes' shares, and its loss their entropy:
    log(classes) for balanced classes. For the mean squared error, it is the mean, and its loss the variance,
    or half of it, depending on the loss's factor.

    >>> from backprop import TwoLayerNet
    >>> network = TwoLayerNet(4, 3, 2, rng=0)
    >>> constant_baseline(network.last_layer, 2, np.asarray([0, 1, 1, 0]), network)
    Baseline(loss=0.693147..., accuracy=0.5)
    """
    backend = network.backend
    host = backend.to_numpy(t)
    best = _best_output(loss, outputs, host)
    if best is None:
        return None
    scores = backend.asarray(np.broadcast_to(best, (len(host), *best.shape)).copy(), dtype=network.dtype)
    reached = float(backend.to_numpy(loss.forward(scores, t)))
    if not loss.counts_correct:
        return Baseline(reached, None)
    return Baseline(reached, int(backend.to_numpy(loss.correct(scores, t))) / len(host))


def _best_output(loss: Loss, outputs: int, t: HostArray) -> HostArray | None:
    if isinstance(loss, SoftmaxWithLoss):
        shares = np.bincount(t, minlength=outputs) / len(t) if t.ndim == 1 else t.mean(axis=0)
        shares = (1.0 - loss.label_smoothing) * shares + loss.label_smoothing / outputs
        return np.log(np.maximum(shares, SMALLEST_SHARE))
    if isinstance(loss, SigmoidWithLoss):
        shares = np.clip(np.asarray(t.mean(axis=0), np.float64), SMALLEST_SHARE, 1.0 - SMALLEST_SHARE)
        return np.asarray(np.log(shares / (1.0 - shares)))
    return np.asarray(t.mean(axis=0)) if isinstance(loss, MeanSquaredError) else None
