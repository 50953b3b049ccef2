"""Find the ink in a picture, and normalize it as MNIST's digits were.

MNIST's digits were scaled to fit into a box of 20 × 20, keeping their aspect ratio; anti-aliasing gave the
grey levels. Then they were placed in a field of 28 × 28 with their centre of mass at the centre: pixel 14
of 0 to 27 in the files, to within half a pixel.

A photograph or a scan first needs its paper removed. With ink dark,

    ink = 1 − g / p

where g is the picture and p the paper: the closing of g, which fills everything darker and narrower than
half the picture. Before that, ruled lines are removed (`lines`), and so are the paper's surroundings
(`paper`).

Sources: Y. LeCun, C. Cortes and C. J. C. Burges, *The MNIST database of handwritten digits*; for closing,
J. Serra, *Image Analysis and Mathematical Morphology*, 1982.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..backends import HostArray
from .lines import without_lines
from .morphology import connected_components, resize, running_extremum, shrink
from .paper import find_paper

COARSE = 48
"""The longer side, in pixels, of the picture in which dark is told from bright, and specks from ink."""

SPECK = 0.03
"""A component smaller than this share of the largest is a speck."""

COMPARABLE = 0.2
"""A component of at least this share of the largest may be a second sign."""

TALL = 0.5
"""A sign has at least this share of the tallest component's height."""

NOISE = 4.0
"""Ink stands out from the paper's grain by this many standard deviations."""

LEAST = 0.05
"""The smallest share of the paper's light that ink absorbs."""

THICK = 0.42
"""The side of a square that fits into no stroke, relative to the longer side of all ink."""

ALONG = 0.5
"""The share of a side of the picture that ink may cover; more is a desk."""

LINES_REMOVED = "removed ruled lines across the picture"
SURROUNDINGS_REMOVED = "removed the surroundings of the paper"

EDGE = 0.5
"""Ink ends where it falls below this share of full ink."""


@dataclass(frozen=True)
class FoundInk:
    """The ink in a photograph."""

    ink: HostArray
    """(H, W) from 0 to 1."""
    dark: bool
    """Whether it is darker than its paper."""
    removed: tuple[str, ...]
    """What was removed first, in words."""
    certain: bool
    """Whether it can be told from the paper's surroundings."""


def ink_on_plain_paper(grey: HostArray) -> tuple[HostArray, bool] | None:
    """The ink of a picture (H, W) from 0 to 1, and whether it is dark; None if there is only paper."""
    dark = _is_dark(grey)
    light = _smooth(grey if dark else 1.0 - grey)
    ink = 1.0 - light / np.maximum(_closing(light), 1e-3)
    floor, full = _levels(ink)
    if full - floor < LEAST:
        return None
    return np.clip((ink - floor) / (full - floor), 0.0, 1.0), dark


def find_ink(grey: HostArray) -> FoundInk | None:
    """Find the ink on paper that may be ruled or lie on a desk; None if there is none."""
    plain, ruled = without_lines(grey)
    removed = (LINES_REMOVED,) if ruled else ()
    for paper, extended in find_paper(plain):
        found = ink_on_plain_paper(extended)
        if found is not None and not _touches(found[0], _margin(paper)) and not _is_solid(found[0]):
            return FoundInk(*found, (*removed, SURROUNDINGS_REMOVED), certain=True)
    found = ink_on_plain_paper(plain)
    if found is None:
        return None
    most = 0.0 if ruled else ALONG  # the remains of a line end at the edge of the picture
    certain = _share_along_sides(found[0]) <= most and not _is_solid(found[0])
    return FoundInk(*found, removed, certain=certain)


def _touches(ink: HostArray, region: HostArray) -> bool:
    """Whether any ink other than specks lies in the region."""
    mask = ink > EDGE
    return bool((mask & ~_specks(mask) & region).any())


