"""What a training shows in a notebook: its history and its curves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from ..pages import html
from ..pages.fragment import fragment
from ..report import figures
from ..saving.history import Metrics
from ..text import short

if TYPE_CHECKING:
    from .loop import Training

LAST = 10
"""How many epochs the table shows; all of them are shown on request."""

NUMBERS = ("loss", "validation_loss", "test_loss", "accuracy", "validation_accuracy", "test_accuracy")

PARTS = (("test", "test_"), ("validation", "validation_"), ("train", ""))
"""The parts of the data, in the order of their colours in a report, and what their metrics begin with."""


def training_html(training: Training) -> str:
    """A line on the training, its curves if matplotlib is installed, and the table of its last epochs."""
    history = training.history
    more = html.details(f"all {len(history)} epochs", _table(history)) if len(history) > LAST else ""
    return fragment(html.paragraph(_lead(training)), _curves(history), _table(history[-LAST:]), more)


def _lead(training: Training) -> str:
    facts = [f"{training.step:,} of {training.total:,} steps", repr(training.optimizer)]
    if training.history:
        facts.append(f"{training.history[-1].seconds:,.1f} s")
    if training.best:
        facts.append(f"best epoch {training.best.epoch}")
    if training.stopped_early:
        facts.append("stopped early")
    return f"{type(training.network).__name__}: {', '.join(facts)}"


def _table(history: Sequence[Metrics]) -> str:
    if not history:
        return ""
    head = ["epoch", "step", *(name.replace("_", " ") for name in NUMBERS)]
    rows = [[f"{m.epoch}", f"{m.step:,}", *(_number(getattr(m, name)) for name in NUMBERS)] for m in history]
    return html.table(*html.without_empty_columns(head, rows))


def _number(value: float | None) -> str:
    return html.NONE if value is None else short(value)


def _curves(history: Sequence[Metrics]) -> str:
    if len(history) < 2 or not figures.available():
        return ""
    return html.grid("charts", (_chart(history, what) for what in ("loss", "accuracy")))


def _chart(history: Sequence[Metrics], what: str) -> str:
    lines = list(_lines(history, what))
    if not lines:
        return ""
    svg = figures.curves(lines, what, f"{what} by step", allow_log=what == "loss")
    return html.chart(svg, what.capitalize(), [(line.name, line.colour, line.dashed) for line in lines])


def _lines(history: Sequence[Metrics], what: str) -> Iterator[figures.Line]:
    """A line for each part of the data; that of the training data is dashed, being a mean over the epoch."""
    for (part, prefix), colour in zip(PARTS, figures.COLOURS, strict=False):
        known = [(m.step, value) for m in history if (value := getattr(m, prefix + what)) is not None]
        if known:
            steps, values = zip(*known, strict=True)
            yield figures.Line(part, steps, values, colour, part == "train")
