"""Shards: the parts into which every batch of a training is cut, and which process computes which."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True)
class Shards:
    """Every batch is cut into `count` parts, as equal as possible, which are dealt to `processes`.

    The gradient of a batch is the sum of those of its parts in their order, whoever computes them. So the
    number of shards is part of a training's result, and the number of processes is not.

    >>> shards = Shards(8, processes=3)
    >>> shards.dealt(0), shards.dealt(1), shards.dealt(2)
    (range(0, 2), range(2, 5), range(5, 8))
    >>> shards.cut(100)[:3]
    [(0, 12), (12, 25), (25, 37)]
    """

    count: int
    processes: int = 1

    def dealt(self, rank: int) -> range:
        """The shards of a process."""
        return range(rank * self.count // self.processes, (rank + 1) * self.count // self.processes)

    @property
    def counts(self) -> list[int]:
        """The number of shards of every process."""
        return [len(self.dealt(rank)) for rank in range(self.processes)]

    def cut(self, samples: int) -> Sequence[tuple[int, int]]:
        """The first sample of every shard of a batch, and the one after its last.

        A batch of fewer samples than shards, which the last of an epoch may be, is not cut; every process
        computes it.
        """
        if samples < self.count:
            return [(0, samples)]
        return list(pairwise(i * samples // self.count for i in range(self.count + 1)))


UNDIVIDED = Shards(1)
"""Batches in one part."""
