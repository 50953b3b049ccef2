"""The deep convolutional network of the book's chapter 8."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from ...backends import Backend
from ...layers import Convolution, ConvolutionReLUPooling, Layer, MaxPooling, ReLU
from ..network import Network
from .builder import Builder


class DeepConvNet(Network):
    """Three pairs of 3×3 convolutions, each followed by 2×2 pooling, then two affine layers with dropout.

    The book's network of section 8.1.1: 16-16-32-32-64-64 filters, He's initial values, ReLU after each
    convolution, dropout after the hidden affine layer. Unlike the book's, it has no dropout before the
    loss.

    Parameters
    ----------
    input_dim : the shape (C, H, W) of an image
    filters, pads : the number of filters and the padding of each convolution; an even number of each
    hidden_size, output_size : the widths of the affine layers
    dropout_ratio : the share dropped after the hidden layer; 0 for none
    merged : whether to merge the second convolution of a pair, its ReLU and its pooling into one layer
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
        build = Builder("DeepConvNet", dtype, device, rng)
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
