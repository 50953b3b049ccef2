"""The results of a gradient check."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import Any

from ..text import fold, width
from .verdicts import FAILED, PASSED, UNRESOLVED, WRONG_ABOVE


@dataclass(frozen=True)
class GradientEntry:
    """A line of the report: the gradient for one parameter or input, at its worst entry."""

    layer: str
    parameter: str
    shape: tuple[int, ...]
    analytic: float
    numerical: float
    error: float
    """|analytic − numerical| / max(|analytic|, |numerical|, a hundredth of the array's largest)."""
    uncertainty: float
    """The estimated error of the numerical value, on the same scale."""
    index: tuple[int, ...]
    """The index of the worst entry."""
    compared: int
    """How many entries were compared."""
    kinks: int
    """For how many of them a kink lay within the first step."""
    wrong: int
    """For how many of them the gradient is wrong."""
    unresolved: int
    """For how many of them differences could not tell right from wrong."""
    verdict: str
    """`"passed"`, `"FAILED"`, `"unresolved"`, or in a network `"wrong above"`: wrong, but only since
    a layer nearer to the loss is."""
    reason: str = ""
    """Why an entry is unresolved, and what would resolve it."""

    @property
    def passed(self) -> bool:
        return self.verdict == PASSED

    def __str__(self) -> str:
        details = [
            f"relative error {self.error:.1e} at {self.index}",
            f"analytic {self.analytic:.10g}",
            f"numerical {self.numerical:.10g} ± {self.uncertainty:.1e}",
        ]
        if self.wrong:
            details.append(f"{self.wrong} of {self.compared} entries wrong")
        if self.kinks:
            details.append(f"{self.kinks} kink{'s' * (self.kinks > 1)}")
        if self.unresolved:
            details.append(f"{self.unresolved} of {self.compared} entries unresolved: {self.reason}")
        return f"{self.layer}.{self.parameter} {self.shape}: {', '.join(details)}: {self.verdict}"


@dataclass(frozen=True)
class GradientReport:
    """The results of `check_gradients`."""

    subject: str
    backend: str
    device: str
    gate: float
    entries: tuple[GradientEntry, ...]
    problems: tuple[str, ...]
    """Broken promises, apart from the gradient's value."""
    evaluations: int = 0
    """How many times the function, or the part of it that an entry affects, was evaluated."""
    culprit: str | None = None
    """In a network, the first layer, going backward, whose own gradient is wrong."""
    cut_short: bool = False
    """Whether a gradient was missing or misshapen; the other promises were then not checked."""

    @property
    def passed(self) -> bool:
        """Whether every gradient was compared and agrees, and every promise was kept."""
        return bool(self.entries) and not self.problems and all(entry.passed for entry in self.entries)

    @property
    def failed(self) -> bool:
        """Whether something is wrong; a report that is neither passed nor failed has unresolved entries."""
        wrong = any(entry.verdict not in (PASSED, UNRESOLVED) for entry in self.entries)
        return wrong or bool(self.problems) or not self.entries

    def to_dict(self) -> dict[str, Any]:
        """The report as plain data for JSON, with None for NaN and infinity."""
        entries = [
            {**{key: _finite(value) for key, value in asdict(entry).items()}, "passed": entry.passed}
            for entry in self.entries
        ]
        return {**asdict(self), "entries": entries, "passed": self.passed, "failed": self.failed}

    def _repr_html_(self) -> str:
        """The table with its verdicts, for a notebook: what failed comes first."""
        from .display import report_html

        return report_html(self)

    def __str__(self) -> str:
        lines = [*map(str, self.entries), *(f"FAILED: {problem}" for problem in self.problems)]
        if self.culprit:
            lines.append(f"first wrong, going backward: {self.culprit}")
        columns = width()
        return "\n".join(part for line in lines for part in (fold(line, columns) if columns else [line]))


def raised(error: Exception) -> str:
    """What to report of an error in user code, with the notes on where it was."""
    notes = f" ({', '.join(error.__notes__)})" if getattr(error, "__notes__", None) else ""
    return f"raised {type(error).__name__}: {error}{notes}"


def excused(entry: GradientEntry) -> GradientEntry:
    """A failed entry, marked as wrong only because of a layer above."""
    return replace(entry, verdict=WRONG_ABOVE) if entry.verdict == FAILED else entry


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
