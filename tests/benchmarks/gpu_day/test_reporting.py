from __future__ import annotations

import math
from pathlib import Path

from benchmarks.gpu_day.reporting import Report, read


def test_findings_and_the_end(tmp_path: Path) -> None:
    report = Report(tmp_path / "it", 60.0)
    report.add("time", "1 µs", seconds=1e-6, worst=math.nan)
    assert read(tmp_path / "it") == (
        [{"what": "time", "result": "1 µs", "passed": None, "seconds": 1e-6, "worst": None}],
        {},
    )
    report.end("missing", "no GPU")
    assert read(tmp_path / "it")[1] == {"status": "missing", "why": "no GPU"}


def test_a_file_that_was_never_written(tmp_path: Path) -> None:
    assert read(tmp_path / "nothing") == ([], {})


def test_cases_without_time_are_counted(tmp_path: Path) -> None:
    report = Report(tmp_path / "it", 60.0)
    assert list(report.in_time(iter("abc"))) == ["a", "b", "c"]
    late = Report(tmp_path / "late", -1.0)
    assert list(late.in_time("abc")) == []
    assert [f["what"] for f in read(tmp_path / "it")[0] + read(tmp_path / "late")[0]] == ["3 more"]
    report.end()
    late.end()
