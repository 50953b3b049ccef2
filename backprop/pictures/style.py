"""What the pictures of a data set have in common: bright or dark ink, and where it lies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..backends import HostArray

BRIGHT, DARK = "bright", "dark"
"""Ink on darker paper, and on brighter paper."""

PAPER = 1 / 3
"""How far paper may be from the darkest or the brightest pixel, in shares of their difference."""

BORDER = 0.75
"""The share of the border's pixels that must be paper."""

MOST = 0.9
"""The share of samples whose ink must lie alike."""

FAINT = 0.2
"""Ink below this share of full ink does not count where its extent is measured."""

SAMPLES = 1000
"""How many samples are looked at, spread over the data."""

SMALLEST = 8
"""Samples without rows and columns are taken for square images from this height on."""


@dataclass(frozen=True)
class Style:
    """How a network's data shows things."""

    ink: str | None = None
    """`"bright"` or `"dark"`; None for pictures without ink and paper, such as photographs."""
    box: int | None = None
    """The longer side of every sample's ink, whose centre of mass is in the middle; None if that varies."""

    @classmethod
    def of(cls, entry: Any) -> Style | None:
        """The style that `as_entry` has described, None for None; `ValueError` for anything else."""
        if entry is None:
            return None
        if isinstance(entry, Mapping):
            ink, box = entry.get("ink"), entry.get("box")
            if ink in (BRIGHT, DARK, None) and type(box) in (int, type(None)):
                return cls(ink, box)
        raise ValueError(f"what it says of the pictures it was trained on cannot be followed: {entry!r:.100}")

    @classmethod
    def unknown(cls, channels: int) -> Style:
        """The one that is assumed where nothing is known: as MNIST's, but lying anywhere."""
        return cls(BRIGHT if channels == 1 else None)

    def as_entry(self) -> dict[str, Any]:
        """The style in JSON's kinds of values."""
        return asdict(self)


MNIST = Style(BRIGHT, 20)
"""MNIST's: see `preparation`."""


def image_shape(sample: tuple[int, ...]) -> tuple[int, int, int] | None:
    """(C, H, W) of samples of this shape, with C = 1 or 3; None if they are no images."""
    if len(sample) == 1:
        side = round(sample[0] ** 0.5)
        return (1, side, side) if side >= SMALLEST and side * side == sample[0] else None
    if len(sample) == 2 or (len(sample) == 3 and sample[0] in (1, 3)):
        *channels, height, width = (1, *sample)[-3:]
        return channels[0], height, width
    return None


def learn_style(x: HostArray) -> Style | None:
    """The style of training samples x (N, …); None if they are no pictures.

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
    """The outermost pixels of pictures (…, H, W)."""
    sides = pictures[..., 0, :], pictures[..., -1, :], pictures[..., 1:-1, 0], pictures[..., 1:-1, -1]
    return np.concatenate(sides, axis=-1)


def extent(ink: HostArray) -> tuple[HostArray, HostArray]:
    """The longer side of the ink, and how far its centre of mass is from the middle, for (N, H, W).

    The middle of n pixels is the one with the number n // 2, as in MNIST.
    """
    sides, offsets = [], []
    for axis in (1, 2):  # over rows: how the columns are filled; then the other way
        there = np.max(ink, axis=axis) > FAINT
        mass = np.sum(ink, axis=axis)
        n = there.shape[1]
        sides.append(np.where(there.any(1), n - there.argmax(1) - there[:, ::-1].argmax(1), 0))
        offsets.append(np.abs(mass @ np.arange(n) / np.maximum(mass.sum(1), 1e-30) - n // 2))
    return np.maximum(*sides), np.maximum(*offsets)


def lies_in(ink: HostArray, box: int) -> HostArray:
    """Whether the ink of each sample fills such a box, with its centre of mass in the middle."""
    sides, offsets = extent(ink)
    return np.asarray((np.abs(sides - box) <= 1) & (offsets <= 1.0))


def _box(ink: HostArray) -> int | None:
    """The box that most samples fill, if there is one with paper around it."""
    box = int(np.median(extent(ink)[0]))
    found = 0 < box < min(ink.shape[1:]) and lies_in(ink, box).mean() >= MOST
    return box if found else None
