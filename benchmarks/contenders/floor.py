"""The gather and the matrix products that nobody can skip, in bare NumPy: it trains nothing.

A convolution is two products, forward and for its weights, of im2col's sizes; cut in slabs that stay
in cache, and without im2col itself.
"""

from __future__ import annotations

import numpy as np

from ..workloads import Data, Weights, Workload, initial_weights

VARIANTS = ("numpy",)
FLOATS = True
SLABS = 24


class Contender:
    def __init__(self, workload: Workload, data: Data, variant: str, device: str) -> None:
        self.x, self.batch = data.x, workload.batch
        self.rng = np.random.default_rng(0)
        weights = [W for name, W in initial_weights(workload).items() if name.startswith("W")]
        self.input = np.zeros((self.batch, 784), np.float32)
        self.convolution = None
        if workload.filters:
            W = weights.pop(0).reshape(workload.filters, -1)
            pixels = self.batch * 24 * 24 // SLABS
            columns, y = np.zeros((W.shape[1], pixels), np.float32), np.zeros((len(W), pixels), np.float32)
            self.convolution = W, columns, y, np.empty_like(W)
        self.W, self.dW = weights, [np.empty_like(W) for W in weights]
        self.h = [np.zeros((self.batch, n), np.float32) for n in workload.sizes]
        self.d = [np.full((self.batch, n), 1e-3, np.float32) for n in workload.sizes]
        if not workload.filters:
            self.h[0] = self.input

    def run(self, steps: int) -> None:
        W, dW, h, d = self.W, self.dW, self.h, self.d
        for rows in self.rng.integers(0, len(self.x), (steps, self.batch)):
            self.x.take(rows, 0, self.input, "clip")
            if self.convolution:
                self.convolve()
            for i in range(len(W)):
                np.dot(h[i], W[i], h[i + 1])
            for i in reversed(range(len(W))):
                np.dot(h[i].T, d[i + 1], dW[i])
                if i or self.convolution:
                    np.dot(d[i + 1], W[i].T, d[i])

    def convolve(self) -> None:
        W, columns, y, dW = self.convolution
        for _ in range(SLABS):
            np.dot(W, columns, y)
            np.dot(y, columns.T, dW)

    def weights(self) -> Weights | None:
        return None
