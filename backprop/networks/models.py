"""The book's networks, ready made."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np

from ..backends import Array, Backend, dtype_name, get_backend
from ..dtypes import is_whole
from ..layers import (
    GELU,
    Affine,
    BatchNormalization,
    Convolution,
    ConvolutionReLUPooling,
    Dropout,
    Identity,
    Layer,
    LeakyReLU,
    MaxPooling,
    ReLU,
    Sigmoid,
    Tanh,
)
from ..lookup import lookup
from ..losses import SoftmaxWithLoss
from .initializers import normal, standard_deviation
from .network import Network

ACTIVATIONS: dict[str, tuple[str, Callable[[], Layer]]] = {
    "relu": ("Relu", ReLU),
    "sigmoid": ("Sigmoid", Sigmoid),
    "tanh": ("Tanh", Tanh),
    "leaky-relu": ("LeakyRelu", LeakyReLU),
    "gelu": ("Gelu", GELU),
    "identity": ("Identity", Identity),
}
"""Activation functions by name: what the layer is called in a network, and its class."""


class _Builder:
    """Draws initial values on the host and puts them on a device."""

    def __init__(self, owner: str, dtype: Any, device: str | Backend, rng: Any) -> None:
        if dtype_name(dtype) not in ("float32", "float64"):
            raise ValueError(f"{owner}: expected dtype float32 or float64, got {dtype_name(dtype)}")
        self.owner, self.dtype = owner, dtype
        self.backend, self.rng = get_backend(device), np.random.default_rng(rng)

    def array(self, values: np.ndarray) -> Array:
        return self.backend.asarray(values, dtype=self.dtype)

    def affine(self, inputs: int, outputs: int, init: str | float) -> Affine:
        W = normal((inputs, outputs), standard_deviation(init, inputs), self.rng)
        return Affine(self.array(W), self.array(np.zeros(outputs)))

    def filters(self, channels: int, outputs: int, size: int, init: str | float) -> tuple[Array, Array]:
        shape = (outputs, channels, size, size)
        W = normal(shape, standard_deviation(init, channels * size * size), self.rng)
        return self.array(W), self.array(np.zeros(outputs))

    def batch_norm(self, features: int) -> BatchNormalization:
        return BatchNormalization(self.array(np.ones(features)), self.array(np.zeros(features)))

    def dropout(self, ratio: float) -> Dropout:
        return Dropout(ratio, seed=int(self.rng.integers(2**31)))

    def check_kind(self, kind: Any, example: Any, length: int | None = None, **given: Any) -> None:
        for what, value in given.items():
            if not isinstance(value, kind) or (length is not None and len(value) != length):
                raise ValueError(f"{self.owner}: expected {what} such as {example!r}, got {value!r}")

    def check_sizes(self, **sizes: Any) -> None:
        for what, size in sizes.items():
            if not is_whole(size) or size < 1:
                raise ValueError(f"{self.owner}: expected {what} of at least 1, got {size!r}")


class TwoLayerNet(Network):
    """Affine, ReLU, Affine, softmax with loss: the book's network of section 5.7.2.

    Parameters
    ----------
    input_size, hidden_size, output_size : the widths
    weight_init_std : standard deviation of the initial weights, or `"he"` or `"xavier"`; the biases
        start at 0
    dtype : `"float32"` or `"float64"`
    device : what `backprop.backends.get_backend` takes, or a backend
    rng : a `numpy.random.Generator` or a seed; the same seed gives the same weights everywhere

    >>> network = TwoLayerNet(784, 50, 10, rng=0)
    >>> network
    TwoLayerNet(Affine1 · Relu1 · Affine2 · SoftmaxWithLoss; 39,760 parameters, float32 on cpu)
    >>> print(network.summary())
    layer            output     parameters
    input            (N, 784)            0
    Affine1          (N, 50)        39,250
    Relu1            (N, 50)             0
    Affine2          (N, 10)           510
    SoftmaxWithLoss  ()                  0
    total                           39,760
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        output_size: int,
        weight_init_std: str | float = 0.01,
        *,
        dtype: Any = "float32",
        device: str | Backend = "cpu",
        rng: np.random.Generator | int | None = None,
    ) -> None:
        build = _Builder("TwoLayerNet", dtype, device, rng)
        build.check_sizes(input_size=input_size, hidden_size=hidden_size, output_size=output_size)
        first = build.affine(input_size, hidden_size, weight_init_std)
        second = build.affine(hidden_size, output_size, weight_init_std)
        super().__init__({"Affine1": first, "Relu1": ReLU(), "Affine2": second}, SoftmaxWithLoss())


