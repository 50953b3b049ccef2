"""A network whose layers have state."""

from __future__ import annotations

import numpy as np

from backends import Backend, get_backend
from backprop import Affine, BatchNormalization, Dropout, LeakyReLU, Network, ReLU, Residual


def stateful(backend: Backend | str) -> Network:
    backend, rng = get_backend(backend), np.random.default_rng(1)

    def affine(rows: int, columns: int) -> Affine:
        return Affine(0.5 * rng.standard_normal((rows, columns)), np.zeros(columns))

    norm = BatchNormalization(np.ones(8), np.zeros(8))
    block = Residual([affine(8, 8), BatchNormalization(np.ones(8), np.zeros(8)), ReLU(), Dropout(0.2, 9)])
    stack = [affine(4, 8), norm, LeakyReLU(), Dropout(0.3, 7), block, affine(8, 3)]
    return Network(stack).to(device=backend, dtype="float32")
