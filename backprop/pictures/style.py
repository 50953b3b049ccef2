"""The style of a data set's pictures: bright or dark ink, and its position."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..backends import HostArray

BRIGHT, DARK = "bright", "dark"
"""Ink on darker paper, and ink on brighter paper."""

PAPER = 1 / 3
"""The largest distance of paper from the darkest or brightest pixel, relative to their difference."""

BORDER = 0.75
"""The share of the border's pixels that must be paper."""

MOST = 0.9
"""The share of samples whose ink must be placed alike."""

FAINT = 0.2
"""The ink's extent ignores ink below this share of full ink."""

SAMPLES = 1000
"""The number of evenly spread samples that are examined."""

SMALLEST = 8
"""Flat samples count as square images from this height on."""


@dataclass(frozen=True)
class Style:
    """The look of a network's training pictures."""

    ink: str | None = None
    """`"bright"` or `"dark"`; None for pictures without ink and paper, such as photographs."""
    box: int | None = None
    """The longer side of the ink, if all samples share it and have their centre of mass in the middle."""

    @classmethod
    def from_dict(cls, values: Any) -> Style | None:
        """The inverse of `to_dict`, and None for None; anything else is a `ValueError`."""
        if values is None:
            return None
        if isinstance(values, Mapping):
            ink, box = values.get("ink"), values.get("box")
            if ink in (BRIGHT, DARK, None) and type(box) in (int, type(None)):
                return cls(ink, box)
        raise ValueError(f"its description of the training pictures is invalid: {values!r:.100}")

    @classmethod
    def default(cls, channels: int) -> Style:
        """The style to assume for unknown data: bright ink anywhere, or photographs for 3 channels."""
        return cls(BRIGHT if channels == 1 else None)

    def to_dict(self) -> dict[str, Any]:
        """The style as values for JSON."""
        return asdict(self)


MNIST = Style(BRIGHT, 20)
"""MNIST's style, see `ink`."""


def image_shape(sample: tuple[int, ...]) -> tuple[int, int, int] | None:
    """(C, H, W) of samples of this shape, with C = 1 or 3; None if they are not images."""
    if len(sample) == 1:
        side = round(sample[0] ** 0.5)
        return (1, side, side) if side >= SMALLEST and side * side == sample[0] else None
    if len(sample) == 2 or (len(sample) == 3 and sample[0] in (1, 3)):
        *channels, height, width = (1, *sample)[-3:]
        return channels[0], height, width
    return None


def learn_style(x: HostArray) -> Style | None:
    """Determine the style of training samples x (N, …); None if they are not pictures.

    >>> from backprop.datasets import mnist
    >>> learn_style(mnist().x_train)
    Style(ink='bright', box=20)
    """
    shape = image_shape(x.shape[1:])
    if shape is None:
        return None
    every = -(-len(x) // SAMPLES)
    pictures = x[::every].reshape(-1, *shape).astype(np.float64)
    low, high = pictures.min(), pictures.max()
    if shape[0] != 1 or not np.isfinite((low, high)).all() or low == high:
        return Style()
    shares = (pictures[:, 0] - low) / (high - low)
    rim = border(shares)
    if (rim < PAPER).mean() >= BORDER:
        return Style(BRIGHT, _box(shares))
    if (rim > 1.0 - PAPER).mean() >= BORDER:
        return Style(DARK, _box(1.0 - shares))
    return Style()


def border(pictures: HostArray) -> HostArray:
    """The border pixels of pictures (…, H, W)."""
    sides = pictures[..., 0, :], pictures[..., -1, :], pictures[..., 1:-1, 0], pictures[..., 1:-1, -1]
    return np.concatenate(sides, axis=-1)


def extent(ink: HostArray) -> tuple[HostArray, HostArray]:
    """The longer side of the ink, and the distance of its centre of mass from the middle, for (N, H, W).

    The middle of n pixels is pixel n // 2, as in MNIST.
    """
    sides, offsets = [], []
    for axis in (1, 2):  # reduce the rows, then the columns
        there = np.max(ink, axis=axis) > FAINT
        mass = np.sum(ink, axis=axis)
        n = there.shape[1]
        sides.append(np.where(there.any(1), n - there.argmax(1) - there[:, ::-1].argmax(1), 0))
        offsets.append(np.abs(mass @ np.arange(n) / np.maximum(mass.sum(1), 1e-30) - n // 2))
    return np.maximum(*sides), np.maximum(*offsets)


def fills_box(ink: HostArray, box: int) -> HostArray:
    """Whether each sample's ink fills a box of this side, with its centre of mass in the middle."""
    sides, offsets = extent(ink)
    return np.asarray((np.abs(sides - box) <= 1) & (offsets <= 1.0))


def _box(ink: HostArray) -> int | None:
    """The side of the box that most samples fill, if there is paper around it."""
    box = int(np.median(extent(ink)[0]))
    found = 0 < box < min(ink.shape[1:]) and fills_box(ink, box).mean() >= MOST
    return box if found else None
