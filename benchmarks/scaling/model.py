"""The time of a step in several processes, on paper. Seconds, bytes and processes.

A message of V bytes takes α + β V; see R. Thakur, R. Rabenseifner and W. Gropp, "Optimization of Collective
Communication Operations in MPICH", 2005. A sum sends each process's part of the rows to it, pair after pair
of processes, and the sums to all: by recursive doubling while they are short, else around a ring.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, log2

import numpy as np

UPDATE_IS_DIVIDED = True
"""Whether each process updates its part of the parameters only, and sends them instead of the sums."""

LONG = 524_288
"""Bytes from which MPICH gathers around a ring (MPIR_CVAR_ALLGATHER_LONG_MSG_SIZE)."""

LARGE = 32 * 2**20
"""Bytes from which vectors do not fit into the cache, and cost more."""

MOST = 1 << 20
"""The most processes that are looked at."""

ITEM = 4
"""Bytes of a float32."""


@dataclass(frozen=True)
class Computing:
    """What a step takes without an exchange: fixed + per_sample · samples, and the update."""

    fixed: float
    per_sample: float
    update: float

    def time(self, samples: int, processes: int = 1) -> float:
        """Seconds in the process that has most samples of a batch."""
        divided = processes if UPDATE_IS_DIVIDED else 1
        return self.fixed + self.per_sample * ceil(samples / processes) + self.update / divided


@dataclass(frozen=True)
class Link:
    """A message: α, and β for each byte."""

    latency: float
    per_byte: float


@dataclass(frozen=True)
class Cluster:
    """Processes in nodes, which add up vectors."""

    name: str
    between: Link
    """Between nodes."""
    own: float
    """What a process does with a byte itself: sort the rows by receiver, add up, put in place."""
    large: float | None = None
    """The same in vectors of `LARGE` bytes or more, if it differs."""
    node: int = 1
    """The processes of a node."""
    within: Link = Link(0.0, 0.0)
    """Within a node."""

    def exchange(self, size: int, processes: int) -> float:
        """The sum of a vector of `size` bytes of each process, in all of them."""
        near = min(processes, self.node)
        share = size / processes
        seconds = 0.0
        for link, before, after in ((self.within, 1, near), (self.between, near, processes)):
            scattering = after - before
            gathering = ceil(log2(after / before)) if size < LONG else scattering
            seconds += link.latency * (scattering + gathering)
            seconds += 2 * link.per_byte * share * scattering
        return seconds + (self.handling(size) if processes > 1 else 0.0)

    def handling(self, size: int) -> float:
        """What a process does itself with a vector of `size` bytes."""
        return (self.own if size < LARGE or self.large is None else self.large) * size


@dataclass(frozen=True)
class Job:
    """A network that is trained.

    Parameters
    ----------
    length : the numbers in the vector that a step exchanges
    small : the lengths of the sums within a step, those of batch normalization
    """

    name: str
    computing: Computing
    batch: int
    length: int
    small: tuple[int, ...] = ()

    def step(self, cluster: Cluster, processes: int, samples: int | None = None) -> float:
        """The time of a step of `samples` in all, by default of the batch."""
        sums = sum(cluster.exchange(ITEM * length, processes) for length in (self.length, *self.small))
        return self.computing.time(samples or self.batch, processes) + sums

    def speedup(self, cluster: Cluster, processes: int, *, grown: bool = False) -> float:
        """How many times as many samples a second as in one process.

        `grown`: each process has a whole batch; else the processes share one.
        """
        factor = processes if grown else 1
        alone = self.step(cluster, 1)
        return factor * alone / self.step(cluster, processes, factor * self.batch)

    def most(self, *, grown: bool = False) -> int:
        """The most processes that have a sample each, or that are looked at."""
        return MOST if grown else self.batch

    def fastest(self, cluster: Cluster) -> int:
        """The fewest processes that share the batch with the greatest speed-up."""
        return max(range(1, self.most() + 1), key=lambda p: self.speedup(cluster, p))

    def inefficient(self, cluster: Cluster, *, grown: bool = False) -> int | None:
        """The fewest processes of which less than half counts, if any; of a grown batch, powers of two."""
        most = self.most(grown=grown)
        counts = [1 << i for i in range(most.bit_length())] if grown else range(1, most + 1)
        return next((p for p in counts if 2 * self.speedup(cluster, p, grown=grown) < p), None)


def fit(rows: Sequence[Sequence[float]], times: Sequence[float]) -> list[float]:
    """The coefficients ≥ 0 of the rows with the least squares of the times' relative errors.

    >>> [round(c, 6) for c in fit([[1, 10], [1, 20], [1, 40]], [3.0, 5.0, 9.0])]
    [1.0, 0.2]
    """
    relative = np.asarray(rows, float) / np.asarray(times, float)[:, None]
    kept = list(range(relative.shape[1]))
    while True:
        found, *_ = np.linalg.lstsq(relative[:, kept], np.ones(len(times)))
        if (found >= 0.0).all():
            break
        del kept[int(np.argmin(found))]
    coefficients = dict(zip(kept, map(float, found), strict=True))
    return [coefficients.get(i, 0.0) for i in range(relative.shape[1])]
