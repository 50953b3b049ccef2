from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

import pytest

benchmarks = import_module("benchmarks.__main__")


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", ["benchmarks", *arguments])
    benchmarks.main()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--only", "pytorch:eager@jax"], "'pytorch:eager@jax': only ours runs on a library of choice, as"),
        (["--only", "ours:fit,ours:slow"], "unknown contender 'ours:slow': expected some of floor:numpy"),
        (["--workload", "W9"], "unknown workload 'W9': expected some of W1, W2, W3, W4"),
        (["--threads", "1,x"], "--threads: expected a whole number from 1, got 'x'"),
        (["--precision", "tf32"], "--precision tf32 is for GPUs: give --device gpu or jax:gpu, or leave"),
    ],
)
def test_bad_input_is_one_line(arguments: list[str], message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit, match=message) as error:
        run(monkeypatch, *arguments)
    assert "\n" not in str(error.value.code)


@pytest.mark.parametrize(
    ("device", "place", "first"),
    [("cpu", "cpu", "floor:numpy"), ("gpu", "gpu", "ours:fit"), ("jax", "cpu", "ours:fit@jax"),
     ("jax:gpu", "gpu", "ours:fit@jax:gpu")],
)  # fmt: skip
def test_device_chooses_place_and_contenders(
    device: str, place: str, first: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def measure(names: list[str], setting: Any, *more: Any) -> dict[str, Any]:
        asked.append((names[0], setting.device, setting.workload))
        return {
            "workload": "W1",
            "threads": 1,
            "device": place,
            "precision": "float32",
            "missing": {},
            "results": {},
        }

    monkeypatch.setattr(benchmarks, "measure", measure)
    run(monkeypatch, "--device", device, "--workload", "W1,W4")
    assert asked == [(first, place, "W1"), (first, place, "W4")]
