"""The work of the book's chapter 5 as published, in code of our own.

float64 parameters, batches drawn with `choice`, a second forward pass for the loss, the gradient for
the images, masks by assignment, every parameter updated by itself.
"""

from __future__ import annotations

import numpy as np

from ..workloads import Data, Weights, Workload, initial_weights

VARIANTS = ("as-published",)
FLOATS = True


class Contender:
    def __init__(self, workload: Workload, data: Data, variant: str, device: str) -> None:
        if not workload.plain:
            raise NotImplementedError("stacks of affine layers with SGD only")
        self.x, self.t, self.batch, self.lr = data.x, data.t, workload.batch, workload.lr
        self.params = [[p.astype(np.float64) for p in pair] for pair in initial_weights(workload)]
        self.random = np.random.RandomState(0)

    def forward(self, x: np.ndarray, t: np.ndarray) -> float:
        """The loss; inputs, masks and probabilities are kept for `backward`."""
        self.inputs, self.masks = [], []
        for i, (W, b) in enumerate(self.params):
            self.inputs.append(x)
            x = np.dot(x, W) + b
            if i < len(self.params) - 1:
                mask = x <= 0
                x = x.copy()
                x[mask] = 0
                self.masks.append(mask)
        shifted = x - np.max(x, axis=-1, keepdims=True)
        self.p = np.exp(shifted) / np.sum(np.exp(shifted), axis=-1, keepdims=True)
        return float(-np.sum(np.log(self.p[np.arange(len(t)), t] + 1e-7)) / len(t))

    def backward(self, t: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        d = self.p.copy()
        d[np.arange(len(t)), t] -= 1
        d = d / len(t)
        grads = []
        for i in reversed(range(len(self.params))):
            grads.append((np.dot(self.inputs[i].T, d), np.sum(d, axis=0)))
            d = np.dot(d, self.params[i][0].T)
            if i:
                d[self.masks[i - 1]] = 0
        return grads[::-1]

    def run(self, steps: int) -> None:
        for _ in range(steps):
            chosen = self.random.choice(len(self.x), self.batch)
            x, t = self.x[chosen], self.t[chosen]
            self.forward(x, t)
            for pair, grads in zip(self.params, self.backward(t), strict=True):
                for i, grad in enumerate(grads):
                    pair[i] -= self.lr * grad
            self.forward(x, t)

    def weights(self) -> Weights | None:
        return [(W, b) for W, b in self.params]
