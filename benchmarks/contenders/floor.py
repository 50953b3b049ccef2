"""The gather and the matrix products that nobody can skip, in bare NumPy: it trains nothing."""

from __future__ import annotations

import numpy as np

from ..workloads import Data, Weights, Workload, initial_weights

VARIANTS = ("numpy",)
FLOATS = True


class Contender:
    def __init__(self, workload: Workload, data: Data, variant: str, device: str) -> None:
        if workload.filters:
            raise NotImplementedError("affine layers only")
        self.x, self.batch = data.x, workload.batch
        self.rng = np.random.default_rng(0)
        self.W = [W for W, _ in initial_weights(workload)]
        self.dW = [np.empty_like(W) for W in self.W]
        self.h = [np.zeros((self.batch, n), np.float32) for n in workload.sizes]
        self.d = [np.full((self.batch, n), 1e-3, np.float32) for n in workload.sizes]

    def run(self, steps: int) -> None:
        W, dW, h, d = self.W, self.dW, self.h, self.d
        for rows in self.rng.integers(0, len(self.x), (steps, self.batch)):
            self.x.take(rows, 0, h[0], "clip")
            for i in range(len(W)):
                np.dot(h[i], W[i], h[i + 1])
            for i in reversed(range(len(W))):
                np.dot(h[i].T, d[i + 1], dW[i])
                if i:
                    np.dot(d[i + 1], W[i].T, d[i])

    def weights(self) -> Weights | None:
        return None
