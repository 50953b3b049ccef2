from __future__ import annotations

import json
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from benchmarks.scaling.clusters import job, on_a_gpu, operations
from benchmarks.scaling.fitting import fastest, fitted, spread
from benchmarks.scaling.measuring import EVERY, LENGTHS, parameters
from benchmarks.scaling.model import LARGE, Cluster, Computing, Job, Link
from benchmarks.scaling.tables import predictions

main = import_module("benchmarks.scaling.__main__")


def a_round(factor: float = 1.0) -> dict[str, Any]:
    """What a machine measures that follows the model."""

    def own(length: int) -> float:
        return 5e-10 if 4 * length >= LARGE else 3e-10

    steps = {
        name: {str(w.batch // part): factor * (1e-4 + 1e-5 * (w.batch // part)) for part in (1, 2, 4, 8)}
        for name, w in EVERY.items()
    }
    exchange = {
        "shared": {str(n): factor * (2 * 3e-6 + 4 * n * 1e-10) for n in LENGTHS},
        "messages": {str(n): factor * (2 * 5e-6 + 4 * n * (2e-10 + own(n))) for n in LENGTHS},
    }
    return {
        "load": 0.1,
        "launch": {"1": 0.2, "2": 0.3},
        "own": {"small": factor * 3e-10, "large": factor * 5e-10},
        "computing": {name: {"steps": its, "update": factor * 4e-5} for name, its in steps.items()},
        "exchange": exchange,
        "steps": {kind: dict.fromkeys(EVERY, factor * 1e-3) for kind in exchange},
    }


def test_the_constants_of_a_machine_that_follows_the_model() -> None:
    machine = fitted(a_round())
    for its in machine.computing.values():
        assert (its.fixed, its.per_sample, its.update) == pytest.approx((6e-5, 1e-5, 4e-5))
    shared, messages = machine.shared, machine.messages
    assert (shared.between.latency, shared.own) == pytest.approx((3e-6, 1e-10))
    assert (messages.between.latency, messages.between.per_byte) == pytest.approx((5e-6, 2e-10))
    for n in LENGTHS:
        assert shared.exchange(4 * n, 2) == pytest.approx(a_round()["exchange"]["shared"][str(n)])
        assert messages.exchange(4 * n, 2) == pytest.approx(a_round()["exchange"]["messages"][str(n)])


def test_the_fastest_round_counts() -> None:
    rounds = [a_round(3.0), a_round(1.0), a_round(2.0)]
    assert fastest(rounds) == a_round()
    assert spread(rounds)["steps"]["shared"]["W1"] == pytest.approx(2.0)


def test_networks_as_they_are() -> None:
    computing = Computing(0.0, 0.0, 0.0)
    counted = {name: parameters(workload) for name, workload in EVERY.items()}
    assert (counted["W1"], counted["W2"]) == (39_760, 1_863_690)
    assert counted["100M"] == 785 * 5640 + 3 * 5641 * 5640 + 5641 * 10
    assert job("W1", computing).length == 39_763
    assert job("W4", computing).small == (100, 100, 200) * 5
    assert job("W3", computing).small == ()
    assert operations(EVERY["W1"]) == 6 * 39_700
    assert operations(EVERY["W3"]) == 6 * (4320 * 100 + 1000) + 4 * 30 * 25 * 576


def test_a_gpu_takes_what_was_measured_for_a_batch() -> None:
    its = on_a_gpu("W2")
    assert its.computing.time(its.batch) == pytest.approx(183e-6)


def test_rounds_are_added_to_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "scaling.json"
    monkeypatch.setattr(main, "measured", lambda names: a_round())
    for count in ("2", "1", "0"):
        monkeypatch.setattr(sys, "argv", ["scaling", str(path), "--rounds", count])
        main.main()
    assert json.loads(path.read_text("utf-8")) == [a_round()] * 3
    printed = capsys.readouterr().out
    assert "| W1 | 60 | 10 | 40 | +0% |" in printed
    assert printed.count("### NVLink, the batch shared") == 3


def test_predictions_by_hand() -> None:
    free = Cluster("free", Link(0.0, 0.0), own=0.0)
    shrinks = Job("shrinks", Computing(0.0, 1.0, 0.0), batch=64, length=1)
    fixed = Job("fixed", Computing(100.0, 0.0, 0.0), batch=8, length=1)
    assert predictions([shrinks, fixed], free).splitlines()[2:] == [
        "| shrinks | 8 (100%) | 64 (100%) | – | – | 64 (64) |",
        "| fixed | 1 (12%) | – | – | 3 | 1 (1) |",
    ]
    assert predictions([shrinks, fixed], free, grown=True).splitlines()[2:] == [
        "| shrinks | 8 (100%) | 64 (100%) | 1,024 (100%) | – |",
        "| fixed | 8 (100%) | 64 (100%) | 1,024 (100%) | – |",
    ]
