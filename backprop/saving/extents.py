"""How large images become on their way through the layers of a network from a file.

Channels and the widths of Affine are as large as the arrays in the file. Padding costs a file nothing: a few
bytes could ask for more memory than there is. So it is bounded by what the file holds.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from ..layers import AveragePooling, Convolution, ConvolutionReLUPooling, Layer, MaxPooling, Reshape, Residual

GROWTH = 2**14
"""By how many pixels, as 128 × 128, padding may enlarge an image that comes from outside."""

LARGEST = 2**22
"""How many pixels a padded image may have whose size is the file's own, as of `Reshape`."""

LEAST = 32
"""What one side counts as at least, where kernels have taken away from it."""

PER_WEIGHT = 16
"""How many more of both for every pixel of the kernels in the file."""


@dataclass(frozen=True)
class _Window:
    """What slides over padded images."""

    height: int
    width: int
    stride_h: int
    stride_w: int
    pad: int


def check_extents(layers: Mapping[str, Layer]) -> None:
    """Raise a `ValueError` for padding out of all proportion to the kernels."""
    named = list(_flat(layers.items()))
    kernels = sum(math.prod(layer.W.shape[2:]) for _, layer in named if isinstance(layer, Convolution))
    height = width = 0  # beyond those of the input
    most = GROWTH
    for name, layer in named:
        if type(layer) is Reshape and len(layer.shape) == 3:
            height, width, most = layer.shape[1], layer.shape[2], LARGEST
        for window in _windows(layer):
            height, width = height + 2 * window.pad, width + 2 * window.pad
            if max(height, LEAST) * max(width, LEAST) > most + PER_WEIGHT * kernels:
                raise ValueError(
                    f"{name}: pads images by {window.pad:,} to {height:,} × {width:,} pixels, beyond all "
                    f"proportion to the {kernels:,} of the kernels in the file"
                )
            height = (height - window.height) // window.stride_h + 1
            width = (width - window.width) // window.stride_w + 1


def _flat(layers: Iterable[tuple[str, Layer]]) -> Iterator[tuple[str, Layer]]:
    """The layers, with those of blocks one after the other."""
    for name, layer in layers:
        if isinstance(layer, Residual):
            yield from _flat((f"{name}.{key}", inner) for key, inner in layer.layers.items())
        else:
            yield name, layer


def _windows(layer: Layer) -> Iterator[_Window]:
    if isinstance(layer, Convolution):
        rows, columns = (int(n) for n in layer.W.shape[2:])
        yield _Window(rows, columns, layer.stride, layer.stride, layer.pad)
    if isinstance(layer, ConvolutionReLUPooling):
        yield _Window(layer.pool_h, layer.pool_w, layer.pool_h, layer.pool_w, 0)
    if isinstance(layer, MaxPooling | AveragePooling):
        yield _Window(layer.pool_h, layer.pool_w, layer.stride_h, layer.stride_w, layer.pad)
