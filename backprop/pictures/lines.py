"""Ruled and squared paper: the lines straight across the whole picture, and the picture without them.

A line is thin: the closing across it, which fills whatever is darker and thinner, is the paper beneath. A
stroke of a pen may be as thin, but it does not reach from one edge to the other.
"""

from __future__ import annotations


import numpy as np

from .planes import Host, running

SMALLEST = 100
"""Pixels of the shorter side below which lines are not told from strokes."""

THIN = 0.02
"""The thickest line, of the longer side."""

FAINT = 0.02
"""How much darker than the paper a line is at least, of the whole range."""

BLOCKS = 64
"""Stretches along a line, in each of which it is looked for."""

SLOPES = np.linspace(-0.12, 0.12, 61)
"""How far a line goes up or down, per pixel across."""

ALONG = 0.7
"""The share of the stretches in which there must be a line; ink hides it in others."""

ENDS = slice(0, 8), slice(-8, None)
"""The stretches at either end, of which three quarters must have it."""

MIDDLE = slice(13, -13)
"""The stretches that three lines side by side must have, where they end at the edges of the paper."""


def without_lines(grey: Host) -> tuple[Host, bool]:
    """A picture (H, W) from 0 to 1 without lines across and down it, and whether there were any."""
    if min(grey.shape) < SMALLEST:
        return grey, False
    across = _without(grey)
    turned = across.T
    down = _without(turned)
    return down.T, across is not grey or down is not turned


def _without(light: Host) -> Host:
    """Without the lines across, dark or bright; the plane itself where there are none."""
    for dark in (True, False):
        plain = _filled(light if dark else 1.0 - light)
        if plain is not None:
            light = plain if dark else 1.0 - plain
    return light


def _filled(light: Host) -> Host | None:
    """With paper where dark lines were; None where there are none."""
    side = round(THIN * max(light.shape)) | 1
    closed = _closed_down(light, side)
    edges = np.arange(BLOCKS + 1) * light.shape[1] // BLOCKS
    hat = np.add.reduceat(closed - light, edges[:-1], axis=1) / np.diff(edges)  # (H, BLOCKS)
    there = hat - np.median(hat) > FAINT
    lines = _lines(there, light.shape[1])
    if not lines.any():
        return None
    wide = running(np.maximum, np.pad(lines, ((side // 2, side // 2), (0, 0))), side, 0)
    return np.where(wide.repeat(np.diff(edges), axis=1), closed, light)


def _lines(there: Host, width: int) -> Host:
    """Where lines run, of the stretches (H, BLOCKS) in which there is something thin."""
    near = running(np.maximum, np.pad(there, ((1, 1), (0, 0))), 3, 0)
    height, middle = len(there), (np.arange(BLOCKS) + 0.5) * width / BLOCKS - width / 2
    found = np.zeros_like(there)
    for slope in SLOPES:
        rows = np.arange(height)[:, None] + np.rint(slope * middle).astype(int)
        inside = (rows >= 0) & (rows < height)
        rows = rows.clip(0, height - 1)
        hit = near[rows, np.arange(BLOCKS)] & inside
        whole = hit.mean(axis=1) >= ALONG
        for end in ENDS:
            whole &= hit[:, end].mean(axis=1) >= 0.75
        middle_only = hit[:, MIDDLE].mean(axis=1) >= 0.8
        line = whole | middle_only if _count(middle_only) >= 3 else whole
        at, block = np.nonzero(inside & line[:, None])
        found[rows[at, block], block] = True
    return found


def _count(rows: Host) -> int:
    """How many runs of rows there are, apart from each other."""
    near = running(np.maximum, np.pad(rows, 2), 5, 0)
    return int(np.count_nonzero(np.diff(near.astype(int), prepend=0) == 1))


def _closed_down(light: Host, side: int) -> Host:
    """The closing along the columns."""
    padded = np.pad(light, ((side - 1, side - 1), (0, 0)), "edge")
    return running(np.minimum, running(np.maximum, padded, side, 0), side, 0)
