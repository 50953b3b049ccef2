"""The curves of runs: loss and accuracy over the steps."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from . import figures, html
from .points import Point, evaluated, trained
from .record import Record

PARTS = ("test", "validation", "train")
"""The data that metrics are of."""


def curves(record: Record) -> str:
    """The curves of one run, a line each for the data it was trained, validated and tested on."""
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
    """The curves of several runs, a line each."""
    charts = []
    for part in PARTS:
        for what in ("loss", "accuracy"):
            lines = [
                line
                for i, record in enumerate(records)
                for line in _line(record.name, _points(record, part), what, *_look(i))
            ]
            charts.append(_chart(lines, what, f"{part} {what}"))
    return _section(charts, records)


def _look(i: int) -> tuple[str, bool]:
    """Colour and dashes of the i-th run."""
    return figures.COLOURS[i % len(figures.COLOURS)], i // len(figures.COLOURS) % 2 == 1


def _points(record: Record, part: str) -> list[Point]:
    return trained(record) if part == "train" else evaluated(record, part)


def _line(name: str, points: Iterable[Point], what: str, colour: str, dashed: bool) -> list[figures.Line]:
    """A line, or none where there are no such metrics."""
    known = [(point.at, value) for point in points if (value := getattr(point, what)) is not None]
    at, values = [x for x, _ in known], [y for _, y in known]
    return [figures.Line(name, at, values, colour, dashed)] if known else []


def _chart(lines: Sequence[figures.Line], what: str, title: str) -> str:
    if not (lines and figures.available()):
        return ""
    svg = figures.curves(lines, what, f"{title} over the steps", may_be_log=what == "loss")
    top = figures.top_of(lines) if what == "loss" else None
    largest = max(max(line.values) for line in lines)
    cut = "" if top is None else f" (cut off above; the largest is {html.number(largest)})"
    return html.chart(
        svg, f"{title.capitalize()}{cut}", [(line.name, line.colour, line.dashed) for line in lines]
    )


def _section(charts: Sequence[str], records: Sequence[Record]) -> str:
    if not any(charts):
        return ""
    return html.section("Curves", html.grid("charts", charts), html.paragraph(" ".join(_said(records))))


def _said(records: Sequence[Record]) -> Iterator[str]:
    """What the points are."""
    training = [point for record in records for point in trained(record)]
    counts = [point.mean_of for point in training if point.at > 0]
    if counts:
        few, many = min(counts), max(counts)
        steps = f"{many:,} steps" if few == many else f"{few:,} to {many:,} steps"
        mean = "one step" if many == 1 else f"the mean over {steps} and stands in their middle"
        yield f"Each train point is {mean}; the loss of a step is that of its batch, before the update."
    if any(point.at == 0 for point in training):
        yield "The train point at step 0 is the first batch alone, before anything was learnt."
    for part in ("validation", "test"):
        if any(m.get(f"{part}_loss") is not None for record in records for m in record.epochs):
            yield f"Each {part} point is all {part} data, at the end of an epoch."
    if any(record.tests for record in records):
        yield "A run with validation data has one test point, that of its best network."
