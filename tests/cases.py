"""Every layer and loss configuration that is checked, one line each.

`CASES[name](rng)` is a layer (or loss) and its NumPy inputs. Every public class has to stand here;
`tests/layers/test_gradients.py` checks each one on every backend and fails where one is missing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from backprop import (
    GELU,
    Add,
    Affine,
    AveragePooling,
    BatchNormalization,
    Convolution,
    ConvolutionReLUPooling,
    Dropout,
    Flatten,
    Identity,
    LayerNormalization,
    LeakyReLU,
    MaxPooling,
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
from backprop.layers import (
    Broadcast,
    Cos,
    Div,
    Exp,
    Log,
    MatMul,
    Max,
    Mean,
    Neg,
    Pow,
    Power,
    Sin,
    Sqrt,
    Sub,
    Sum,
)

Case = tuple[Any, ...]


def normal(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.standard_normal(shape)


def one_hot(rng: np.random.Generator, n: int, classes: int) -> np.ndarray:
    return np.eye(classes)[rng.integers(0, classes, n)]


def filters(rng: np.random.Generator, *shape: int) -> tuple[np.ndarray, np.ndarray]:
    return normal(rng, *shape), normal(rng, shape[0])


def pixels(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Images of which no two pixels are near each other: the largest stays the largest."""
    return rng.permutation(np.linspace(-1.0, 1.0, int(np.prod(shape)))).reshape(shape)


