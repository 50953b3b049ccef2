from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from benchmarks.measuring import DidNotRunError, Setting, Worker, measure

TINY = Setting("W1", 1, "cpu", "float32", tiny=True)
ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _from_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


@pytest.mark.parametrize("together", [False, True])
def test_contenders_that_run_and_one_that_cannot(together: bool) -> None:
    names = ["handwritten:numpy", "ours:fit", "ours:fit@nowhere"]
    measured = measure(names, TINY, rounds=2, burst=0.001, together=together)
    assert measured["missing"].keys() == {"ours:fit@nowhere"}
    assert measured["missing"]["ours:fit@nowhere"].startswith("UnknownDeviceError: unknown device 'nowhere'")
    ours, handwritten = (measured["results"][name] for name in ("ours:fit", "handwritten:numpy"))
    assert len(ours["us"]) == len(handwritten["us"]) == 2
    assert ours["loss"] == pytest.approx(handwritten["loss"], rel=1e-3)
    assert (ours["chunk"], ours["device_mb"]) == (10, None)
    assert all(ours[name] > 0.0 for name in ("import_s", "first_s", "peak_mb"))


def test_a_contender_may_take_so_long() -> None:
    worker = Worker("floor:numpy", TINY)
    with pytest.raises(DidNotRunError, match="no answer in 0 s"):
        worker.ask("", 0.01)
    assert worker.process.poll() is not None
    worker.close()


def test_a_contender_that_ends_is_left_out_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    choose = Worker.choose_steps

    def ends(self: Worker, burst: float, limit: float) -> None:
        choose(self, burst, limit)
        if self.name == "floor:numpy":
            self.process.kill()
            self.process.wait()

    monkeypatch.setattr(Worker, "choose_steps", ends)
    measured = measure(["floor:numpy", "handwritten:numpy"], TINY, rounds=2, burst=0.001)
    assert measured["missing"] == {"floor:numpy": "it ended with status -9"}
    assert len(measured["results"]["handwritten:numpy"]["us"]) == 2


def test_variables_of_a_process() -> None:
    cpu = TINY.variables()
    assert (cpu["OMP_NUM_THREADS"], cpu["JAX_PLATFORMS"], cpu["BENCHMARK_TINY"]) == ("1", "cpu", "1")
    assert "BENCHMARK_PRECISION" not in cpu
    gpu = dataclasses.replace(TINY, device="gpu", precision="tf32", tiny=False).variables()
    assert (gpu["CUPY_TF32"], gpu["XLA_PYTHON_CLIENT_PREALLOCATE"]) == ("1", "false")
    assert "BENCHMARK_TINY" not in gpu
