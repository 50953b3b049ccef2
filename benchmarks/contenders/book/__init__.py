"""The work of the book's chapters 5 to 7 as published, in code of our own.

float64 parameters, batches drawn with `choice`, a second forward pass for the loss, the gradient for
the images, masks by assignment, im2col with a loop over the kernel, every parameter updated by itself.
"""

from __future__ import annotations

import numpy as np

from ...workloads import ADAM_BETAS, ADAM_EPSILON, Array, Data, Weights, Workload, initial_weights
from .layers import Affine, BatchNormalization, Convolution, Pooling, ReLU

VARIANTS = ("as-published",)
FLOATS = True


class SGD:
    def __init__(self, lr: float) -> None:
        self.lr = lr

    def update(self, params: Weights, grads: Weights) -> None:
        for key in params:
            params[key] -= self.lr * grads[key]


class Adam:
    def __init__(self, lr: float) -> None:
        self.lr, self.steps = lr, 0
        self.m: Weights = {}
        self.v: Weights = {}

    def update(self, params: Weights, grads: Weights) -> None:
        (beta1, beta2), self.steps = ADAM_BETAS, self.steps + 1
        rate = self.lr * np.sqrt(1.0 - beta2**self.steps) / (1.0 - beta1**self.steps)
        for key, p in params.items():
            m = self.m.setdefault(key, np.zeros_like(p))
            v = self.v.setdefault(key, np.zeros_like(p))
            m += (1 - beta1) * (grads[key] - m)
            v += (1 - beta2) * (grads[key] ** 2 - v)
            p -= rate * m / (np.sqrt(v) + ADAM_EPSILON)


class Contender:
    def __init__(self, workload: Workload, data: Data, variant: str, device: str) -> None:
        self.x, self.t, self.batch = data.x, data.t, workload.batch
        if workload.filters:
            self.x = self.x.reshape(-1, 1, 28, 28)
        self.params = {name: p.astype(np.float64) for name, p in initial_weights(workload).items()}
        self.layers, self.names = _layers(self.params)
        self.optimizer = (Adam if workload.optimizer == "adam" else SGD)(workload.lr)
        self.random = np.random.RandomState(0)

    def forward(self, x: Array, t: Array, training: bool) -> float:
        """The loss; the probabilities are kept for `backward`."""
        for layer in self.layers:
            x = layer.forward(x, training)
        shifted = x - np.max(x, axis=-1, keepdims=True)
        self.p = np.exp(shifted) / np.sum(np.exp(shifted), axis=-1, keepdims=True)
        return float(-np.sum(np.log(self.p[np.arange(len(t)), t] + 1e-7)) / len(t))

    def backward(self, t: Array) -> Weights:
        """The gradient of every parameter."""
        d = self.p.copy()
        d[np.arange(len(t)), t] -= 1
        d = d / len(t)
        for layer in reversed(self.layers):
            d = layer.backward(d)
        grads = [grad for layer in self.layers if layer.params for grad in layer.grads]
        return dict(zip(self.names, grads, strict=True))

    def run(self, steps: int) -> None:
        for _ in range(steps):
            chosen = self.random.choice(len(self.x), self.batch)
            x, t = self.x[chosen], self.t[chosen]
            self.forward(x, t, True)
            self.optimizer.update(self.params, self.backward(t))
            self.forward(x, t, False)

    def weights(self) -> Weights | None:
        return self.params


def _layers(params: Weights) -> tuple[list, list[str]]:
    """The stack, and the names of its parameters from below."""
    layers, names = [], []
    for i in range(1, 1 + sum(name.startswith("W") for name in params)):
        W, b = params[f"W{i}"], params[f"b{i}"]
        layers.append((Convolution if W.ndim == 4 else Affine)(W, b))
        names += [f"W{i}", f"b{i}"]
        if f"gamma{i}" in params:
            layers.append(BatchNormalization(params[f"gamma{i}"], params[f"beta{i}"]))
            names += [f"gamma{i}", f"beta{i}"]
        layers += [ReLU(), Pooling()] if W.ndim == 4 else [ReLU()]
    return layers[:-1], names
