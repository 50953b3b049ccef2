"""The same mathematics as a plain NumPy loop with kept buffers: what our abstractions cost."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..workloads import Data, Weights, Workload, initial_weights

VARIANTS = ("numpy",)
FLOATS = True


class Contender:
    def __init__(self, workload: Workload, data: Data, variant: str, device: str) -> None:
        if not workload.plain:
            raise NotImplementedError("stacks of affine layers with SGD only")
        self.x, self.t, self.batch, self.lr = data.x, data.t, workload.batch, np.float32(workload.lr)
        self.rng = np.random.default_rng(0)
        shapes = [p.shape for pair in initial_weights(workload) for p in pair]
        size = sum(int(np.prod(shape)) for shape in shapes)
        self.params, self.grads = np.empty(size, np.float32), np.empty(size, np.float32)
        self.p, self.g = self._views(self.params, shapes), self._views(self.grads, shapes)
        for view, value in zip(self.p, (p for pair in initial_weights(workload) for p in pair), strict=True):
            view[...] = value
        self.h = [np.empty((self.batch, n), np.float32) for n in workload.sizes]
        self.d = [np.empty((self.batch, n), np.float32) for n in workload.sizes]
        self.rows = np.arange(self.batch)

    @staticmethod
    def _views(vector: np.ndarray, shapes: list[tuple[int, ...]]) -> list[np.ndarray]:
        ends = np.cumsum([int(np.prod(shape)) for shape in shapes])
        return [part.reshape(shape) for part, shape in zip(np.split(vector, ends[:-1]), shapes, strict=True)]

    def _batches(self, steps: int) -> Iterator[np.ndarray]:
        """Indices of every batch, as `fit` draws them: with the same seed, the same batches."""
        per_epoch = len(self.x) // self.batch
        for start in range(0, steps, per_epoch):
            order = self.rng.permutation(len(self.x))
            for i in range(min(per_epoch, steps - start)):
                yield order[i * self.batch : (i + 1) * self.batch]

    def run(self, steps: int) -> None:
        h, d, p, g, rows = self.h, self.d, self.p, self.g, self.rows
        last = len(p) // 2 - 1
        for chosen in self._batches(steps):
            self.x.take(chosen, 0, h[0], "clip")
            t = self.t.take(chosen)
            for i in range(last + 1):
                np.dot(h[i], p[2 * i], h[i + 1])
                h[i + 1] += p[2 * i + 1]
                if i < last:
                    np.maximum(h[i + 1], 0, out=h[i + 1])
            z, dz = h[-1], d[-1]
            z -= z.max(axis=1, keepdims=True)
            np.exp(z, out=dz)
            total = dz.sum(axis=1, keepdims=True)
            self.loss = (np.log(total).sum() - z[rows, t].sum()) / self.batch
            dz /= total
            dz[rows, t] -= 1
            dz *= self.lr / np.float32(self.batch)
            for i in reversed(range(last + 1)):
                np.dot(h[i].T, d[i + 1], g[2 * i])
                np.add.reduce(d[i + 1], axis=0, out=g[2 * i + 1])
                if i:
                    np.dot(d[i + 1], p[2 * i].T, d[i])
                    np.multiply(d[i], h[i] > 0, out=d[i])
            self.params -= self.grads

    def weights(self) -> Weights | None:
        return list(zip(self.p[::2], self.p[1::2], strict=True))
