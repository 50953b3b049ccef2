"""Every layer and loss configuration that is checked, one line each.

`CASES[name](rng)` is a layer (or loss) and its NumPy inputs. Every public class has to stand here;
`tests/test_gradients.py` checks each one on every backend and fails where one is missing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from backprop import (
    GELU,
    Add,
    Affine,
    BatchNormalization,
    Dropout,
    Flatten,
    Identity,
    LayerNormalization,
    LeakyReLU,
    MeanSquaredError,
    Mul,
    ReLU,
    Reshape,
    Residual,
    Sigmoid,
    SigmoidWithLoss,
    Softmax,
    SoftmaxWithLoss,
    Tanh,
)

Case = tuple[Any, ...]


def normal(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.standard_normal(shape)


def one_hot(rng: np.random.Generator, n: int, classes: int) -> np.ndarray:
    return np.eye(classes)[rng.integers(0, classes, n)]


CASES: dict[str, Callable[[np.random.Generator], Case]] = {
    "Add": Add.case,
    "Affine": Affine.case,
    "Affine, one sample": lambda rng: (Affine(normal(rng, 4, 3), normal(rng, 3)), normal(rng, 1, 4)),
    "Affine, one output": lambda rng: (Affine(normal(rng, 4, 1), normal(rng, 1)), normal(rng, 5, 4)),
    "Affine, square": lambda rng: (Affine(normal(rng, 4, 4), normal(rng, 4)), normal(rng, 4, 4)),
    "Affine, images": lambda rng: (Affine(normal(rng, 12, 3), normal(rng, 3)), normal(rng, 5, 3, 2, 2)),
    "BatchNormalization": BatchNormalization.case,
    "BatchNormalization, images": lambda rng: (
        BatchNormalization(normal(rng, 3), normal(rng, 3)),
        normal(rng, 2, 3, 4, 2),
    ),
    "BatchNormalization, one image": lambda rng: (
        BatchNormalization(normal(rng, 2), normal(rng, 2)),
        normal(rng, 1, 2, 3, 3),
    ),
    "BatchNormalization, two samples": lambda rng: (
        BatchNormalization(normal(rng, 3), normal(rng, 3), epsilon=0.1),
        normal(rng, 2, 3),
    ),
    "Dropout": Dropout.case,
    "Dropout, the book's": lambda rng: (Dropout(0.5, seed=3, inverted=False), normal(rng, 3, 4)),
    "Dropout, images": lambda rng: (Dropout(0.3, seed=3), normal(rng, 2, 3, 4, 4)),
    "Dropout, nothing": lambda rng: (Dropout(0.0, seed=3), normal(rng, 3, 4)),
    "Flatten": Flatten.case,
    "Flatten, flat already": lambda rng: (Flatten(), normal(rng, 3, 4)),
    "GELU": GELU.case,
    "GELU, large": lambda rng: (GELU(), 5.0 * normal(rng, 3, 4)),
    "Identity": Identity.case,
    "LayerNormalization": LayerNormalization.case,
    "LayerNormalization, images": lambda rng: (
        LayerNormalization(normal(rng, 3, 2, 2), normal(rng, 3, 2, 2)),
        normal(rng, 2, 3, 2, 2),
    ),
    "LayerNormalization, last axis of three": lambda rng: (
        LayerNormalization(normal(rng, 4), normal(rng, 4)),
        normal(rng, 2, 3, 4),
    ),
    "LeakyReLU": LeakyReLU.case,
    "MeanSquaredError": MeanSquaredError.case,
    "MeanSquaredError, vector": lambda rng: (MeanSquaredError(), normal(rng, 5), normal(rng, 5)),
    "MeanSquaredError, integer targets": lambda rng: (
        MeanSquaredError(),
        normal(rng, 5),
        rng.integers(0, 9, 5),
    ),
    "Mul": Mul.case,
    "ReLU": ReLU.case,
    "ReLU, images": lambda rng: (
        ReLU(),
        normal(rng, 2, 3, 4, 4) + 3.0 * rng.choice([-1.0, 1.0], (2, 3, 4, 4)),
    ),
    "Reshape": Reshape.case,
    "Reshape, to images": lambda rng: (Reshape((1, 2, 3)), normal(rng, 4, 6)),
    "Residual": Residual.case,
    "Residual, with a state": lambda rng: (
        Residual([BatchNormalization(normal(rng, 4), normal(rng, 4)), Dropout(0.3, seed=1), Tanh()]),
        normal(rng, 5, 4),
    ),
    "Sigmoid": Sigmoid.case,
    "Sigmoid, large": lambda rng: (Sigmoid(), 10.0 * normal(rng, 3, 4)),
    "SigmoidWithLoss": SigmoidWithLoss.case,
    "SigmoidWithLoss, vector": lambda rng: (SigmoidWithLoss(), normal(rng, 5), rng.integers(0, 2, 5)),
    "SigmoidWithLoss, large": lambda rng: (
        SigmoidWithLoss(),
        20.0 * normal(rng, 4, 3),
        rng.integers(0, 2, (4, 3)),
    ),
    "Softmax": Softmax.case,
    "Softmax, images": lambda rng: (Softmax(), 5.0 * normal(rng, 2, 3, 4)),
    "SoftmaxWithLoss": SoftmaxWithLoss.case,
    "SoftmaxWithLoss, one sample": lambda rng: (SoftmaxWithLoss(), normal(rng, 1, 3), np.asarray([2])),
    "SoftmaxWithLoss, one-hot": lambda rng: (SoftmaxWithLoss(), normal(rng, 4, 3), one_hot(rng, 4, 3)),
    "SoftmaxWithLoss, boolean one-hot": lambda rng: (
        SoftmaxWithLoss(),
        normal(rng, 4, 3),
        one_hot(rng, 4, 3) > 0,
    ),
    "SoftmaxWithLoss, uint8": lambda rng: (
        SoftmaxWithLoss(),
        normal(rng, 4, 3),
        np.asarray([0, 1, 2, 1], np.uint8),
    ),
    "SoftmaxWithLoss, large": lambda rng: (
        SoftmaxWithLoss(),
        30.0 * normal(rng, 4, 3),
        rng.integers(0, 3, 4),
    ),
    "Tanh": Tanh.case,
    "Tanh, large": lambda rng: (Tanh(), 3.0 * normal(rng, 3, 4)),
}
