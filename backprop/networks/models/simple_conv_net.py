"""The convolutional network of the book's chapter 7."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from ...backends import Backend
from ...layers import Convolution, ConvolutionReLUPooling, Layer, MaxPooling, ReLU
from ...lookup import lookup
from ..network import Network
from .builder import Builder


class SimpleConvNet(Network):
    """Convolution, ReLU, 2×2 max pooling, Affine, ReLU, Affine, softmax with loss.

    Parameters
    ----------
    input_dim : the shape (C, H, W) of an image
    conv_param : `filter_num`, `filter_size`, `pad` and `stride` of the convolution
    hidden_size, output_size : the widths of the affine layers
    weight_init_std : standard deviation of the initial weights, or `"he"` or `"xavier"`
    merged : whether to merge the first three into one layer, `ConvolutionReLUPooling`, which computes the
        same in a fraction of the time; if false, they are `Conv1`, `Relu1` and `Pool1` as in the book
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
        build = Builder("SimpleConvNet", dtype, device, rng)
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
