"""The curves of runs: loss and accuracy over the steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from . import figures, html
from .record import Record

PARTS = {"test": "test_", "validation": "validation_", "train": ""}
"""The data that metrics are of, and how the metrics' names begin."""


def curves(record: Record) -> str:
    """The curves of one run, a line each for the data it was trained, validated and tested on."""
    charts = []
    for what in ("loss", "accuracy"):
        lines = [
            line
            for (part, start), colour in zip(PARTS.items(), figures.COLOURS, strict=False)
            for line in _line(part, _points(record, start), start + what, colour, part == "train")
        ]
        charts.append(_chart(lines, what, what))
    return html.section("Curves", html.grid("charts", charts))


def compared_curves(records: Sequence[Record], names: Sequence[str]) -> str:
    """The curves of several runs, a line each."""
    charts = []
    for part, start in PARTS.items():
        for what in ("loss", "accuracy"):
            lines = [
                line
                for i, (record, name) in enumerate(zip(records, names, strict=True))
                for line in _line(name, _points(record, start), start + what, *_look(i))
            ]
            charts.append(_chart(lines, what, f"{part} {what}"))
    return html.section("Curves", html.grid("charts", charts))


def _look(i: int) -> tuple[str, bool]:
    """Colour and dashes of the i-th run."""
    return figures.COLOURS[i % len(figures.COLOURS)], i // len(figures.COLOURS) % 2 == 1


def _points(record: Record, start: str) -> list[dict[str, Any]]:
    """Metrics of the training data are finer where the run has written them."""
    return record.epochs if start or not record.steps else record.steps


def _line(
    name: str, points: Sequence[dict[str, Any]], key: str, colour: str, dashed: bool
) -> list[figures.Line]:
    """A line, or none where there are no such metrics."""
    known = [point for point in points if point.get(key) is not None]
    steps, values = [point["step"] for point in known], [point[key] for point in known]
    return [figures.Line(name, steps, values, colour, dashed)] if known else []


def _chart(lines: Sequence[figures.Line], what: str, title: str) -> str:
    if not (lines and figures.available()):
        return ""
    svg = figures.curves(lines, what, f"{title} over the steps", may_be_log=what == "loss")
    return html.chart(svg, title.capitalize(), [(line.name, line.colour, line.dashed) for line in lines])
