"""Evaluation in batches, which several processes share; each sample counts once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..backends import Array, Communicator
from ..networks import Network

BATCH = 1000
"""The samples of a batch."""


def evaluated(
    network: Network, x: Array, t: Array, communicator: Communicator, between: Callable[[], None]
) -> tuple[float, float | None]:
    """`Network.evaluate_validated`, with the same bits for any number of processes."""
    if communicator.size == 1:
        return network.evaluate_validated(x, t, BATCH, between)
    starts = range(0, x.shape[0], BATCH)
    own = {start: _on_host(network, x, t, start) for start in starts[communicator.rank :: communicator.size]}
    found = {start: result for its in communicator.gather(own) for start, result in its.items()}
    loss: Any = 0.0
    correct = 0
    for start in starts:
        loss, correct = loss + found[start][0], correct + found[start][1]
    n = x.shape[0]
    return float(loss) / n, correct / n if network.last_layer.counts_correct else None


def _on_host(network: Network, x: Array, t: Array, start: int) -> tuple[Any, int]:
    """The sum of a batch's losses, in its dtype, and the number of correct samples."""
    loss, correct = network.evaluated_batch(x, t, start, BATCH)
    to_numpy = network.backend.to_numpy
    return to_numpy(loss)[()], int(to_numpy(correct)) if network.last_layer.counts_correct else 0
