"""What MNIST's pictures went through, for a picture of one's own.

MNIST's digits were size-normalised to fit in a box of 20 × 20 while their aspect was kept; the grey levels
come from the anti-aliasing of that; then they were put into a field of 28 × 28, with the centre of mass of
the pixels at its centre. In its files this is the pixel 14 of 0 to 27, to within half a pixel.

A photograph or a scan needs its paper removed before: `ink_of`. With the picture turned so that ink is dark,

    ink = 1 − g / p

where g is what the camera saw and p the paper there, the closing of g: what is left of it when everything
darker and narrower than half the picture is filled. Before that, the lines of ruled paper go (`lines`), and
what the picture shows around the paper (`sheet`).

Sources: Y. LeCun, C. Cortes and C. J. C. Burges, *The MNIST database of handwritten digits*; for closing,
J. Serra, *Image Analysis and Mathematical Morphology*, 1982.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..backends import HostArray
from .lines import without_lines
from .planes import parts, reduced, resized, running
from .sheet import sheets

COARSE = 48
"""Pixels of the longer side on which dark is told from bright, and specks from ink."""

SPECK = 0.03
"""The share of the largest part of the ink below which another part is a speck."""

COMPARABLE = 0.2
"""The share of the largest part's ink from which on another part may be a second sign."""

TALL = 0.5
"""The share of the tallest such part's height that each must have."""

NOISE = 4.0
"""Standard deviations of the paper's grain below which nothing counts as ink."""

LEAST = 0.05
"""The share of the paper's light that ink must take away at least."""

THICK = 0.42
"""The side of a square that fits into no stroke, of the longer side of all ink."""

ALONG = 0.5
"""The share of a side of the picture along which there may be ink: more is a desk."""

LINES = "lines across the picture, as of ruled paper, removed"
DESK = "what is around the paper removed"

EDGE = 0.5
"""Ink ends where it falls below this share of full ink."""


@dataclass(frozen=True)
class Found:
    """The ink of a photograph."""

    ink: HostArray
    """(H, W) from 0 to 1."""
    dark: bool
    """Whether it is darker than its paper."""
    done: tuple[str, ...]
    """What was removed before."""
    certain: bool
    """Whether it can be told from what is around the paper."""


def ink_of(grey: HostArray) -> tuple[HostArray, bool] | None:
    """The ink of a picture (H, W) from 0 to 1, and whether it is dark; None if there is only paper."""
    dark = _is_dark(grey)
    light = _smoothed(grey if dark else 1.0 - grey)
    ink = 1.0 - light / np.maximum(_closed(light), 1e-3)
    floor, full = _levels(ink)
    if full - floor < LEAST:
        return None
    return np.clip((ink - floor) / (full - floor), 0.0, 1.0), dark


def _meets(ink: HostArray, where: HostArray) -> bool:
    """Whether some of the ink, specks apart, lies there."""
    there = ink > EDGE
    return bool((there & ~_specks(there) & where).any())


