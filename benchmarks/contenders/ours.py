"""backprop, through `fit`, with the images kept as bytes.

called: with `capture=False`. layers: convolution, ReLU and pooling as three layers, not as the one that
does the work of all.

The proof is a training of its own. After it one `Training` goes on through all bursts, an epoch after the
other, so that nothing is recorded again. An epoch is one of all images where that takes about a second at
most, and otherwise of 100 batches, which only increases the share of what an epoch costs besides its steps.
"""

from __future__ import annotations

import importlib
import sys
from itertools import islice
from typing import Any

import numpy as np

import backprop
from backends import Backend, get_backend

from ..memory import HeldByCupy, held_by_jax, held_by_torch
from ..precision import set_torch
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
        self.held = HeldByCupy() if backend.name == "cupy" else None
        if backend.name == "torch":
            set_torch(importlib.import_module("torch"))
        pixels = data.pixels.reshape(-1, 1, 28, 28) if workload.filters else data.pixels
        self.x, self.t = backend.asarray(pixels), backend.asarray(data.t)
        self.network = backprop.Network(layers_of(workload, backend, merged=variant != "layers"))
        if workload.optimizer == "adam":
            self.optimizer = backprop.Adam(workload.lr, *ADAM_BETAS, epsilon=ADAM_EPSILON)
        else:
            self.optimizer = backprop.SGD(workload.lr)
        self.batch, self.rng = workload.batch, np.random.default_rng(0)
        self.capture = variant != "called"
        place = "cpu" if backend.device.startswith("cpu") else "gpu"
        short = place in workload.short_on or (place == "gpu" and not self.capture)
        self.samples = workload.short_epoch * self.batch if short else len(data.t)
        self.chunk = -(-self.samples // self.batch)
        self.endless: backprop.Training | None = None

    def training(self, x: Any, t: Any, **length: int) -> backprop.Training:
        return backprop.Training(
            self.network,
            x,
            t,
            optimizer=self.optimizer,
            batch_size=self.batch,
            rng=self.rng,
            capture=self.capture,
            **length,
        )

    def prove(self, steps: int) -> None:
        for _ in self.training(self.x, self.t, iterations=steps):
            pass

    def run(self, steps: int) -> None:
        if self.endless is None:
            x, t = self.x[: self.samples, ...], self.t[: self.samples]
            self.endless = self.training(x, t, epochs=sys.maxsize)
        for _ in islice(self.endless, steps // self.chunk):
            pass
        self.network.backend.synchronize()

    def device_mb(self) -> float | None:
        backend = self.network.backend
        if self.held is not None:
            return self.held.mb()
        if backend.name == "torch" and backend.device.startswith("cuda"):
            return held_by_torch(importlib.import_module("torch"))
        if backend.name == "jax":
            return held_by_jax(importlib.import_module("jax").devices()[0])
        return None

    def weights(self) -> Weights | None:
        return {name: self.network.backend.to_numpy(p) for name, p in self.network.params.items()}


def layers_of(workload: Workload, backend: Backend, *, merged: bool) -> list[backprop.Layer]:
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