def _margin(paper: HostArray) -> HostArray:
    """The margin of the paper (H, W), where that ends within the picture."""
    side = 2 * (max(paper.shape) // 100 + 1) + 1
    inner = np.pad(paper, side // 2, "edge")
    for axis in (0, 1):
        inner = running_extremum(np.minimum, inner, side, axis)
    return np.asarray(paper & ~inner)


def _share_along_sides(ink: HostArray) -> float:
    """The largest share of any side of the picture that is covered by ink."""
    mask = ink > EDGE
    mask = mask & ~_specks(mask)
    return max(float(side.mean()) for side in (mask[0], mask[-1], mask[:, 0], mask[:, -1]))


def _is_solid(ink: HostArray) -> bool:
    """Whether the ink has a piece too thick for a stroke."""
    mask = _crop(ink) > EDGE
    side = round(THICK * max(mask.shape))
    for axis in (0, 1):
        if mask.shape[axis] < side:
            return False
        mask = running_extremum(np.minimum, mask, side, axis)
    return bool(mask.any())


def count_signs(ink: HostArray) -> int:
    """Count the signs in the ink (H, W): components of similar size, separated horizontally or vertically.

    A sign has a good share of the largest component's ink and of the tallest one's height, so the dot of an
    i or a broken-off stroke does not count.
    """
    mask = ink > EDGE
    if not mask.any():
        return 0
    _, pixels, labels = _components(mask)
    sizes = np.bincount(labels.ravel(), pixels.ravel())
    boxes = [_bounding_box(labels == n) for n in np.flatnonzero(sizes >= COMPARABLE * sizes.max()) if n]
    tallest = max(bottom - top for (top, bottom), _ in boxes)
    tall = [box for box in boxes if box[0][1] - box[0][0] >= TALL * tallest]
    separated = any(_count_runs([box[axis] for box in tall]) > 1 for axis in (0, 1))
    return len(tall) if separated else 1


def _bounding_box(mask: HostArray) -> tuple[tuple[int, int], tuple[int, int]]:
    """The range of rows and of columns of a mask, with exclusive ends."""
    down, across = np.nonzero(mask)
    return (int(down.min()), int(down.max()) + 1), (int(across.min()), int(across.max()) + 1)


def _count_runs(spans: list[tuple[int, int]]) -> int:
    """The number of spans left after merging those that overlap."""
    count, end = 0, -1
    for first, last in sorted(spans):
        count += first >= end
        end = max(end, last)
    return count


def normalize_ink(ink: HostArray, shape: tuple[int, int], box: int) -> HostArray:
    """Crop the ink (H, W), fit it into the box, and centre its mass in a field of `shape`."""
    cropped = _crop(ink)
    scale = box / max(cropped.shape)
    height, width = (max(1, round(n * scale)) for n in cropped.shape)
    small = resize(cropped, height, width)
    top, left = (_start(small.sum(axis=1 - axis), shape[axis]) for axis in (0, 1))
    field = np.zeros(shape, np.float32)
    field[top : top + height, left : left + width] = small / small.max()  # thin lines become full ink, too
    return field


def _start(mass: HostArray, n: int) -> int:
    """The first of n pixels for a centre of mass in the middle, such that the mass stays inside."""
    centre = float(mass @ np.arange(len(mass)) / mass.sum())
    return min(max(round(n // 2 - centre), 0), n - len(mass))


def _crop(ink: HostArray) -> HostArray:
    """Remove specks, and crop to the ink."""
    ink = np.where(_specks(ink > EDGE), 0.0, ink)
    rows, columns = (np.flatnonzero((ink > EDGE).any(axis=axis)) for axis in (1, 0))
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _specks(mask: HostArray) -> HostArray:
    """The components of a mask that are tiny compared to the largest."""
    cell, pixels, labels = _components(mask)
    sizes = np.bincount(labels.ravel(), pixels.ravel())
    specks = (pixels > 0) & (sizes < SPECK * sizes.max())[labels]
    return np.asarray(specks.repeat(cell, 0).repeat(cell, 1)[: mask.shape[0], : mask.shape[1]])


def _components(mask: HostArray) -> tuple[int, HostArray, HostArray]:
    """Label components on a coarse grid: the side of a cell, and each cell's number of pixels and label."""
    cell = -(-max(mask.shape) // COARSE)
    rows, columns = (-(-n // cell) for n in mask.shape)
    padded = np.pad(mask, ((0, rows * cell - mask.shape[0]), (0, columns * cell - mask.shape[1])))
    pixels = padded.reshape(rows, cell, columns, cell).sum(axis=(1, 3))
    return cell, pixels, connected_components(pixels > 0)


def _is_dark(grey: HostArray) -> bool:
    """Whether whatever stands out from its surroundings is mostly darker than they are."""
    coarse = shrink(grey, COARSE)
    side = max(coarse.shape) // 2 | 1
    around = np.lib.stride_tricks.sliding_window_view(np.pad(coarse, side // 2, "edge"), (side, side))
    return float(((coarse - np.median(around, axis=(2, 3))) ** 3).sum()) <= 0.0


def _closing(light: HostArray) -> HostArray:
    """The morphological closing: a dilation, then an erosion."""
    side = max(light.shape) // 2 | 1
    padded = np.pad(light, side, "edge")
    for extremum in (np.maximum, np.minimum):
        for axis in (0, 1):
            padded = running_extremum(extremum, padded, side, axis)
    cut = (padded.shape[0] - light.shape[0]) // 2
    return padded[cut : cut + light.shape[0], cut : cut + light.shape[1]]


def _smooth(x: HostArray) -> HostArray:
    """Average 3 × 3 pixels to reduce grain, unless the picture is small."""
    if min(x.shape) < 100:
        return x
    padded = np.pad(x, 1, "edge")
    rows = padded[:-2] + padded[1:-1] + padded[2:]
    return np.asarray((rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]) / 9.0)


def _levels(ink: HostArray) -> tuple[float, float]:
    """The levels at which ink begins, above the paper's grain, and at which it is full."""
    most = float(ink.max())
    paper = ink[ink <= most / 2]
    level = float(np.median(paper))
    floor = level + NOISE * 1.4826 * float(np.median(np.abs(paper - level)))
    if most - floor < LEAST:
        return floor, floor
    return floor, float(np.median(ink[ink > (floor + most) / 2]))
