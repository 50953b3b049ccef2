"""Find the paper in a photograph that also shows its surroundings: a desk, a wall, a frame.

Apart from the ink on it, paper is one large region without steps in brightness. It ends with a step where
the desk begins, and has no dents: its convex hull contains the sign, and nothing of the desk.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..backends import HostArray
from .morphology import connected_components, neighbourhood_extremum, resize, shrink

COARSE = 96
"""The longer side, in pixels, of the picture that is searched for paper."""

STEP = 0.03
"""The smallest difference between neighbours that is a step."""

GRAIN = 3.0
"""The smallest ratio of a step to the usual difference."""

LARGE = 0.05
"""The smallest share of the picture that paper covers."""

ALIKE = 0.3
"""If this share of the surroundings is as bright as the paper, they are paper too."""

WHOLE = 0.99
"""A region that covers this share of the picture is paper everywhere."""


def find_paper(grey: HostArray) -> Iterator[tuple[HostArray, HostArray]]:
    """Yield the regions of a picture (H, W) that may be paper, the likeliest first.

    Each comes as its mask, and as the picture with the paper extended over everything else. Yields nothing
    if no edge of paper is visible.
    """
    coarse = shrink(grey, COARSE)
    difference = neighbourhood_extremum(np.maximum, coarse) - neighbourhood_extremum(np.minimum, coarse)
    step = max(STEP, GRAIN * float(np.quantile(difference, 0.25)))
    flat = difference < step
    labels = connected_components(flat)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    order = [n for n in np.argsort(-sizes, kind="stable")[:8] if sizes[n] >= LARGE * flat.size]
    hulls = {n: _convex_hull(labels == n) for n in order}
    inside = {n: sum(hulls[n][labels == m].mean() > 0.99 for m in order if m != n) for n in order}
    for n in sorted(order, key=lambda n: inside[n]):
        hull = hulls[n]
        if hull.mean() < WHOLE:
            paper = _extended(coarse, labels == n)
            if (np.abs(coarse - paper)[~hull] < step).mean() < ALIKE:
                mask = _in_pixels(hull, grey.shape)
                yield mask, np.where(mask, grey, resize(paper, *grey.shape))


def _convex_hull(cells: HostArray) -> HostArray:
    """The convex hull of some cells, from their extent in each of 180 directions."""
    turns = np.deg2rad(np.arange(180.0))
    directions = np.asarray([np.sin(turns), np.cos(turns)])
    places = np.moveaxis(np.indices(cells.shape), 0, -1) @ directions  # (H, W, 180)
    low, high = places[cells].min(axis=0), places[cells].max(axis=0)
    return np.asarray(((places >= low - 1e-9) & (places <= high + 1e-9)).all(axis=-1))


def _in_pixels(cells: HostArray, shape: tuple[int, ...]) -> HostArray:
    """Enlarge a mask of cells to the pixels of the picture."""
    rows, columns = (np.arange(n) * own // n for n, own in zip(shape, cells.shape, strict=True))
    return np.asarray(cells[rows[:, None], columns])


def _extended(light: HostArray, paper: HostArray) -> HostArray:
    """Extend the paper's brightness from its border outward, ring by ring."""
    light, known = np.where(paper, light, 0.0), paper
    while not known.all():
        total, count = _neighbourhood_sum(light), _neighbourhood_sum(known.astype(np.float32))
        light = np.where(known, light, total / np.maximum(count, 1.0))
        known = known | (count > 0)
    return light


def _neighbourhood_sum(x: HostArray) -> HostArray:
    """The sum of every cell and its eight neighbours."""
    for axis in (0, 1):
        x = np.moveaxis(np.pad(x, [(1, 1) if axis == i else (0, 0) for i in (0, 1)]), axis, 0)
        x = np.moveaxis(x[:-2] + x[1:-1] + x[2:], 0, axis)
    return x
