from __future__ import annotations

from benchmarks.table import report

FACTS = {"loss": 0.33, "peak_mb": 100.0, "import_s": 0.1, "first_s": 2.0, "device_mb": None}


def measured(device: str) -> dict[str, object]:
    results = {
        "pytorch:eager": {**FACTS, "us": [100.0, 300.0, 200.0]},
        "ours:fit": {**FACTS, "us": [50.0, 100.0, 100.0], "device_mb": 130.2},
    }
    setting = {"workload": "W1", "threads": 1, "device": device, "precision": "tf32"}
    return {**setting, "missing": {"jax_nn:scan": "no JAX"}, "results": results}


def test_fastest_first_with_ratios_within_rounds() -> None:
    lines = report(measured("cpu")).splitlines()
    assert lines[0] == "W1, 1 thread(s), cpu"
    assert lines[4].startswith("| ours:fit | 100 | 50–100 | – | 2.00 | 0.3300 | 100 | 0.10 | 2.0 |")
    assert lines[5].startswith("| pytorch:eager | 200 | 100–300 | – | 1.00 |")
    assert lines[-1] == "jax_nn:scan did not run: no JAX"


def test_on_a_gpu_also_precision_and_the_devices_memory() -> None:
    lines = report(measured("gpu")).splitlines()
    assert lines[0] == "W1, 1 thread(s), gpu, products in tf32"
    assert lines[2].endswith("| first steps s | device MB |")
    assert lines[4].endswith("| 2.0 | 130 |")
    assert lines[5].endswith("| 2.0 | – |")
