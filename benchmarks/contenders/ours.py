"""backprop, through `fit`, with the images kept as bytes.

called: with `capture=False`. layers: convolution, ReLU and pooling as three layers, not as the one that
does the work of all.
"""

from __future__ import annotations

import numpy as np

import backprop
from backends import Backend, get_backend

from ..workloads import (
    ADAM_BETAS,
    ADAM_EPSILON,
    BATCH_NORM_EPSILON,
    BATCH_NORM_MOMENTUM,
    Data,
    Weights,
    Workload,
    initial_weights,
)

VARIANTS = ("fit", "called", "layers")
FLOATS = False


class Contender:
    def __init__(self, workload: Workload, data: Data, variant: str, device: str) -> None:
        if variant == "layers" and not workload.filters:
            raise NotImplementedError("convolution, ReLU and pooling: W3 only")
        backend = get_backend(device)
        pixels = data.pixels.reshape(-1, 1, 28, 28) if workload.filters else data.pixels
        self.x, self.t = backend.asarray(pixels), backend.asarray(data.t)
        self.network = backprop.Network(_layers(workload, backend, merged=variant != "layers"))
        if workload.optimizer == "adam":
            self.optimizer = backprop.Adam(workload.lr, *ADAM_BETAS, epsilon=ADAM_EPSILON)
        else:
            self.optimizer = backprop.SGD(workload.lr)
        self.batch, self.rng = workload.batch, np.random.default_rng(0)
        self.capture = variant != "called"
        self.chunk = 100 if self.capture else 1  # a burst begins with a recording, as a training run does

    def run(self, steps: int) -> None:
        epochs = backprop.Training(
            self.network,
            self.x,
            self.t,
            optimizer=self.optimizer,
            iterations=steps,
            batch_size=self.batch,
            rng=self.rng,
            capture=self.capture,
        )
        for _ in epochs:
            pass

    def weights(self) -> Weights | None:
        return {name: self.network.backend.to_numpy(p) for name, p in self.network.params.items()}


def _layers(workload: Workload, backend: Backend, *, merged: bool) -> list[backprop.Layer]:
    start = {name: backend.asarray(value) for name, value in initial_weights(workload).items()}
    layers: list[backprop.Layer] = []
    for i in range(1, 1 + sum(name.startswith("W") for name in start)):
        W, b = start[f"W{i}"], start[f"b{i}"]
        if W.ndim == 4 and merged:
            layers.append(backprop.ConvolutionReLUPooling(W, b, pool_h=2))
            continue
        layers.append(backprop.Convolution(W, b) if W.ndim == 4 else backprop.Affine(W, b))
        if f"gamma{i}" in start:
            layers.append(
                backprop.BatchNormalization(
                    start[f"gamma{i}"], start[f"beta{i}"], BATCH_NORM_MOMENTUM, epsilon=BATCH_NORM_EPSILON
                )
            )
        layers.append(backprop.ReLU())
        if W.ndim == 4:
            layers.append(backprop.MaxPooling(2))
    return layers[:-1]
