"""The network of the book's chapter 6."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Sequence
from typing import Any, Literal

import numpy as np

from ...backends import Backend
from ...layers import GELU, Identity, Layer, LeakyReLU, ReLU, Sigmoid, Tanh
from ...lookup import lookup
from ...losses import SoftmaxWithLoss
from ..network import Network
from .builder import Builder

ACTIVATIONS: dict[str, tuple[str, Callable[[], Layer]]] = {
    "relu": ("Relu", ReLU),
    "sigmoid": ("Sigmoid", Sigmoid),
    "tanh": ("Tanh", Tanh),
    "leaky-relu": ("LeakyRelu", LeakyReLU),
    "gelu": ("Gelu", GELU),
    "identity": ("Identity", Identity),
}
"""Activation functions by name: the prefix of the layer's name in a network, and its class."""


class MultiLayerNet(Network):
    """Affine, (batch normalization,) activation(, dropout) for every hidden layer, then Affine and loss.

    Parameters
    ----------
    input_size, hidden_size_list, output_size : the widths
    activation : `"relu"`, `"sigmoid"`, `"tanh"`, `"leaky-relu"`, `"gelu"` or `"identity"`
    weight_init_std : `"relu"` or `"he"`, `"sigmoid"` or `"xavier"`, or a standard deviation
    weight_decay_lambda : λ of the penalty λ/2 Σ W², which the loss and the gradients include
    use_batchnorm : batch normalization between affine layer and activation; `"local"` for one whose shards
        do not share their statistics (`synchronized=False`)
    dropout_ratio : the share dropped after every activation; 0 for none
    dtype, device, rng : as for `TwoLayerNet`

    Source: *Deep Learning from Scratch*, chapter 6, `MultiLayerNet` and `MultiLayerNetExtend`.

    >>> MultiLayerNet(784, [100, 100], 10, use_batchnorm=True, rng=0).params
    NamedParameters(W1=(784, 100), b1=(100,), gamma1=(100,), beta1=(100,), W2=(100, 100), b2=(100,), \
gamma2=(100,), beta2=(100,), W3=(100, 10), b3=(10,))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size_list: Sequence[int],
        output_size: int,
        activation: str = "relu",
        weight_init_std: str | float = "relu",
        weight_decay_lambda: float = 0.0,
        *,
        use_batchnorm: bool | Literal["synchronized", "local"] = False,
        dropout_ratio: float = 0.0,
        dtype: Any = "float32",
        device: str | Backend = "cpu",
        rng: np.random.Generator | int | None = None,
    ) -> None:
        build = Builder("MultiLayerNet", dtype, device, rng)
        build.check_kind(Collection, [100, 100], hidden_size_list=hidden_size_list)
        build.check_kind(str, "relu", activation=activation)
        sizes = [input_size, *hidden_size_list, output_size]
        build.check_sizes(**{f"width {i}": size for i, size in enumerate(sizes)})
        if use_batchnorm not in (False, True, "synchronized", "local"):
            raise ValueError(
                "MultiLayerNet: expected use_batchnorm as False, True, 'synchronized' or 'local', got "
                f"{use_batchnorm!r}"
            )
        spelling, kind = lookup("activation", activation, ACTIVATIONS)
        layers: dict[str, Layer] = {}
        for i, (inputs, outputs) in enumerate(itertools.pairwise(sizes), 1):
            layers[f"Affine{i}"] = build.affine(inputs, outputs, weight_init_std)
            if i == len(sizes) - 1:
                break
            if use_batchnorm:
                layers[f"BatchNorm{i}"] = build.batch_norm(outputs, synchronized=use_batchnorm != "local")
            layers[f"{spelling}{i}"] = kind()
            if dropout_ratio:
                layers[f"Dropout{i}"] = build.dropout(dropout_ratio)
        super().__init__(layers, SoftmaxWithLoss(), weight_decay=weight_decay_lambda)
