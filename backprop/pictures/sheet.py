"""Where the paper lies in a photograph that shows what is around it: a desk, a wall, a frame.

Paper is one large piece without steps in its brightness, apart from the ink on it. It ends where the desk
begins, at a step, and has no dents: its convex hull holds the sign, and nothing of the desk.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..backends import HostArray
from .planes import around, parts, reduced, resized

COARSE = 96
"""Pixels of the longer side on which the paper is looked for."""

STEP = 0.03
"""The least difference between neighbours there that is a step."""

GRAIN = 3.0
"""How many times the usual difference a step is at least."""

LARGE = 0.05
"""The share of the picture that paper has at least."""

ALIKE = 0.3
"""The share of what is around paper from which on, being as bright, it is paper too."""

WHOLE = 0.99
"""The share of the picture from which on it is paper everywhere."""


def sheets(grey: HostArray) -> Iterator[tuple[HostArray, HostArray]]:
    """What may be the paper in a picture (H, W), the likeliest first: where it is, and more of it around it.

    Nothing comes out where there is no edge of paper in the picture.
    """
    coarse = reduced(grey, COARSE)
    range_ = around(np.maximum, coarse) - around(np.minimum, coarse)
    step = max(STEP, GRAIN * float(np.quantile(range_, 0.25)))
    flat = range_ < step
    numbers = parts(flat)
    sizes = np.bincount(numbers.ravel())
    sizes[0] = 0
    order = [n for n in np.argsort(-sizes, kind="stable")[:8] if sizes[n] >= LARGE * flat.size]
    hulls = {n: _hull(numbers == n) for n in order}
    inside = {n: sum(hulls[n][numbers == m].mean() > 0.99 for m in order if m != n) for n in order}
    for n in sorted(order, key=lambda n: inside[n]):
        hull = hulls[n]
        if hull.mean() < WHOLE:
            paper = _extended(coarse, numbers == n)
            if (np.abs(coarse - paper)[~hull] < step).mean() < ALIKE:
                there = _in_pixels(hull, grey.shape)
                yield there, np.where(there, grey, resized(paper, *grey.shape))


def _hull(cells: HostArray) -> HostArray:
    """The convex hull of some cells, by how far they reach in each of 180 directions."""
    turns = np.deg2rad(np.arange(180.0))
    directions = np.asarray([np.sin(turns), np.cos(turns)])
    places = np.moveaxis(np.indices(cells.shape), 0, -1) @ directions  # (H, W, 180)
    low, high = places[cells].min(axis=0), places[cells].max(axis=0)
    return np.asarray(((places >= low - 1e-9) & (places <= high + 1e-9)).all(axis=-1))


def _in_pixels(cells: HostArray, shape: tuple[int, ...]) -> HostArray:
    """Cells in the picture's pixels."""
    rows, columns = (np.arange(n) * own // n for n, own in zip(shape, cells.shape, strict=True))
    return np.asarray(cells[rows[:, None], columns])


def _extended(light: HostArray, paper: HostArray) -> HostArray:
    """The paper's brightness, and elsewhere that of the nearest of it."""
    light, known = np.where(paper, light, 0.0), paper
    while not known.all():
        total, count = _sum(light), _sum(known.astype(np.float32))
        light = np.where(known, light, total / np.maximum(count, 1.0))
        known = known | (count > 0)
    return light


def _sum(x: HostArray) -> HostArray:
    """Of every cell and its eight neighbours."""
    for axis in (0, 1):
        x = np.moveaxis(np.pad(x, [(1, 1) if axis == i else (0, 0) for i in (0, 1)]), axis, 0)
        x = np.moveaxis(x[:-2] + x[1:-1] + x[2:], 0, axis)
    return x