class MultiLayerNet(Network):
    """Affine, (batch normalization,) activation(, dropout) for every hidden layer, then Affine and loss.

    Parameters
    ----------
    input_size, hidden_size_list, output_size : the widths
    activation : `"relu"`, `"sigmoid"`, `"tanh"`, `"leaky-relu"`, `"gelu"` or `"identity"`
    weight_init_std : `"relu"` or `"he"`, `"sigmoid"` or `"xavier"`, or a standard deviation
    weight_decay_lambda : λ of the penalty λ/2 Σ W², which `loss` and the gradients contain
    use_batchnorm : batch normalization between affine layer and activation
    dropout_ratio : the share that is dropped after every activation; 0 for none
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
        use_batchnorm: bool = False,
        dropout_ratio: float = 0.0,
        dtype: Any = "float32",
        device: str | Backend = "cpu",
        rng: np.random.Generator | int | None = None,
    ) -> None:
        build = _Builder("MultiLayerNet", dtype, device, rng)
        build.check_kind(Collection, [100, 100], hidden_size_list=hidden_size_list)
        build.check_kind(str, "relu", activation=activation)
        sizes = [input_size, *hidden_size_list, output_size]
        build.check_sizes(**{f"width {i}": size for i, size in enumerate(sizes)})
        spelling, kind = lookup("activation", activation, ACTIVATIONS)
        layers: dict[str, Layer] = {}
        for i, (inputs, outputs) in enumerate(itertools.pairwise(sizes), 1):
            layers[f"Affine{i}"] = build.affine(inputs, outputs, weight_init_std)
            if i == len(sizes) - 1:
                break
            if use_batchnorm:
                layers[f"BatchNorm{i}"] = build.batch_norm(outputs)
            layers[f"{spelling}{i}"] = kind()
            if dropout_ratio:
                layers[f"Dropout{i}"] = build.dropout(dropout_ratio)
        super().__init__(layers, SoftmaxWithLoss(), weight_decay=weight_decay_lambda)


class SimpleConvNet(Network):
    """Convolution, ReLU, max pooling by 2, Affine, ReLU, Affine, softmax with loss.

    Parameters
    ----------
    input_dim : (C, H, W) of an image
    conv_param : `filter_num`, `filter_size`, `pad` and `stride` of the convolution
    hidden_size, output_size : the widths of the affine layers
    weight_init_std : standard deviation of the initial weights, or `"he"` or `"xavier"`
    merged : whether the first three are one layer, `ConvolutionReLUPooling`, which computes the same
        in a fraction of the time; if false there are `Conv1`, `Relu1` and `Pool1` as in the book
    dtype, device, rng : as for `TwoLayerNet`

    Source: *Deep Learning from Scratch*, section 7.5.

    >>> SimpleConvNet(rng=0).params
    NamedParameters(W1=(30, 1, 5, 5), b1=(30,), W2=(4320, 100), b2=(100,), W3=(100, 10), b3=(10,))
    >>> SimpleConvNet(rng=0)
    SimpleConvNet(Conv1 with Relu1 and Pool1 · Affine1 · Relu2 · Affine2 · SoftmaxWithLoss; \
433,890 parameters, float32 on cpu)
    >>> list(SimpleConvNet(merged=False).layers)
    ['Conv1', 'Relu1', 'Pool1', 'Affine1', 'Relu2', 'Affine2']
    """

    def __init__(
        self,
        input_dim: tuple[int, int, int] = (1, 28, 28),
        conv_param: Mapping[str, int] | None = None,
        hidden_size: int = 100,
        output_size: int = 10,
        weight_init_std: str | float = 0.01,
        *,
        merged: bool = True,
        dtype: Any = "float32",
        device: str | Backend = "cpu",
        rng: np.random.Generator | int | None = None,
    ) -> None:
        build = _Builder("SimpleConvNet", dtype, device, rng)
        build.check_kind(Collection, (1, 28, 28), 3, input_dim=input_dim)
        build.check_kind(Mapping, {"filter_num": 30}, conv_param=conv_param or {})
        conv = {"filter_num": 30, "filter_size": 5, "pad": 0, "stride": 1}
        for key, value in (conv_param or {}).items():
            lookup("conv_param", key, conv)
            conv[key] = value
        channels, height, width = input_dim
        build.check_sizes(channels=channels, height=height, width=width, hidden_size=hidden_size,
                          output_size=output_size, filter_num=conv["filter_num"],
                          filter_size=conv["filter_size"], stride=conv["stride"])  # fmt: skip
        W, b = build.filters(channels, conv["filter_num"], conv["filter_size"], weight_init_std)
        move = {"stride": conv["stride"], "pad": conv["pad"]}
        down, across = (
            ((size + 2 * conv["pad"] - conv["filter_size"]) // conv["stride"] + 1) // 2
            for size in (height, width)
        )
        if down < 1 or across < 1:
            raise ValueError(
                f"SimpleConvNet: images {height}×{width} leave nothing after a convolution with {conv} and "
                "pooling by 2"
            )
        bottom: dict[str, Layer]
        if merged:
            bottom = {"Conv1": ConvolutionReLUPooling(W, b, **move)}
        else:
            bottom = {"Conv1": Convolution(W, b, **move), "Relu1": ReLU(), "Pool1": MaxPooling(2)}
        super().__init__(
            {
                **bottom,
                "Affine1": build.affine(conv["filter_num"] * down * across, hidden_size, weight_init_std),
                "Relu2": ReLU(),
                "Affine2": build.affine(hidden_size, output_size, weight_init_std),
            }
        )
        self.input_shape = tuple(input_dim)


class DeepConvNet(Network):
    """Six convolutions 3×3 in three pairs, each with pooling by 2, and two affine layers, with dropout.

    The book's of section 8.1.1: 16-16-32-32-64-64 filters, He's initial values, ReLU after each
    convolution, dropout after the hidden affine layer. Unlike the book's, it does not drop out what
    goes into the loss.

    Parameters
    ----------
    input_dim : (C, H, W) of an image
    filters, pads : how many filters each convolution has, and its padding; an even number of them
    hidden_size, output_size : the widths of the affine layers
    dropout_ratio : the share that is dropped after the hidden layer; 0 for none
    merged : whether the second convolution of a pair, its ReLU and its pooling are one layer
    dtype, device, rng : as for `TwoLayerNet`

    >>> DeepConvNet(rng=0).params["W7"].shape
    (1024, 50)
    """

    def __init__(
        self,
        input_dim: tuple[int, int, int] = (1, 28, 28),
        filters: Sequence[int] = (16, 16, 32, 32, 64, 64),
        pads: Sequence[int] = (1, 1, 1, 2, 1, 1),
        hidden_size: int = 50,
        output_size: int = 10,
        *,
        dropout_ratio: float = 0.5,
        merged: bool = True,
        dtype: Any = "float32",
        device: str | Backend = "cpu",
        rng: np.random.Generator | int | None = None,
    ) -> None:
        build = _Builder("DeepConvNet", dtype, device, rng)
        build.check_kind(Collection, (1, 28, 28), 3, input_dim=input_dim)
        build.check_kind(Collection, (16, 16), filters=filters)
        build.check_kind(Collection, (1, 1), pads=pads)
        channels, height, width = input_dim
        if not filters or len(filters) % 2 or len(pads) != len(filters):
            raise ValueError(
                f"DeepConvNet: expected filters and pads in pairs, got {tuple(filters)} and {tuple(pads)}"
            )
        build.check_sizes(channels=channels, height=height, width=width, hidden_size=hidden_size,
                          output_size=output_size)  # fmt: skip
        layers: dict[str, Layer] = {}
        for i, (outputs, pad) in enumerate(zip(filters, pads, strict=True), 1):
            build.check_sizes(**{f"filters {i}": outputs})
            W, b = build.filters(channels, outputs, 3, "he")
            channels, height, width = outputs, height + 2 * pad - 2, width + 2 * pad - 2
            if i % 2 == 0 and merged:
                layers[f"Conv{i}"] = ConvolutionReLUPooling(W, b, pad=pad)
            else:
                layers |= {f"Conv{i}": Convolution(W, b, pad=pad), f"Relu{i}": ReLU()}
            if i % 2 == 0:
                height, width = height // 2, width // 2
                if not merged:
                    layers[f"Pool{i // 2}"] = MaxPooling(2)
            if height < 1 or width < 1:
                raise ValueError(
                    f"DeepConvNet: images {input_dim} leave nothing after {i} convolutions with pads {pads}"
                )
        layers["Affine1"] = build.affine(channels * height * width, hidden_size, "he")
        layers[f"Relu{len(filters) + 1}"] = ReLU()
        if dropout_ratio:
            layers["Dropout1"] = build.dropout(dropout_ratio)
        layers["Affine2"] = build.affine(hidden_size, output_size, "he")
        super().__init__(layers)
        self.input_shape = tuple(input_dim)
