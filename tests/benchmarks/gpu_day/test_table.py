from __future__ import annotations

from benchmarks.gpu_day.running import Outcome
from benchmarks.gpu_day.table import table


def test_measurements_and_failed_checks_have_lines_and_passed_ones_are_counted() -> None:
    findings = [
        {"what": "ReLU", "result": "fine", "passed": True},
        {"what": "accuracy", "result": "0.97", "passed": True, "shown": True},
        {"what": "GELU", "result": "a|b", "passed": False},
        {"what": "time", "result": "1 µs", "passed": None},
    ]
    outcomes = [
        Outcome("captured", "failed", "1 of 4: GELU", seconds=2.4, findings=findings),
        Outcome("W1", "skipped", "no time left"),
        Outcome("W2", "missing", "no GPU"),
        Outcome("W3", "ran"),
    ]
    assert table(outcomes).splitlines()[2:] == [
        "| **captured** | | FAILED; 2 of 3 passed | 2 |",
        "| | accuracy | 0.97 | |",
        "| | GELU | FAILED: a\\|b | |",
        "| | time | 1 µs | |",
        "| **W1** | | SKIPPED; no time left | 0 |",
        "| **W2** | | not here; no GPU | 0 |",
        "| **W3** | | ran | 0 |",
    ]
