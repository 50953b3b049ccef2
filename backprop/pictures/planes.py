"""What the steps of the preparation share: planes (H, W) made smaller, compared nearby, and taken apart."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..backends import HostArray


def resized(plane: HostArray, height: int, width: int) -> HostArray:
    """A plane (H, W) in another size, anti-aliased."""
    from PIL import Image

    image = Image.fromarray(np.asarray(plane, np.float32))
    smaller = height * width < plane.size
    method = Image.Resampling.BOX if smaller else Image.Resampling.BILINEAR
    return np.asarray(image.resize((width, height), method))


def reduced(plane: HostArray, longest: int) -> HostArray:
    """A plane whose longer side has so many pixels, or the plane itself if it has no more."""
    scale = max(1.0, max(plane.shape) / longest)
    height, width = (max(1, round(n / scale)) for n in plane.shape)
    return resized(plane, height, width)


def running(
    choose: Callable[[HostArray, HostArray], HostArray], x: HostArray, side: int, axis: int
) -> HostArray:
    """The largest or smallest of every `side` values in a row, by doubling what is compared."""
    x, width = np.moveaxis(x, axis, 0), 1
    while width < side:
        step = min(width, side - width)
        x, width = choose(x[:-step], x[step:]), width + step
    return np.moveaxis(x, 0, axis)


def around(choose: Callable[[HostArray, HostArray], HostArray], x: HostArray) -> HostArray:
    """The largest or smallest of every pixel and its eight neighbours."""
    x = np.pad(x, 1, "edge")
    for axis in (0, 1):
        x = running(choose, x, 3, axis)
    return x


def parts(there: HostArray) -> HostArray:
    """The number of the connected part to which each cell belongs; 0 where nothing is there.

    Every part's largest number is handed on from neighbour to neighbour.
    """
    found, before = np.where(there, np.arange(1, there.size + 1).reshape(there.shape), 0), None
    while before is None or (found != before).any():
        before, found = found, np.where(there, around(np.maximum, found), 0)
    return found
