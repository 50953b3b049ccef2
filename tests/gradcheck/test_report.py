"""The report: its lines, its verdict, and the report as data."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest

from backprop import Affine, GradientReport, check_gradients
from backprop.gradcheck import GradientEntry


def test_report_is_data(rng: np.random.Generator) -> None:
    report = check_gradients(*Affine.case(rng))
    data = json.loads(json.dumps(report.to_dict()))
    assert data["passed"] is True
    assert data["entries"][0]["parameter"] == "W"
    assert "Affine.W (4, 3): relative error" in str(report)


ENTRY = GradientEntry(
    layer="Affine1", parameter="W", shape=(2, 3), analytic=0.5, numerical=1 / 3, error=1 / 3, uncertainty=1e-9,
    index=(1, 2), compared=6, kinks=0, wrong=0, unresolved=0, verdict="passed",
)  # fmt: skip


def test_lines_of_a_report() -> None:
    line = (
        "Affine1.W (2, 3): relative error 3.3e-01 at (1, 2), analytic 0.5, numerical 0.3333333333 ± 1.0e-09"
    )
    assert str(ENTRY) == f"{line}: passed"
    full = replace(ENTRY, kinks=3, wrong=2, unresolved=1, reason="not smooth", verdict="FAILED")
    told = "2 of 6 entries wrong, 3 kinks, 1 of 6 entries unresolved: not smooth"
    assert str(full) == f"{line}, {told}: FAILED"
    report = GradientReport("Net", "numpy", "cpu", 1e-7, (ENTRY, full), ("it is odd",), 9, "Affine1")
    assert str(report).splitlines() == [
        str(ENTRY),
        str(full),
        "FAILED: it is odd",
        "first wrong, going backward: Affine1",
    ]
    assert (report.passed, report.failed) == (False, True)


def test_a_narrow_terminal_shows_the_lines_wrapped(monkeypatch: pytest.MonkeyPatch) -> None:
    report = GradientReport("Net", "numpy", "cpu", 1e-7, (ENTRY, ENTRY), (), 9)
    wide = str(report)
    monkeypatch.setenv("COLUMNS", "40")
    assert str(report) == wide  # in a pipe
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    lines = str(report).splitlines()
    assert max(map(len, lines)) <= 40
    assert [line for line in lines if not line.startswith("  ")] == [lines[0]] * 2
    assert str(report).split() == wide.split()


@pytest.mark.parametrize(
    ("verdicts", "problems", "passed", "failed"),
    [
        (["passed", "passed"], (), True, False),
        (["passed", "passed"], ("odd",), False, True),
        (["passed", "FAILED"], (), False, True),
        (["passed", "unresolved"], (), False, False),
        (["passed", "wrong above"], (), False, True),
        ([], (), False, True),
    ],
)
def test_verdict_of_a_report(verdicts: list[str], problems: Any, passed: bool, failed: bool) -> None:
    entries = tuple(replace(ENTRY, verdict=verdict) for verdict in verdicts)
    report = GradientReport("Net", "numpy", "cpu", 1e-7, entries, problems)
    assert (report.passed, report.failed) == (passed, failed)
    data = report.to_dict()
    assert (data["passed"], data["failed"]) == (passed, failed)
    assert [entry["passed"] for entry in data["entries"]] == [verdict == "passed" for verdict in verdicts]


def test_a_report_as_data_has_no_infinities() -> None:
    entry = replace(ENTRY, error=math.inf, numerical=math.nan)
    data = GradientReport("Net", "numpy", "cpu", 1e-7, (entry,), ("odd",), 9, "Affine1").to_dict()
    assert data == {
        "subject": "Net", "backend": "numpy", "device": "cpu", "gate": 1e-7, "problems": ("odd",),
        "evaluations": 9, "culprit": "Affine1", "cut_short": False, "passed": False, "failed": True,
        "entries": [{**asdict(ENTRY), "error": None, "numerical": None, "passed": True}],
    }  # fmt: skip
