"""Draw curves and histograms as inline SVG, with matplotlib if it is installed.

The drawings take the colour of the page's text, so they suit light and dark pages. They contain no text
from outside: the page has the legends and captions.
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
from ..pages.html import escaped

MISSING = "There are no curves or histograms because matplotlib is not installed (pip install matplotlib)."

COLOURS = ("#2f7fc1", "#e07b00", "#2a9d6f", "#a06bd6", "#d4504c", "#8a8f98")
"""Distinguishable on white and on black."""

INK = "#010203"
"""A placeholder for the colour of the page's text."""

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
"""Curves with at most this many points have markers."""

OUTLIER = 1e3
"""An outlier exceeds the next value by this factor."""

PLAIN = (1e-2, 1e5)
"""The range in which axis labels have no exponent."""

MARGIN = 0.05
"""The margin at either end of an axis, relative to its length."""

FEW_DECADES, MOST_TICKS = 3.0, 9
"""A logarithmic axis of fewer decades has ticks within them; and the largest number of ticks."""

MANY = 100
"""A histogram with a count this large has a logarithmic axis."""


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


def curves(lines: Sequence[Line], what: str, alt: str, *, allow_log: bool = False) -> str:
    """Draw lines by step, starting at 0.

    With `allow_log`, values that span more than a decade have a logarithmic axis, which ends at
    `limit_without_outliers`.
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
        values = np.concatenate([line.values for line in lines])
        top = limit_without_outliers(lines) if allow_log else None
        least, largest = values.min(), values.max() if top is None else top
        if allow_log and 0.0 < 10.0 * least < largest:
            _use_log_scale(axes, math.log10(largest / least))
        if top is not None:
            _limit_values(axes, least, top)
        _hide_offset(axes.yaxis)

    return _svg(draw, (4.0, 2.5), alt)


def limit_without_outliers(lines: Sequence[Line]) -> float | None:
    """The largest value of the lines that is no outlier; None if there are no outliers.

    Outliers are among the largest 5 % of their line (at least one value), and more than a thousand times as
    large as the next value.
    """
    kept = [_without_outliers(line.values) for line in lines]
    if sum(map(len, kept)) == sum(len(line.values) for line in lines):
        return None
    return max(values[0] for values in kept)


def _without_outliers(values: Sequence[float]) -> Sequence[float]:
    """The values in descending order, without outliers."""
    falling = sorted(values, reverse=True)
    for n in range(min(max(1, len(falling) // 20), len(falling) - 2), 0, -1):
        if falling[n - 1] > OUTLIER * falling[n] > 0.0:
            return falling[n:]
    return falling


def bars(histogram: Histogram, alt: str, colour: str = COLOURS[0]) -> str:
    """Draw a histogram, with a logarithmic axis for large counts."""

    def draw(axes: Any) -> None:
        axes.stairs(histogram.counts, histogram.edges, fill=True, color=colour)
        axes.locator_params(axis="x", nbins=4)
        _hide_offset(axes.xaxis)
        axes.yaxis.get_major_locator().set_params(integer=True, nbins=4)
        if histogram.counts.max() >= MANY:
            axes.set_yscale("log")
            axes.set_ylim(bottom=0.5)
            axes.yaxis.minorticks_off()
        axes.yaxis.set_major_formatter(_thousands)

    return _svg(draw, (3.0, 1.6), alt)


def _use_log_scale(axes: Any, decades: float) -> None:
    from matplotlib.ticker import LogLocator, NullFormatter

    axes.set_yscale("log")
    few = decades < FEW_DECADES  # over many decades, the locator supports only powers of ten
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if few else (1.0,), numticks=MOST_TICKS))
    axes.yaxis.set_minor_formatter(NullFormatter())


def _limit_values(axes: Any, least: float, top: float) -> None:
    """Limit the value axis to this range and the usual margins."""
    if axes.get_yscale() == "log":
        margin = (top / least) ** MARGIN
        axes.set_ylim(least / margin, top * margin)
    else:
        margin = MARGIN * (top - least) or 1.0
        axes.set_ylim(least - margin, top + margin)


def _hide_offset(axis: Any) -> None:
    """Label an axis with complete numbers, without a common factor or offset."""
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
    """Draw into new axes, and return the figure as an element for an HTML page."""
    from matplotlib import style
    from matplotlib.figure import Figure

    file = io.StringIO()
    with style.context(["default", STYLE]):
        figure = Figure(figsize=size, layout="constrained")
        draw(figure.subplots())
        figure.savefig(file, format="svg", transparent=True, metadata=NO_METADATA)
    return _inline(file.getvalue(), alt)


def _inline(svg: str, alt: str) -> str:
    """Remove what only files need, and make the ids unique on the page."""
    svg = svg[svg.index("<svg") :].replace(INK, "currentColor").strip()
    svg = re.sub(r'<style.*?</style>| xmlns(:\w+)?="[^"]*"', "", svg, flags=re.DOTALL)
    name = re.sub(r"\W+", "-", alt)
    svg = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{name}-", svg)
    return svg.replace("<svg", f'<svg role="img" aria-label="{escaped(alt)}"', 1)
