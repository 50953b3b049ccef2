"""Limit how large images become inside a network that was loaded from a file.

The file's arrays bound the channels and the widths of affine layers. Padding takes no space in a file, so a
few bytes could demand more memory than the machine has. So the kernels in the file bound it, too.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ..layers import AveragePooling, Convolution, ConvolutionReLUPooling, Layer, MaxPooling, Reshape
from ..layers.residual import within_blocks

GROWTH = 2**14
"""The most pixels, 128 × 128, that padding may add to an input image."""

LARGEST = 2**22
"""The most pixels of a padded image whose size is set in the file, by `Reshape`."""

LEAST = 32
"""The least length that a side counts as, after kernels have shortened it."""

PER_WEIGHT = 16
"""How many pixels both limits grow by for every pixel of the kernels in the file."""


@dataclass(frozen=True)
class _Window:
    """A window that slides over padded images."""

    height: int
    width: int
    stride_h: int
    stride_w: int
    pad: int


def check_extents(layers: Mapping[str, Layer]) -> None:
    """Raise a `ValueError` if padding is out of proportion to the kernels."""
    named = list(within_blocks(layers))
    kernels = sum(math.prod(layer.W.shape[2:]) for _, layer in named if isinstance(layer, Convolution))
    height = width = 0  # in addition to those of the input
    most = GROWTH
    for name, layer in named:
        if type(layer) is Reshape and len(layer.shape) == 3:
            height, width, most = layer.shape[1], layer.shape[2], LARGEST
        for window in _windows(layer):
            height, width = height + 2 * window.pad, width + 2 * window.pad
            if max(height, LEAST) * max(width, LEAST) > most + PER_WEIGHT * kernels:
                raise ValueError(
                    f"{name}: pads images by {window.pad:,} to {height:,} × {width:,} pixels, out of "
                    f"proportion to the {kernels:,} pixels of the kernels in the file"
                )
            height = (height - window.height) // window.stride_h + 1
            width = (width - window.width) // window.stride_w + 1


def _windows(layer: Layer) -> Iterator[_Window]:
    if isinstance(layer, Convolution):
        rows, columns = (int(n) for n in layer.W.shape[2:])
        yield _Window(rows, columns, layer.stride, layer.stride, layer.pad)
    if isinstance(layer, ConvolutionReLUPooling):
        yield _Window(layer.pool_h, layer.pool_w, layer.pool_h, layer.pool_w, 0)
    if isinstance(layer, MaxPooling | AveragePooling):
        yield _Window(layer.pool_h, layer.pool_w, layer.stride_h, layer.stride_w, layer.pad)