CASES: dict[str, Callable[[np.random.Generator], Case]] = {
    "Add": Add.case,
    "Affine": Affine.case,
    "Affine, one sample": lambda rng: (Affine(normal(rng, 4, 3), normal(rng, 3)), normal(rng, 1, 4)),
    "Affine, one output": lambda rng: (Affine(normal(rng, 4, 1), normal(rng, 1)), normal(rng, 5, 4)),
    "Affine, square": lambda rng: (Affine(normal(rng, 4, 4), normal(rng, 4)), normal(rng, 4, 4)),
    "Affine, images": lambda rng: (Affine(normal(rng, 12, 3), normal(rng, 3)), normal(rng, 5, 3, 2, 2)),
    "AveragePooling": AveragePooling.case,
    "AveragePooling, overlapping, lost edge": lambda rng: (
        AveragePooling(3, 2, stride=2),
        normal(rng, 2, 2, 6, 7),
    ),
    "AveragePooling, pad": lambda rng: (AveragePooling(2, 3, stride=2, pad=1), normal(rng, 2, 1, 3, 5)),
    "AveragePooling, whole image": lambda rng: (AveragePooling(3, 4), normal(rng, 2, 3, 3, 4)),
    "BatchNormalization": BatchNormalization.case,
    "BatchNormalization, images": lambda rng: (
        BatchNormalization(normal(rng, 3), normal(rng, 3)),
        normal(rng, 2, 3, 4, 2),
    ),
    "BatchNormalization, series": lambda rng: (
        BatchNormalization(normal(rng, 3), normal(rng, 3)),
        normal(rng, 4, 3, 5),
    ),
    "BatchNormalization, one image": lambda rng: (
        BatchNormalization(normal(rng, 2), normal(rng, 2)),
        normal(rng, 1, 2, 3, 3),
    ),
    "BatchNormalization, two samples": lambda rng: (
        BatchNormalization(normal(rng, 3), normal(rng, 3), epsilon=0.1),
        normal(rng, 2, 3),
    ),
    "Broadcast": Broadcast.case,
    "Broadcast, a number": lambda rng: (Broadcast((3, 2)), normal(rng)),
    "Broadcast, the same shape": lambda rng: (Broadcast((3, 4)), normal(rng, 3, 4)),
    "Broadcast, an axis of 1": lambda rng: (Broadcast((3, 4)), normal(rng, 3, 1)),
    "Convolution": Convolution.case,
    "Convolution, no pad": lambda rng: (Convolution(*filters(rng, 2, 3, 2, 2)), normal(rng, 3, 3, 4, 5)),
    "Convolution, stride": lambda rng: (
        Convolution(*filters(rng, 2, 2, 3, 3), stride=2),
        normal(rng, 2, 2, 5, 7),
    ),
    "Convolution, stride that loses pixels": lambda rng: (
        Convolution(*filters(rng, 2, 2, 3, 2), stride=3),
        normal(rng, 2, 2, 8, 7),
    ),
    "Convolution, stride over the kernel": lambda rng: (
        Convolution(*filters(rng, 2, 1, 1, 2), stride=3, pad=1),
        normal(rng, 2, 1, 5, 6),
    ),
    "Convolution, pad and stride": lambda rng: (
        Convolution(*filters(rng, 3, 2, 4, 3), stride=2, pad=2),
        normal(rng, 2, 2, 3, 6),
    ),
    "Convolution, one image": lambda rng: (
        Convolution(*filters(rng, 2, 2, 3, 3), pad=1),
        normal(rng, 1, 2, 3, 4),
    ),
    "Convolution, one channel": lambda rng: (
        Convolution(*filters(rng, 3, 1, 3, 3), pad=1),
        normal(rng, 4, 1, 4, 3),
    ),
    "Convolution, one filter": lambda rng: (Convolution(*filters(rng, 1, 3, 2, 3)), normal(rng, 2, 3, 3, 3)),
    "Convolution, 1×1": lambda rng: (Convolution(*filters(rng, 3, 2, 1, 1)), normal(rng, 2, 2, 3, 4)),
    "Convolution, whole image": lambda rng: (Convolution(*filters(rng, 3, 2, 3, 4)), normal(rng, 2, 2, 3, 4)),
    "ConvolutionReLUPooling": ConvolutionReLUPooling.case,
    "ConvolutionReLUPooling, no pad": lambda rng: (
        ConvolutionReLUPooling(*filters(rng, 3, 1, 3, 3)),
        normal(rng, 3, 1, 6, 6),
    ),
    "ConvolutionReLUPooling, stride, pad, lost edges": lambda rng: (
        ConvolutionReLUPooling(*filters(rng, 2, 2, 2, 3), stride=2, pad=1, pool_h=2, pool_w=3),
        normal(rng, 2, 2, 10, 13),
    ),
    "ConvolutionReLUPooling, 1×1, rows": lambda rng: (
        ConvolutionReLUPooling(*filters(rng, 2, 3, 1, 1), pool_h=3, pool_w=1),
        normal(rng, 1, 3, 7, 3),
    ),
    "ConvolutionReLUPooling, nothing pooled": lambda rng: (
        ConvolutionReLUPooling(*filters(rng, 2, 2, 2, 2), pool_h=1),
        normal(rng, 2, 2, 3, 4),
    ),
    "Cos": Cos.case,
    "Div": Div.case,
    "Dropout": Dropout.case,
    "Dropout, the book's": lambda rng: (Dropout(0.5, seed=3, inverted=False), normal(rng, 3, 4)),
    "Dropout, images": lambda rng: (Dropout(0.3, seed=3), normal(rng, 2, 3, 4, 4)),
    "Dropout, nothing": lambda rng: (Dropout(0.0, seed=3), normal(rng, 3, 4)),
    "Exp": Exp.case,
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
    "LeakyReLU, no slope": lambda rng: (LeakyReLU(0.0), rng.choice([-1.0, 1.0], (3, 4))),
    "Log": Log.case,
    "MatMul": MatMul.case,
    "MatMul, one column": lambda rng: (MatMul(), normal(rng, 5, 3), normal(rng, 3, 1)),
    "Max": Max.case,
    "Max, all": lambda rng: (Max(), pixels(rng, 3, 4)),
    "Max, axes kept": lambda rng: (Max((0, -1), keepdims=True), pixels(rng, 2, 3, 4)),
    "MaxPooling": MaxPooling.case,
    "MaxPooling, overlapping": lambda rng: (MaxPooling(3, stride=1), pixels(rng, 2, 2, 5, 4)),
    "MaxPooling, overlapping across": lambda rng: (MaxPooling(2, 3, stride=2), pixels(rng, 2, 2, 5, 8)),
    "MaxPooling, lost edges": lambda rng: (MaxPooling(2, 3), pixels(rng, 2, 2, 5, 7)),
    "MaxPooling, stride over the window": lambda rng: (MaxPooling(2, 1, stride=3), pixels(rng, 2, 2, 6, 7)),
    "MaxPooling, pad": lambda rng: (MaxPooling(3, 2, stride=2, pad=1), pixels(rng, 2, 3, 4, 5)),
    "MaxPooling, one image": lambda rng: (MaxPooling(2, 2, 2, 0), pixels(rng, 1, 1, 4, 4)),
    "MaxPooling, 1×1": lambda rng: (MaxPooling(1), pixels(rng, 2, 2, 2, 3)),
    "Mean": Mean.case,
    "Mean, all": lambda rng: (Mean(), normal(rng, 3, 4)),
    "Mean, axes kept": lambda rng: (Mean((0, -1), keepdims=True), normal(rng, 2, 3, 4)),
    "MeanSquaredError": MeanSquaredError.case,
    "MeanSquaredError, vector": lambda rng: (MeanSquaredError(), normal(rng, 5), normal(rng, 5)),
    "MeanSquaredError, integer targets": lambda rng: (
        MeanSquaredError(),
        normal(rng, 5),
        rng.integers(0, 9, 5),
    ),
    "Mul": Mul.case,
    "Neg": Neg.case,
    "Pow": Pow.case,
    "Power": Power.case,
    "Power, negative": lambda rng: (Power(-2), rng.uniform(0.5, 2.0, (3, 4))),
    "Power, a root": lambda rng: (Power(0.5), rng.uniform(0.5, 2.0, (3, 4))),
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
    "Sin": Sin.case,
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
    "SoftmaxWithLoss, probabilities": lambda rng: (
        SoftmaxWithLoss(),
        normal(rng, 4, 3),
        rng.dirichlet([1.0, 1.0, 1.0], 4),
    ),
    "SoftmaxWithLoss, smoothed labels": lambda rng: (
        SoftmaxWithLoss(label_smoothing=0.1),
        normal(rng, 4, 3),
        rng.integers(0, 3, 4),
    ),
    "SoftmaxWithLoss, smoothed probabilities": lambda rng: (
        SoftmaxWithLoss(0.3),
        normal(rng, 4, 3),
        rng.dirichlet([1.0, 1.0, 1.0], 4),
    ),
    "SoftmaxWithLoss, large": lambda rng: (
        SoftmaxWithLoss(),
        30.0 * normal(rng, 4, 3),
        rng.integers(0, 3, 4),
    ),
    "Sqrt": Sqrt.case,
    "Sub": Sub.case,
    "Sum": Sum.case,
    "Sum, all": lambda rng: (Sum(), normal(rng, 3, 4)),
    "Sum, axes kept": lambda rng: (Sum((0, -1), keepdims=True), normal(rng, 2, 3, 4)),
    "Tanh": Tanh.case,
    "Tanh, large": lambda rng: (Tanh(), 3.0 * normal(rng, 3, 4)),
}
