"""The report that `backprop check` prints."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from ..gradcheck import GradientReport
from ..gradcheck.display import COLUMNS
from ..gradcheck.verdicts import FAILED, PASSED, UNRESOLVED, WRONG_ABOVE
from ..networks.network import Network
from ..text import width
from .screen import fold

COLOURS = {PASSED: "green", FAILED: "red", UNRESOLVED: "yellow", WRONG_ABOVE: "yellow"}

VALUES = {"analytic", "numerical"}

DROPPED: tuple[set[str], ...] = (set(), {"shape"}, VALUES, {"shape", *VALUES}, {"shape", "±", *VALUES})
"""The columns to drop on a narrow terminal: the first of these sets that makes the table fit."""


def show_reports(reports: list[GradientReport], where: str, networks: Iterable[Network]) -> None:
    """Print a table that fits into the terminal, the problems in full, and a summary."""
    from rich.console import Console
    from rich.markup import escape
    from rich.measure import Measurement

    console = Console()
    columns = width()
    console.width = columns or 100  # files and pipes have room for any table
    for dropped in DROPPED if columns else DROPPED[:1]:
        table = _table(reports, [name for name in COLUMNS if name not in dropped])
        unlimited = console.options.update(width=1000)
        if Measurement.get(console, unlimited, table).maximum <= console.width:
            break
    table.title = f"Gradients compared to differences in float64: {where}"
    if table.row_count:
        console.print(table)
    remarks = [line for report in reports for line in _remarks(report)]
    for text in [*remarks, *_merged(networks), *_summary(reports)]:
        for line in fold(text, columns) if columns else [text]:
            console.print(escape(line), highlight=False, soft_wrap=True)


def _table(reports: list[GradientReport], columns: list[str]) -> Any:
    from rich import box
    from rich.table import Table

    table = Table(title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False,
                  show_edge=False)  # fmt: skip
    for name in columns:
        if name == "gradient":
            table.add_column(name, overflow="fold")
        else:
            table.add_column(name, justify="right", no_wrap=True)
    for report in reports:
        for entry in report.entries:
            style = {"verdict": f"[{COLOURS[entry.verdict]}]"}
            table.add_row(*(style.get(name, "") + COLUMNS[name](entry) for name in columns))
        table.add_section()
    return table


def _remarks(report: GradientReport) -> Iterator[str]:
    """Describe the problems in full, with what to do about them."""
    for problem in report.problems:
        yield f"FAILED {report.subject}: {problem}"
    for entry in report.entries:
        if entry.verdict == FAILED:
            yield f"FAILED {report.subject}: {entry}"
        if entry.verdict == UNRESOLVED:
            yield f"unresolved {report.subject}: {entry}"
    if report.culprit:
        yield f"{report.subject}: first wrong, going backward: {report.culprit}"


def _merged(networks: Iterable[Network]) -> Iterator[str]:
    """Name the layers of the table that are several merged into one."""
    for network in networks:
        for name, shown in network.layers.shown.items():
            if shown != name:
                yield f"{type(network).__name__}: {name} is {shown}, merged into one layer."


PROMISES = (
    "arguments unchanged, results not shared, shapes, dtypes and devices preserved, same results for the "
    "same input"
)
"""What is checked besides the values of the gradients."""


def _summary(reports: list[GradientReport]) -> list[str]:
    wrong = [report.subject for report in reports if report.failed]
    verdict = [f"FAILED: {', '.join(wrong)}."] if wrong else []
    return [*_summarize_gradients(reports), *_summarize_promises(reports), *verdict]


def _summarize_gradients(reports: list[GradientReport]) -> Iterator[str]:
    """Say what was compared, and how to read the rows."""
    entries = [entry for report in reports for entry in report.entries]
    if not entries:
        yield "No gradient could be compared."
        return
    counts = {v: sum(entry.verdict == v for entry in entries) for v in COLOURS}
    listed = ", ".join(f"{n} {v}" for v, n in counts.items() if n or v in (PASSED, FAILED))
    settled = [entry for entry in entries if entry.verdict != UNRESOLVED]
    worst = f"; largest relative error {max(entry.error for entry in settled):.0e}" if settled else ""
    yield f"{_count(len(entries), 'gradient')}: {listed}{worst}"
    yield (
        "Each row shows the worst entry of an array. It passes with a relative error of at most "
        f"{reports[0].gate:.0e}, or ten times ±, the estimated error of the numerical value."
    )
    if counts[WRONG_ABOVE]:
        yield "Wrong above: the layer is right, but the gradient from above is wrong."
    if counts[UNRESOLVED]:
        yield "Unresolved: the differences cannot tell right from wrong; see above for what would."
    if kinks := sum(entry.kinks for entry in settled):
        yield (
            f"At {_count(kinks, 'entry', 'entries')} the first step crossed a kink (where ReLU or a maximum "
            "switches); smaller steps replaced it."
        )


def _summarize_promises(reports: list[GradientReport]) -> Iterator[str]:
    """Say what other faults were found, and what was not checked."""
    faults = sum(len(report.problems) for report in reports)
    if not faults:
        yield f"No other faults: {PROMISES}."
        return
    yield f"{_count(faults, 'other fault')}: see FAILED above."
    if cut := [report.subject for report in reports if report.cut_short]:
        yield f"Not checked for {', '.join(cut)}, whose fault ended the check: {PROMISES}."


def _count(n: int, one: str, several: str = "") -> str:
    return f"{n} {one if n == 1 else several or one + 's'}"
