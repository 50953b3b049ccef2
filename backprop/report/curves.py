"""The curves of runs: loss and accuracy by step."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ..pages import html
from . import figures
from .points import Point, evaluation_points, training_points
from .record import Record

PARTS = ("test", "validation", "train")
"""The parts of the data that have metrics."""


def curves(record: Record) -> str:
    """The curves of one run, with one line for each part of the data."""
    charts = []
    for what in ("loss", "accuracy"):
        lines = [
            line
            for part, colour in zip(PARTS, figures.COLOURS, strict=False)
            for line in _line(part, _points(record, part), what, colour, part == "train")
        ]
        charts.append(_chart(lines, what, what))
    return _section(charts, [record])


def compared_curves(records: Sequence[Record]) -> str:
    """The curves of several runs, with one line for each run."""
    charts = []
    for part in PARTS:
        for what in ("loss", "accuracy"):
            lines = [
                line
                for i, record in enumerate(records)
                for line in _line(record.name, _points(record, part), what, *_line_style(i))
            ]
            charts.append(_chart(lines, what, f"{part} {what}"))
    return _section(charts, records)


def _line_style(i: int) -> tuple[str, bool]:
    """The colour of the i-th run, and whether its line is dashed."""
    return figures.COLOURS[i % len(figures.COLOURS)], i // len(figures.COLOURS) % 2 == 1


def _points(record: Record, part: str) -> list[Point]:
    return training_points(record) if part == "train" else evaluation_points(record, part)


def _line(name: str, points: Iterable[Point], what: str, colour: str, dashed: bool) -> list[figures.Line]:
    """One line, or none without such metrics."""
    known = [(point.at, value) for point in points if (value := getattr(point, what)) is not None]
    at, values = [x for x, _ in known], [y for _, y in known]
    return [figures.Line(name, at, values, colour, dashed)] if known else []


def _chart(lines: Sequence[figures.Line], what: str, title: str) -> str:
    if not (lines and figures.available()):
        return ""
    svg = figures.curves(lines, what, f"{title} by step", allow_log=what == "loss")
    top = figures.limit_without_outliers(lines) if what == "loss" else None
    largest = max(max(line.values) for line in lines)
    cut = "" if top is None else f" (cut off at the top; the largest value is {html.number(largest)})"
    return html.chart(
        svg, f"{title.capitalize()}{cut}", [(line.name, line.colour, line.dashed) for line in lines]
    )


def _section(charts: Sequence[str], records: Sequence[Record]) -> str:
    if not any(charts):
        return ""
    explanation = html.paragraph(" ".join(_explain_points(records)))
    return html.section("Curves", html.grid("charts", charts), explanation)


def _explain_points(records: Sequence[Record]) -> Iterator[str]:
    training = [point for record in records for point in training_points(record)]
    counts = [point.mean_of for point in training if point.at > 0]
    if counts:
        few, many = min(counts), max(counts)
        steps = f"{many:,} steps" if few == many else f"{few:,} to {many:,} steps"
        mean = "one step" if many == 1 else f"the mean of {steps}, at their middle"
        yield f"Each train point is {mean}. A step's loss is its batch's loss before the update."
    if any(point.at == 0 for point in training):
        yield "The train point at step 0 is the first batch, before any update."
    for part in ("validation", "test"):
        if any(m.get(f"{part}_loss") is not None for record in records for m in record.epochs):
            yield f"Each {part} point covers all {part} data at the end of an epoch."
    if any(record.tests for record in records):
        yield "A run with validation data has one test point, for its best network."