def _frame(paper: HostArray) -> HostArray:
    """The outermost of the paper (H, W), where it ends within the picture."""
    side = 2 * (max(paper.shape) // 100 + 1) + 1
    inner = np.pad(paper, side // 2, "edge")
    for axis in (0, 1):
        inner = running(np.minimum, inner, side, axis)
    return np.asarray(paper & ~inner)


def _along(ink: HostArray) -> float:
    """The largest share of a side of the picture along which there is ink."""
    there = ink > EDGE
    there = there & ~_specks(there)
    return max(float(side.mean()) for side in (there[0], there[-1], there[:, 0], there[:, -1]))


def _solid(ink: HostArray) -> bool:
    """Whether the ink has a piece too thick for a stroke."""
    there = _cropped(ink) > EDGE
    side = round(THICK * max(there.shape))
    for axis in (0, 1):
        if there.shape[axis] < side:
            return False
        there = running(np.minimum, there, side, axis)
    return bool(there.any())


def ink_on_paper(grey: HostArray) -> Found | None:
    """As `ink_of`, where there may be a desk around the paper, and lines on it."""
    plain, ruled = without_lines(grey)
    done = (LINES,) if ruled else ()
    for paper, extended in sheets(plain):
        found = ink_of(extended)
        if found is not None and not _meets(found[0], _frame(paper)) and not _solid(found[0]):
            return Found(*found, (*done, DESK), certain=True)
    found = ink_of(plain)
    if found is None:
        return None
    most = 0.0 if ruled else ALONG  # what is left of a line ends at the edge of the picture
    return Found(*found, done, certain=_along(found[0]) <= most and not _solid(found[0]))


def signs(ink: HostArray) -> int:
    """How many signs the ink (H, W) may be: pieces of about one size, apart from side to side or down.

    A piece counts that has a good share of the largest one's ink and of the tallest one's height; so neither
    the dot of an i nor a stroke that has come off does.
    """
    there = ink > EDGE
    if not there.any():
        return 0
    _, pixels, numbers = _parts(there)
    sizes = np.bincount(numbers.ravel(), pixels.ravel())
    boxes = [_box(numbers == n) for n in np.flatnonzero(sizes >= COMPARABLE * sizes.max()) if n]
    tallest = max(bottom - top for (top, bottom), _ in boxes)
    tall = [box for box in boxes if box[0][1] - box[0][0] >= TALL * tallest]
    apart = any(_runs([box[axis] for box in tall]) > 1 for axis in (0, 1))
    return len(tall) if apart else 1


def _box(part: HostArray) -> tuple[tuple[int, int], tuple[int, int]]:
    """The rows and the columns of a part, each from the first to behind the last."""
    down, across = np.nonzero(part)
    return (int(down.min()), int(down.max()) + 1), (int(across.min()), int(across.max()) + 1)


def _runs(spans: list[tuple[int, int]]) -> int:
    """How many runs the spans make, those that overlap being one."""
    count, end = 0, -1
    for first, last in sorted(spans):
        count += first >= end
        end = max(end, last)
    return count


def normalised(ink: HostArray, shape: tuple[int, int], box: int) -> HostArray:
    """The ink (H, W) cropped, fitted into the box, and put by its centre of mass into a field of `shape`."""
    cropped = _cropped(ink)
    scale = box / max(cropped.shape)
    height, width = (max(1, round(n * scale)) for n in cropped.shape)
    small = resized(cropped, height, width)
    top, left = (_start(small.sum(axis=1 - axis), shape[axis]) for axis in (0, 1))
    field = np.zeros(shape, np.float32)
    field[top : top + height, left : left + width] = small / small.max()  # a thin line is as bright as others
    return field


def _start(mass: HostArray, n: int) -> int:
    """Where a part begins in n pixels so that its centre of mass is in the middle; it stays inside."""
    centre = float(mass @ np.arange(len(mass)) / mass.sum())
    return min(max(round(n // 2 - centre), 0), n - len(mass))


def _cropped(ink: HostArray) -> HostArray:
    """The part of the picture that has ink, without specks."""
    ink = np.where(_specks(ink > EDGE), 0.0, ink)
    rows, columns = (np.flatnonzero((ink > EDGE).any(axis=axis)) for axis in (1, 0))
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _specks(there: HostArray) -> HostArray:
    """Where ink is in a part of its own that is tiny beside the largest one."""
    cell, pixels, numbers = _parts(there)
    sizes = np.bincount(numbers.ravel(), pixels.ravel())
    specks = (pixels > 0) & (sizes < SPECK * sizes.max())[numbers]
    return np.asarray(specks.repeat(cell, 0).repeat(cell, 1)[: there.shape[0], : there.shape[1]])


def _parts(there: HostArray) -> tuple[int, HostArray, HostArray]:
    """The side of a cell; for a grid of such cells, how much ink is in each, and the number of its part."""
    cell = -(-max(there.shape) // COARSE)
    rows, columns = (-(-n // cell) for n in there.shape)
    padded = np.pad(there, ((0, rows * cell - there.shape[0]), (0, columns * cell - there.shape[1])))
    pixels = padded.reshape(rows, cell, columns, cell).sum(axis=(1, 3))
    return cell, pixels, parts(pixels > 0)


def _is_dark(grey: HostArray) -> bool:
    """Whether what differs from its surroundings is darker than they are, all in all."""
    coarse = reduced(grey, COARSE)
    side = max(coarse.shape) // 2 | 1
    around = np.lib.stride_tricks.sliding_window_view(np.pad(coarse, side // 2, "edge"), (side, side))
    return float(((coarse - np.median(around, axis=(2, 3))) ** 3).sum()) <= 0.0


def _closed(light: HostArray) -> HostArray:
    """The closing: the largest value around every pixel, then the smallest of those."""
    side = max(light.shape) // 2 | 1
    padded = np.pad(light, side, "edge")
    for choose in (np.maximum, np.minimum):
        for axis in (0, 1):
            padded = running(choose, padded, side, axis)
    cut = (padded.shape[0] - light.shape[0]) // 2
    return padded[cut : cut + light.shape[0], cut : cut + light.shape[1]]


def _smoothed(x: HostArray) -> HostArray:
    """The mean of 3 × 3 pixels, against grain, in a picture that has enough of them."""
    if min(x.shape) < 100:
        return x
    padded = np.pad(x, 1, "edge")
    rows = padded[:-2] + padded[1:-1] + padded[2:]
    return np.asarray((rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]) / 9.0)


def _levels(ink: HostArray) -> tuple[float, float]:
    """Where ink begins, above the paper's grain, and where it is full."""
    most = float(ink.max())
    paper = ink[ink <= most / 2]
    level = float(np.median(paper))
    floor = level + NOISE * 1.4826 * float(np.median(np.abs(paper - level)))
    if most - floor < LEAST:
        return floor, floor
    return floor, float(np.median(ink[ink > (floor + most) / 2]))
