from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from benchmarks.gpu_day.plan import Part
from benchmarks.gpu_day.running import Outcome, run_part

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def _from_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def ran(*arguments: str, limit: float = 60.0, quick: bool = False, proves: bool = True) -> Outcome:
    return run_part(Part("it", "tests.benchmarks.gpu_day.stand_ins", arguments, limit, proves), limit, quick)


def names(outcome: Outcome) -> list[str]:
    return [finding["what"] for finding in outcome.findings]


@pytest.mark.parametrize("quick", [False, True])
def test_a_part_that_passes(quick: bool) -> None:
    outcome = ran("passes", quick=quick)
    assert (outcome.status, outcome.why, outcome.is_wrong, outcome.output) == ("ran", "", False, [])
    assert names(outcome) == ["before", "time"]
    assert outcome.findings[0]["result"] == f"quick {quick}"
    assert outcome.findings[0]["arguments"] == ["passes"]


def test_a_check_that_fails() -> None:
    outcome = ran("is_wrong")
    assert (outcome.status, outcome.why, outcome.is_wrong) == ("failed", "1 of 2: ReLU", True)


def test_an_error_with_what_was_printed() -> None:
    outcome = ran("raises")
    assert (outcome.status, outcome.why) == ("failed", "ValueError: no such")
    assert "what it printed" in outcome.output
    assert names(outcome) == ["before"]


def test_what_is_missing_is_not_wrong() -> None:
    outcome = ran("is_missing")
    assert (outcome.status, outcome.why, outcome.is_wrong) == ("missing", "no GPU", False)


def test_a_part_that_hangs_ends_with_its_children_and_keeps_its_findings(tmp_path: Path) -> None:
    file = tmp_path / "pid"
    outcome = ran("hangs_with_a_child", str(file), limit=8.0)
    assert (outcome.status, outcome.why) == ("timed out", "not finished after 8 s")
    assert outcome.is_wrong
    assert names(outcome) == ["before"]
    assert gone(int(file.read_text()))


def gone(pid: int) -> bool:
    """Whether a process ends within some seconds; one that nobody waits for may stay as a zombie."""
    for _ in range(100):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        status = Path(f"/proc/{pid}/status")
        if status.exists() and "State:\tZ" in status.read_text():
            return True
        time.sleep(0.1)
    return False


@pytest.mark.parametrize(
    ("how", "why"), [("crashes", "ended by signal 11"), ("exits", "ended with status 0 too early")]
)
def test_a_part_that_crashes(how: str, why: str) -> None:
    outcome = ran(how)
    assert (outcome.status, outcome.why, outcome.is_wrong) == ("crashed", why, True)
    assert names(outcome) == ["before"]


def test_garbage_is_not_a_finding() -> None:
    outcome = ran("prints_garbage", proves=False)
    assert (outcome.status, outcome.is_wrong) == ("crashed", False)
    assert names(outcome) == ["before"]
    assert any("garbage" in line for line in outcome.output)


def test_a_module_that_does_not_exist() -> None:
    outcome = run_part(Part("it", "benchmarks.gpu_day.parts.nothing", (), 60.0), 60.0, False)
    assert outcome.status == "failed"
    assert "benchmarks.gpu_day.parts.nothing" in outcome.why
