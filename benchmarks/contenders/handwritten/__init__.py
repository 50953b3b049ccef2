"""The same mathematics as plain NumPy with kept buffers: what our abstractions cost."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from ...workloads import Array, Data, Weights, Workload, initial_weights
from .networks import Affines, Convolutional, Normalized
from .updates import Adam, descend

VARIANTS = ("numpy",)
FLOATS = True


class Contender:
    def __init__(self, workload: Workload, data: Data, variant: str, device: str) -> None:
        self.x, self.t, self.batch = data.x, data.t, workload.batch
        self.rng = np.random.default_rng(0)
        start = initial_weights(workload)
        params, self.p = _flat(start)
        grads, g = _flat(start)
        for name, value in start.items():
            self.p[name][...] = value
        if workload.optimizer == "adam":
            self.update, scale = Adam(params, grads, workload.lr), 1.0
        else:
            self.update, scale = descend(params, grads), workload.lr  # the gradient of lr · loss
        kind = Convolutional if workload.filters else Normalized if workload.batch_norm else Affines
        self.input = np.empty((self.batch, 784), np.float32)
        self.network = kind(self.p, g, self.input, scale / self.batch)

    def _batches(self, steps: int) -> Iterator[Array]:
        """Indices of every batch, as `fit` draws them: with the same seed, the same batches."""
        per_epoch = len(self.x) // self.batch
        for start in range(0, steps, per_epoch):
            order = self.rng.permutation(len(self.x))
            for i in range(min(per_epoch, steps - start)):
                yield order[i * self.batch : (i + 1) * self.batch]

    def run(self, steps: int) -> None:
        for chosen in self._batches(steps):
            self.x.take(chosen, 0, self.input, "clip")
            self.loss = self.network.gradient(self.t.take(chosen))
            self.update()

    def weights(self) -> Weights | None:
        return self.p


def _flat(like: Weights) -> tuple[Array, Weights]:
    """A vector for all of these arrays, and its parts in their shapes."""
    sizes = [math.prod(value.shape) for value in like.values()]
    vector = np.zeros(sum(sizes), np.float32)
    parts = np.split(vector, np.cumsum(sizes)[:-1])
    return vector, {name: part.reshape(like[name].shape) for name, part in zip(like, parts, strict=True)}
