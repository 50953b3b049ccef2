from __future__ import annotations

import json
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import pytest

from benchmarks.gpu_day.plan import Part
from benchmarks.gpu_day.running import Outcome

day = import_module("benchmarks.gpu_day.__main__")
ROOT = Path(__file__).parents[3]
FINDING = {"what": "time", "result": "1 µs", "passed": None}


def stand_in(how: str, proves: bool = False, seconds: float = 60.0) -> Part:
    return Part(how, "tests.benchmarks.gpu_day.stand_ins", (how,), seconds, proves)


def used(monkeypatch: pytest.MonkeyPatch, *parts: Part) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(day, "parts", lambda where: list(parts))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--parts", "W9"], r"unknown part 'W9': expected some of 'machine', 'captured', "),
        (["--parts", ""], r"unknown part '': expected some of"),
        (["--out", "/nowhere/day.json"], r"cannot write /nowhere/day.json: No such file or directory; give"),
    ],
)
def test_bad_input_is_one_line(arguments: list[str], message: str) -> None:
    with pytest.raises(SystemExit, match=message) as error:
        day.main(arguments)
    assert "\n" not in str(error.value.code)


@pytest.mark.parametrize("minutes", ["0", "-1", "11", "nan", "many"])
def test_minutes_out_of_range(minutes: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        day.main(["--minutes", minutes])
    assert f"expected a number above 0, up to 10, got '{minutes}'" in capsys.readouterr().err


def test_the_parts_are_listed_in_their_order(capsys: pytest.CaptureFixture[str]) -> None:
    assert day.main(["--parts", "list"]) == 0
    names = capsys.readouterr().out.splitlines()
    assert names[:3] == ["machine", "captured", "gradients"]
    assert names[-8:] == [f"W{i} {precision}" for precision in ("float32", "tf32") for i in (1, 2, 3, 4)]


def test_a_failure_loses_nothing_else(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    used(monkeypatch, stand_in("crashes", proves=True), stand_in("raises"), stand_in("passes"))
    assert day.main(["--out", str(tmp_path / "day.json")]) == 1
    parts = json.loads((tmp_path / "day.json").read_text("utf-8"))["parts"]
    assert [part["status"] for part in parts] == ["crashed", "failed", "ran"]
    assert [len(part["findings"]) for part in parts] == [1, 1, 2]
    printed = capsys.readouterr().out
    assert "| **crashes** | | CRASHED; ended by signal 11; 1 of 1 passed |" in printed
    assert "| **raises** | | FAILED; ValueError: no such; 1 of 1 passed |" in printed
    assert "| | time | 1.0 µs | |" in printed


def test_chosen_parts_run_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    used(monkeypatch, stand_in("crashes", proves=True), stand_in("passes"))
    assert day.main(["--out", str(tmp_path / "day.json"), "--parts", "passes"]) == 0


def test_the_file_is_written_after_every_part(monkeypatch: pytest.MonkeyPatch) -> None:
    used(monkeypatch)
    written: list[list[str]] = []

    def after(done: Sequence[Outcome]) -> None:
        written.append([outcome.part for outcome in done])

    day.run_day([stand_in("passes"), stand_in("is_missing")], 10.0, True, after)
    assert written == [["passes"], ["passes", "is_missing"]]


def test_parts_without_time_are_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 0.0, 100.0, 119.0])
    limits = []

    def run_part(part: Part, limit: float, quick: bool) -> Outcome:
        limits.append(limit)
        return Outcome(part.name, "ran")

    monkeypatch.setattr(day, "time", type("Clock", (), {"monotonic": lambda: next(clock)}))
    monkeypatch.setattr(day, "run_part", run_part)
    parts = [stand_in("a"), stand_in("b", seconds=300.0), stand_in("c")]
    outcomes = day.run_day(parts, 2.0, False, lambda done: None)
    assert limits == [pytest.approx(0.2 * 60.0), pytest.approx(20.0)]  # a fifth of a day; and what is left
    assert [outcome.status for outcome in outcomes] == ["ran", "ran", "skipped"]
    assert outcomes[2].why == "no time left of 2 minutes"


@pytest.mark.parametrize(
    ("outcomes", "status"),
    [
        ([], 2),
        ([Outcome("machine", "ran", findings=[FINDING])], 2),
        ([Outcome("captured", "missing", "no GPU", proves=True)], 2),
        ([Outcome("W1", "missing", findings=[FINDING])], 2),
        ([Outcome("W1", "ran", findings=[FINDING])], 0),
        ([Outcome("W1", "timed out", findings=[FINDING])], 0),
        ([Outcome("W1", "ran", findings=[FINDING]), Outcome("captured", "failed", proves=True)], 1),
        ([Outcome("captured", "timed out", proves=True)], 1),
        ([Outcome("captured", "skipped", proves=True)], 2),
    ],
)
def test_exit_status(outcomes: list[Outcome], status: int) -> None:
    assert day.exit_status(outcomes) == status
