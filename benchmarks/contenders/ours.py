"""backprop, through `fit`, with the images kept as bytes; `called` with `capture=False`."""

from __future__ import annotations

import numpy as np

import backprop
from backends import get_backend

from ..workloads import Data, Weights, Workload, initial_weights

VARIANTS = ("fit", "called")
FLOATS = False


class Contender:
    def __init__(self, workload: Workload, data: Data, variant: str, device: str) -> None:
        if not workload.plain:
            raise NotImplementedError(
                "convolution, batch normalization and Adam are not part of backprop yet"
            )
        backend = get_backend(device)
        layers: list[backprop.Layer] = []
        for W, b in initial_weights(workload):
            layers += [backprop.Affine(backend.asarray(W), backend.asarray(b)), backprop.ReLU()]
        self.network = backprop.Network(layers[:-1])
        self.x, self.t = backend.asarray(data.pixels), backend.asarray(data.t)
        self.batch, self.rng = workload.batch, np.random.default_rng(0)
        self.options = {"optimizer": backprop.SGD(workload.lr), "capture": variant == "fit"}

    def run(self, steps: int) -> None:
        epochs = backprop.fit(
            self.network,
            self.x,
            self.t,
            iterations=steps,
            batch_size=self.batch,
            rng=self.rng,
            **self.options,
        )
        for _ in epochs:
            pass

    def weights(self) -> Weights | None:
        values = [self.network.backend.to_numpy(p) for p in self.network.params.values()]
        return list(zip(values[::2], values[1::2], strict=True))
