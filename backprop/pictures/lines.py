"""Ruled and squared paper: the lines straight across the whole picture, and the picture without them.

A line is thin: the closing across it, which fills whatever is darker and thinner, is the paper beneath. A
stroke of a pen may be as thin, but it does not reach from one edge to the other.
"""

from __future__ import annotations

import numpy as np

from ..backends import HostArray
from .planes import running

SMALLEST = 100
"""Pixels of the shorter side below which lines are not told from strokes."""

THIN = 0.015
"""The thickest line, of the longer side."""

FAINT = 0.02
"""How much darker than the paper a line is at least, of the whole range."""

NOISE = 4.0
"""Standard deviations of the paper's grain below which nothing counts as a line."""

BLOCKS = 64
"""Stretches along a line, in each of which it is looked for."""

SLOPES = np.linspace(-0.12, 0.12, 61)
"""How far a line goes up or down, per pixel across."""

ALONG = 0.7
"""The share of the stretches in which there must be a line; ink hides it in others."""

ENDS = slice(0, 8), slice(-8, None)
"""The stretches at either end, of which three quarters must have it."""

SEVERAL = 3
"""Lines side by side from which on others may be shorter: they end with the paper or at a corner."""

MIDDLE = slice(13, -13)
"""The stretches that those must have which end with the paper."""

CORNER = 3
"""The fewest stretches of those that leave the picture."""

MOST = 0.8
"""The share of the stretches that a shorter line must have."""


def without_lines(grey: HostArray) -> tuple[HostArray, bool]:
    """A picture (H, W) from 0 to 1 without lines across and down it, and whether there were any."""
    if min(grey.shape) < SMALLEST:
        return grey, False
    across = _without(grey)
    turned = across.T
    down = _without(turned)
    return down.T, across is not grey or down is not turned


def _without(light: HostArray) -> HostArray:
    """Without the lines across, dark or bright; the plane itself where there are none."""
    for dark in (True, False):
        plain = _filled(light if dark else 1.0 - light)
        if plain is not None:
            light = plain if dark else 1.0 - plain
    return light


def _filled(light: HostArray) -> HostArray | None:
    """With paper where dark lines were; None where there are none."""
    side = round(THIN * max(light.shape)) | 1
    closed = _closed_down(light, side)
    edges = np.arange(BLOCKS + 1) * light.shape[1] // BLOCKS
    hat = np.add.reduceat(closed - light, edges[:-1], axis=1) / np.diff(edges)  # (H, BLOCKS)
    hat -= np.median(hat)
    grain = 1.4826 * float(np.median(np.abs(hat)))
    lines = _lines(hat > max(FAINT, NOISE * grain), light.shape[1])
    if not lines.any():
        return None
    wide = running(np.maximum, np.pad(lines, ((side // 2, side // 2), (0, 0))), side, 0)
    return np.where(wide.repeat(np.diff(edges), axis=1), closed, light)


def _lines(there: HostArray, width: int) -> HostArray:
    """Where lines run, of the stretches (H, BLOCKS) in which there is something thin."""
    middle = (np.arange(BLOCKS) + 0.5) * width / BLOCKS - width / 2
    reach = int(np.ceil(SLOPES[-1] * width / 2))
    height, beyond = len(there), ((reach, reach), (0, 0))
    near = np.pad(running(np.maximum, np.pad(there, ((1, 1), (0, 0))), 3, 0), beyond)
    found = np.zeros_like(there)
    for slope in SLOPES:
        rows = np.arange(len(near))[:, None] + np.rint(slope * middle).astype(int)
        inside = (rows >= reach) & (rows < reach + height)
        hit = near[rows.clip(0, len(near) - 1), np.arange(BLOCKS)] & inside
        at, block = np.nonzero(inside & _straight(hit, inside)[:, None])
        found[rows[at, block] - reach, block] = True
    return found


def _straight(hit: HostArray, inside: HostArray) -> HostArray:
    """Which rows of stretches are lines: where there is something thin, and what is in the picture."""
    whole = hit.mean(axis=1) >= ALONG
    for end in ENDS:
        whole &= hit[:, end].mean(axis=1) >= 0.75
    middle_only = hit[:, MIDDLE].mean(axis=1) >= MOST
    if _count(whole | middle_only) < SEVERAL:
        return np.asarray(whole)
    long = inside.sum(axis=1)
    at_a_corner = (long >= CORNER) & (long < BLOCKS) & (hit.sum(axis=1) >= MOST * long)
    return np.asarray(whole | middle_only | at_a_corner)


def _count(rows: HostArray) -> int:
    """How many runs of rows there are, apart from each other."""
    near = running(np.maximum, np.pad(rows, 2), 5, 0)
    return int(np.count_nonzero(np.diff(near.astype(int), prepend=0) == 1))


def _closed_down(light: HostArray, side: int) -> HostArray:
    """The closing along the columns."""
    padded = np.pad(light, ((side - 1, side - 1), (0, 0)), "edge")
    return running(np.minimum, running(np.maximum, padded, side, 0), side, 0)
