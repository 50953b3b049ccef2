"""Curves and histograms as inline SVG, drawn with matplotlib where it is installed.

What is drawn has the colour of the page's text, so it is light on dark pages. Text from outside does
not come here: legends and captions are the page's.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np

from ..diagnosis.batch import Histogram
from .html import escaped

MISSING = "There are no curves and histograms: matplotlib is not installed (pip install matplotlib)."

COLOURS = ("#2f7fc1", "#e07b00", "#2a9d6f", "#a06bd6", "#d4504c", "#8a8f98")
"""To be told apart on white and on black."""

INK = "#010203"
"""Stands for the colour of the page's text."""

STYLE: dict[str, Any] = {
    **dict.fromkeys(("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"), INK),
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.formatter.limits": (-3, 4),
    "grid.color": INK,
    "grid.alpha": 0.15,
    "svg.fonttype": "none",
    "svg.hashsalt": "backprop",
}

NO_METADATA = dict.fromkeys(("Date", "Creator", "Format", "Type"))

FEW = 30
"""Up to so many points of a curve are marked."""

OUTLIER = 1e3
"""How many times the next value one is that the drawing leaves out."""

PLAIN = (1e-2, 1e5)
"""Between these the numbers of an axis are written out, with as many decimals each."""

ROOM = 0.05
"""Of an axis's length, at either end."""

FEW_DECADES, MOST_TICKS = 3.0, 9
"""Of a logarithmic axis: up to so many decades have ticks within, and how many ticks there are at most."""

MANY = 100
"""From this count on a histogram's scale is logarithmic."""


@dataclass(frozen=True)
class Line:
    """A curve and its name in the legend."""

    name: str
    steps: Sequence[float]
    values: Sequence[float]
    colour: str
    dashed: bool = False


def available() -> bool:
    """Whether matplotlib is installed."""
    return find_spec("matplotlib") is not None


def curves(lines: Sequence[Line], what: str, alt: str, *, may_be_log: bool = False) -> str:
    """The lines over the steps, from 0; on a log scale if it `may_be` and they span more than a decade.

    Then what lies above `top_of` the lines is cut off, too.
    """

    def draw(axes: Any) -> None:
        for line in lines:
            size = 0.0 if len(line.steps) > FEW else 2.5 if len(line.steps) > 1 else 5.0
            style = "o--" if line.dashed else "o-"
            axes.plot(line.steps, line.values, style, markersize=size, color=line.colour, linewidth=1.4)
        axes.set_xlabel("step")
        axes.set_ylabel(what)
        axes.xaxis.set_major_formatter(_thousands)
        axes.xaxis.get_major_locator().set_params(integer=True, nbins=6)
        last = max(1.0, *(step for line in lines for step in line.steps))
        axes.set_xlim(-0.03 * last, 1.03 * last)
        values, top = np.concatenate([line.values for line in lines]), top_of(lines) if may_be_log else None
        least, largest = values.min(), values.max() if top is None else top
        if may_be_log and 0.0 < 10.0 * least < largest:
            _log_scale(axes, math.log10(largest / least))
        if top is not None:
            _end_at(axes, least, top)
        _without_factor(axes.yaxis)

    return _svg(draw, (4.0, 2.5), alt)


def top_of(lines: Sequence[Line]) -> float | None:
    """The largest value of the lines without a few outliers; None if there are none.

    An outlier is among the largest of its line, one in twenty or the largest alone, and more than a
    thousand times as large as the next.
    """
    kept = [_without_outliers(line.values) for line in lines]
    if sum(map(len, kept)) == sum(len(line.values) for line in lines):
        return None
    return max(values[0] for values in kept)


def _without_outliers(values: Sequence[float]) -> Sequence[float]:
    """The values, the largest first."""
    falling = sorted(values, reverse=True)
    for n in range(min(max(1, len(falling) // 20), len(falling) - 2), 0, -1):
        if falling[n - 1] > OUTLIER * falling[n] > 0.0:
            return falling[n:]
    return falling


def bars(histogram: Histogram, alt: str, colour: str = COLOURS[0]) -> str:
    """The histogram; large counts on a log scale."""

    def draw(axes: Any) -> None:
        axes.stairs(histogram.counts, histogram.edges, fill=True, color=colour)
        axes.locator_params(axis="x", nbins=4)
        _without_factor(axes.xaxis)
        axes.yaxis.get_major_locator().set_params(integer=True, nbins=4)
        if histogram.counts.max() >= MANY:
            axes.set_yscale("log")
            axes.set_ylim(bottom=0.5)
            axes.yaxis.minorticks_off()
        axes.yaxis.set_major_formatter(_thousands)

    return _svg(draw, (3.0, 1.6), alt)


def _log_scale(axes: Any, decades: float) -> None:
    from matplotlib.ticker import LogLocator, NullFormatter

    axes.set_yscale("log")
    few = decades < FEW_DECADES  # over many, the locator has no ticks but powers of ten
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if few else (1.0,), numticks=MOST_TICKS))
    axes.yaxis.set_minor_formatter(NullFormatter())


def _end_at(axes: Any, least: float, top: float) -> None:
    """Let the axis of the values reach from the least to the top, with the usual room beside them."""
    if axes.get_yscale() == "log":
        room = (top / least) ** ROOM
        axes.set_ylim(least / room, top * room)
    else:
        room = ROOM * (top - least) or 1.0
        axes.set_ylim(least - room, top + room)


def _without_factor(axis: Any) -> None:
    """Let every number of an axis stand by itself, without a factor or a summand that stands elsewhere."""
    largest = max(map(abs, axis.get_view_interval()))
    if axis.get_scale() == "log" or not PLAIN[0] <= largest < PLAIN[1]:
        axis.set_major_formatter(_plain)
    else:
        axis.get_major_formatter().set_useOffset(False)
        axis.get_major_formatter().set_scientific(False)


def _plain(value: float, _: Any) -> str:
    return f"{value:g}".replace("-", "\N{MINUS SIGN}")


def _thousands(value: float, _: Any) -> str:
    return f"{value:,.0f}"


def _svg(draw: Callable[[Any], None], size: tuple[float, float], alt: str) -> str:
    """What `draw` draws into axes, as an element of an HTML page."""
    from matplotlib import style
    from matplotlib.figure import Figure

    file = io.StringIO()
    with style.context(["default", STYLE]):
        figure = Figure(figsize=size, layout="constrained")
        draw(figure.subplots())
        figure.savefig(file, format="svg", transparent=True, metadata=NO_METADATA)
    return _inline(file.getvalue(), alt)


def _inline(svg: str, alt: str) -> str:
    """Without what is for files, and with names that no other figure of the page has."""
    svg = svg[svg.index("<svg") :].replace(INK, "currentColor").strip()
    svg = re.sub(r'<style.*?</style>| xmlns(:\w+)?="[^"]*"', "", svg, flags=re.DOTALL)
    name = re.sub(r"\W+", "-", alt)
    svg = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{name}-", svg)
    return svg.replace("<svg", f'<svg role="img" aria-label="{escaped(alt)}"', 1)
