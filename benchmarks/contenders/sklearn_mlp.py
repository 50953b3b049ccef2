"""scikit-learn's MLPClassifier with plain SGD, one `partial_fit` a step's batch."""

from __future__ import annotations

import numpy as np
from sklearn.neural_network import MLPClassifier

from ..workloads import Data, Weights, Workload, initial_weights

VARIANTS = ("partial_fit",)
FLOATS = True


class Contender:
    def __init__(self, workload: Workload, data: Data, variant: str, device: str) -> None:
        if not workload.plain:
            raise NotImplementedError("MLPClassifier has neither convolution nor batch normalization")
        self.x, self.t, self.batch = data.x, data.t, workload.batch
        self.rng = np.random.default_rng(0)
        self.model = MLPClassifier(
            workload.sizes[1:-1], solver="sgd", momentum=0.0, alpha=0.0, batch_size=workload.batch,
            learning_rate_init=workload.lr, random_state=0,
        )  # fmt: skip
        self.model.partial_fit(self.x[: self.batch], self.t[: self.batch], classes=np.arange(10))
        start = initial_weights(workload)
        for i, (W, b) in enumerate(zip(self.model.coefs_, self.model.intercepts_, strict=True), 1):
            W[...], b[...] = start[f"W{i}"], start[f"b{i}"]

    def run(self, steps: int) -> None:
        for chosen in self.rng.integers(0, len(self.x), (steps, self.batch)):
            self.model.partial_fit(self.x[chosen], self.t[chosen])

    def weights(self) -> Weights | None:
        layers = enumerate(zip(self.model.coefs_, self.model.intercepts_, strict=True), 1)
        return {name: value for i, (W, b) in layers for name, value in ((f"W{i}", W), (f"b{i}", b))}
