"""Operations on grey images (H, W): resizing, running extrema, connected components."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..backends import HostArray

Extremum = Callable[[HostArray, HostArray], HostArray]
"""`np.maximum` or `np.minimum`."""


def resize(image: HostArray, height: int, width: int) -> HostArray:
    """Resize an image, with anti-aliasing."""
    from PIL import Image

    source = Image.fromarray(np.asarray(image, np.float32))
    smaller = height * width < image.size
    method = Image.Resampling.BOX if smaller else Image.Resampling.BILINEAR
    return np.asarray(source.resize((width, height), method))


def shrink(image: HostArray, longest: int) -> HostArray:
    """Resize an image so that its longer side has at most `longest` pixels."""
    scale = max(1.0, max(image.shape) / longest)
    height, width = (max(1, round(n / scale)) for n in image.shape)
    return resize(image, height, width)


def running_extremum(extremum: Extremum, x: HostArray, side: int, axis: int) -> HostArray:
    """The extremum of every `side` neighbours along an axis, by doubling the width of the window."""
    x, width = np.moveaxis(x, axis, 0), 1
    while width < side:
        step = min(width, side - width)
        x, width = extremum(x[:-step], x[step:]), width + step
    return np.moveaxis(x, 0, axis)


def neighbourhood_extremum(extremum: Extremum, x: HostArray) -> HostArray:
    """The extremum of every pixel and its eight neighbours."""
    x = np.pad(x, 1, "edge")
    for axis in (0, 1):
        x = running_extremum(extremum, x, 3, axis)
    return x


def connected_components(mask: HostArray) -> HostArray:
    """Label each True cell with the number of its 8-connected component, all others with 0.

    The largest number in a component spreads from neighbour to neighbour until nothing changes.
    """
    labels, before = np.where(mask, np.arange(1, mask.size + 1).reshape(mask.shape), 0), None
    while before is None or (labels != before).any():
        before, labels = labels, np.where(mask, neighbourhood_extremum(np.maximum, labels), 0)
    return labels
