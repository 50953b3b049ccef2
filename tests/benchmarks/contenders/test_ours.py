from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

from backends import Backend
from backprop import ReLU
from benchmarks.contenders.ours import Contender
from benchmarks.workloads import WORKLOADS, load_data


def test_bursts_go_on_with_one_training(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is recorded after the first epochs, and no step is called but the last of each epoch."""
    counts = Counter[str]()
    record, forward = type(backend).record, ReLU.forward

    def counting(self: Backend, *arguments: Any, **options: Any) -> Any:
        counts["recorded"] += 1
        return record(self, *arguments, **options)

    def spy(self: ReLU, *arguments: Any, **options: Any) -> Any:
        counts["called"] += 1
        return forward(self, *arguments, **options)

    monkeypatch.setattr(type(backend), "record", counting)
    monkeypatch.setattr(ReLU, "forward", spy)
    contender = Contender(WORKLOADS["W1"].tiny(), load_data(floats=False), "fit", _spec(backend))
    contender.prove(10)
    for _ in range(2):
        contender.run(contender.chunk)
    settled = counts.copy()
    contender.run(5 * contender.chunk)
    assert counts["recorded"] == settled["recorded"]
    if backend.can_record:
        assert counts["recorded"] > 0
        assert counts["called"] - settled["called"] == 5
    assert contender.endless is not None
    assert contender.endless.step == 7 * contender.chunk


def test_the_proof_takes_its_steps_exactly() -> None:
    contender = Contender(WORKLOADS["W1"].tiny(), load_data(floats=False), "fit", "cpu")
    before = {name: np.array(value) for name, value in (contender.weights() or {}).items()}
    contender.prove(3)
    assert contender.optimizer.steps == 3
    assert any(not np.array_equal(value, before[name]) for name, value in (contender.weights() or {}).items())


@pytest.mark.parametrize(("workload", "steps"), [("W1", 600), ("W2", 100), ("W3", 100), ("W4", 600)])
def test_the_steps_of_an_epoch_on_a_cpu(workload: str, steps: int) -> None:
    assert Contender(WORKLOADS[workload], load_data(floats=False), "fit", "cpu").chunk == steps


def _spec(backend: Backend) -> str:
    return {"numpy": "cpu", "cupy": "gpu"}.get(backend.name, backend.name)
