"""What the report of a gradient check shows in a notebook, and how it writes an entry's numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from ..pages import html
from ..pages.fragment import fragment
from .verdicts import FAILED, PASSED, UNRESOLVED, WRONG_ABOVE

if TYPE_CHECKING:
    from .report import GradientEntry, GradientReport

COLUMNS: dict[str, Callable[[GradientEntry], str]] = {
    "gradient": lambda entry: f"{entry.layer}.{entry.parameter}",
    "shape": lambda entry: "×".join(map(str, entry.shape)) or "()",
    "analytic": lambda entry: f"{entry.analytic:.4e}",
    "numerical": lambda entry: f"{entry.numerical:.4e}",
    "error": lambda entry: f"{entry.error:.0e}",
    "±": lambda entry: f"{entry.uncertainty:.0e}",
    "verdict": lambda entry: entry.verdict,
}
"""The columns of the table, and what they show of an entry."""

KINDS = {PASSED: "good", FAILED: "bad", UNRESOLVED: "doubt", WRONG_ABOVE: "doubt"}

ORDER = (FAILED, UNRESOLVED, WRONG_ABOVE, PASSED)

MOST = 12
"""More passed gradients are shown on request."""


def report_html(report: GradientReport) -> str:
    """The verdict, the problems, and the table, in which the worst verdicts come first."""
    entries = sorted(report.entries, key=lambda entry: ORDER.index(entry.verdict))
    others = [entry for entry in entries if entry.verdict != PASSED]
    passed = entries[len(others) :]
    return fragment(
        f"<p>{_verdict(report)} {html.escaped(_lead(report))}</p>\n",
        html.items(_remarks(report)) if report.problems or report.culprit else "",
        _table(others if len(passed) > MOST else entries),
        html.details(f"{len(passed)} passed", _table(passed)) if len(passed) > MOST else "",
    )


def _verdict(report: GradientReport) -> str:
    return _badge(FAILED if report.failed else PASSED if report.passed else UNRESOLVED)


def _badge(verdict: str) -> html.Markup:
    return html.Markup(f'<span class="{KINDS[verdict]}">{html.escaped(verdict)}</span>')


def _lead(report: GradientReport) -> str:
    entries = report.entries
    listed = [(verdict, sum(entry.verdict == verdict for entry in entries)) for verdict in ORDER]
    found = ", ".join(f"{n} {verdict}" for verdict, n in listed if n) or "none could be compared"
    where = f"{report.backend} on {report.device}"
    return f"{report.subject}, gradients compared to differences in float64, {where}: {found}"


def _remarks(report: GradientReport) -> Iterator[str]:
    yield from report.problems
    if report.culprit:
        yield f"first wrong, going backward: {report.culprit}"


def _table(entries: list[GradientEntry]) -> str:
    if not entries:
        return ""
    first, *others, verdict = COLUMNS  # the verdict is to be seen on a narrow screen, too
    rows = [
        [COLUMNS[first](entry), _badge(entry.verdict), *(COLUMNS[name](entry) for name in others)]
        for entry in entries
    ]
    return html.table([first, verdict, *others], rows)
