"""Remove the lines of ruled or squared paper, which run straight across the whole picture.

A line is thin: the closing across it, which fills anything darker and thinner, recovers the paper beneath.
A pen stroke may be as thin, but it does not reach from edge to edge.
"""

from __future__ import annotations

import numpy as np

from ..backends import HostArray
from .morphology import running_extremum

SMALLEST = 100
"""In pictures with a shorter side (pixels), lines cannot be told from strokes."""

THIN = 0.015
"""The largest thickness of a line, relative to the longer side."""

FAINT = 0.02
"""The smallest contrast between a line and the paper, relative to the full range."""

NOISE = 4.0
"""A line stands out from the paper's grain by this many standard deviations."""

BLOCKS = 64
"""The number of blocks along a line that are searched separately."""

SLOPES = np.linspace(-0.12, 0.12, 61)
"""The slopes that are tried, in pixels down per pixel across."""

ALONG = 0.7
"""The share of the blocks in which a line must be visible; ink hides it in others."""

ENDS = slice(0, 8), slice(-8, None)
"""The blocks at either end; a line must be visible in three quarters of them."""

SEVERAL = 3
"""With this many parallel lines, others may be shorter, ending with the paper or at a corner."""

MIDDLE = slice(13, -13)
"""The blocks that a line ending with the paper must cross."""

CORNER = 3
"""The smallest number of blocks of a line that leaves the picture at a corner."""

MOST = 0.8
"""The share of the blocks in which a shorter line must be visible."""


def without_lines(grey: HostArray) -> tuple[HostArray, bool]:
    """Remove the lines across and down a picture (H, W) from 0 to 1, and tell whether there were any."""
    if min(grey.shape) < SMALLEST:
        return grey, False
    across = _without_horizontal(grey)
    turned = across.T
    down = _without_horizontal(turned)
    return down.T, across is not grey or down is not turned


def _without_horizontal(light: HostArray) -> HostArray:
    """Remove dark and bright lines across the picture; return the same array if there are none."""
    for dark in (True, False):
        plain = _without_dark(light if dark else 1.0 - light)
        if plain is not None:
            light = plain if dark else 1.0 - plain
    return light


def _without_dark(light: HostArray) -> HostArray | None:
    """Replace dark lines by paper; None if there are none."""
    side = round(THIN * max(light.shape)) | 1
    closed = _closing(light, side)
    edges = np.arange(BLOCKS + 1) * light.shape[1] // BLOCKS
    hat = np.add.reduceat(closed - light, edges[:-1], axis=1) / np.diff(edges)  # (H, BLOCKS)
    hat -= np.median(hat)
    grain = 1.4826 * float(np.median(np.abs(hat)))
    lines = _lines(hat > max(FAINT, NOISE * grain), light.shape[1])
    if not lines.any():
        return None
    padded = np.pad(lines, ((side // 2, side // 2), (0, 0)))
    wide = running_extremum(np.maximum, padded, side, 0)
    return np.where(wide.repeat(np.diff(edges), axis=1), closed, light)


def _lines(thin: HostArray, width: int) -> HostArray:
    """The blocks (H, BLOCKS) that belong to lines, among those with something thin in them."""
    middle = (np.arange(BLOCKS) + 0.5) * width / BLOCKS - width / 2
    reach = int(np.ceil(SLOPES[-1] * width / 2))
    height, beyond = len(thin), ((reach, reach), (0, 0))
    near = np.pad(running_extremum(np.maximum, np.pad(thin, ((1, 1), (0, 0))), 3, 0), beyond)
    found = np.zeros_like(thin)
    for slope in SLOPES:
        rows = np.arange(len(near))[:, None] + np.rint(slope * middle).astype(int)
        inside = (rows >= reach) & (rows < reach + height)
        hit = near[rows.clip(0, len(near) - 1), np.arange(BLOCKS)] & inside
        at, block = np.nonzero(inside & _is_line(hit, inside)[:, None])
        found[rows[at, block] - reach, block] = True
    return found


def _is_line(hit: HostArray, inside: HostArray) -> HostArray:
    """Which rows of blocks are lines, given where something thin is, and which blocks are in the picture."""
    whole = hit.mean(axis=1) >= ALONG
    for end in ENDS:
        whole &= hit[:, end].mean(axis=1) >= 0.75
    middle_only = hit[:, MIDDLE].mean(axis=1) >= MOST
    if _count_runs(whole | middle_only) < SEVERAL:
        return np.asarray(whole)
    length = inside.sum(axis=1)
    at_a_corner = (length >= CORNER) & (length < BLOCKS) & (hit.sum(axis=1) >= MOST * length)
    return np.asarray(whole | middle_only | at_a_corner)


def _count_runs(rows: HostArray) -> int:
    """The number of separate runs of True rows."""
    near = running_extremum(np.maximum, np.pad(rows, 2), 5, 0)
    return int(np.count_nonzero(np.diff(near.astype(int), prepend=0) == 1))


def _closing(light: HostArray, side: int) -> HostArray:
    """The morphological closing along the columns."""
    padded = np.pad(light, ((side - 1, side - 1), (0, 0)), "edge")
    dilated = running_extremum(np.maximum, padded, side, 0)
    closed: HostArray = running_extremum(np.minimum, dilated, side, 0)
    return closed
