"""The day as one table."""

from __future__ import annotations

from collections.abc import Sequence

from .running import Outcome


def table(outcomes: Sequence[Outcome]) -> str:
    """A line for each part, and under it each measurement and each check that failed."""
    lines = ["| part | | result | s |", "|---|---|---|---|"]
    for outcome in outcomes:
        lines.append(f"| **{outcome.part}** | | {_summary(outcome)} | {outcome.seconds:.0f} |")
        for finding in outcome.findings:
            if finding["passed"] is not True or finding.get("shown"):
                mark = "FAILED: " if finding["passed"] is False else ""
                lines.append(f"| | {_cell(finding['what'])} | {mark}{_cell(finding['result'])} | |")
    return "\n".join(lines)


def _summary(outcome: Outcome) -> str:
    checks = [finding["passed"] for finding in outcome.findings if finding["passed"] is not None]
    passed = f"{sum(checks)} of {len(checks)} passed" if checks else ""
    status = {"ran": "", "missing": "not here"}.get(outcome.status, outcome.status.upper())
    why = outcome.why if outcome.status != "failed" or not checks or all(checks) else ""
    return _cell("; ".join(filter(None, (status, why, passed)))) or "ran"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
