"""What appears when one points at an edge: the histograms of its values and of their gradient."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..backends import HostArray
from ..statistics import Statistics
from ..text import digits, shape
from .blocks import ASCENT, LINE, px, text
from .labels import not_finite

BINS = 24
WIDTH, BARS = 264.0, 48.0
"""The width of the panel, and the height of the highest bar."""

PADDING = 8.0


class Popup:
    """A panel with a histogram for each of the named arrays."""

    width = WIDTH

    def __init__(self, arrays: dict[str, HostArray]) -> None:
        self.arrays = arrays
        heights = [LINE * (4 + bool(not_finite(values))) + BARS for values in arrays.values()]
        self.height = 2 * PADDING + sum(heights) - LINE  # none is left blank at the end

    def svg(self, x: float, y: float) -> Iterator[str]:
        """The panel with its upper left corner here."""
        size = f'width="{px(WIDTH)}" height="{px(self.height)}"'
        yield f'<rect class="panel" x="{px(x)}" y="{px(y)}" {size} rx="4"/>'
        left, right = x + PADDING, x + WIDTH - PADDING
        y += PADDING
        for name, values in self.arrays.items():
            found = Statistics.of(values)
            lines = [
                (f"{name} {shape(values.shape)}", f"start {name_class(name)}"),
                (f"mean {digits(found.mean)}, deviation {digits(found.std)}", "start quiet"),
                *((f"{', '.join(lost)} not drawn", "start quiet") for lost in [not_finite(values)] if lost),
            ]
            for content, kind in lines:
                yield text(left, y + ASCENT, content, kind)
                y += LINE
            yield from _bars(values, left, y + BARS, right - left, name_class(name))
            y += BARS
            if found.nonfinite < found.size:
                yield text(left, y + ASCENT, digits(found.smallest), "start quiet")
                yield text(right, y + ASCENT, digits(found.largest), "cell quiet")
            y += 2 * LINE


def name_class(name: str) -> str:
    """The class of what belongs to the forward pass or to the gradient."""
    return "forward" if name == "forward" else "backward"


def counts(values: HostArray) -> HostArray:
    """How many of the finite entries lie in each of the bins from the smallest to the largest.

    >>> counts(np.asarray([0.0, 0.1, 1.0, np.nan])).nonzero()[0].tolist()
    [0, 2, 23]
    """
    finite = values[np.isfinite(values)].astype(np.float64)
    if not finite.size:
        return np.zeros(BINS, np.int64)
    finite = finite / (np.abs(finite).max() or 1.0)  # the difference of two large numbers may overflow
    low, high = finite.min(), finite.max()
    if low == high:
        return np.bincount([BINS // 2] * finite.size, minlength=BINS)
    places = (finite - low) / (high - low) * BINS
    return np.bincount(np.minimum(places.astype(np.int64), BINS - 1), minlength=BINS)


def _bars(values: HostArray, left: float, bottom: float, width: float, kind: str) -> Iterator[str]:
    found = counts(values)
    largest = int(found.max())
    step = width / BINS
    for i, count in enumerate(found.tolist()):
        if count:
            height = max(BARS * count / largest, 1.0)
            place = f'x="{px(left + i * step)}" y="{px(bottom - height)}"'
            yield f'<rect class="bar {kind}" {place} width="{px(step - 1)}" height="{px(height)}"/>'
