"""A workload beside PyTorch and JAX, at one precision: times, losses, memory."""

from __future__ import annotations

from statistics import median

from backends.cupy.driver import cuda_version

from ...measuring import Setting, measure
from ...table import REFERENCE, ratio
from ..plan import DEVICES
from ..reporting import NotHereError, Report

PEERS = ("pytorch:eager", "pytorch:compile", "pytorch:cuda-graph", "jax_nn:scan")
ROUNDS, BURST, LIMIT = 7, 0.25, 50.0
LOSS = 0.1
"""How far the loss may be from the median of all, as a share of it."""


def run(report: Report, arguments: list[str], quick: bool) -> None:
    where, workload, precision = arguments
    _, *others = DEVICES[where]
    if where == "gpu" and cuda_version() is None:
        raise NotHereError("no NVIDIA driver was found on this machine")
    names = ["ours:fit", *(f"ours:fit@{device}" for device in others), *PEERS]
    setting = Setting(workload, 1, where, precision, quick)
    rounds, burst = (1, 0.01) if quick else (ROUNDS, BURST)
    measured = measure(names, setting, rounds, burst, LIMIT, together=True)
    results = measured["results"]
    losses = [result["loss"] for result in results.values()]
    for name in sorted(results, key=lambda name: median(results[name]["us"])):
        result = results[name]
        memory = "" if result["device_mb"] is None else f", {result['device_mb']:,.0f} MB on the device"
        text = (
            f"{median(result['us']):,.1f} µs a step, PyTorch eager / it {ratio(results, REFERENCE, name)}, "
            f"loss {result['loss']:.4f}{memory}, first steps {result['first_s']:.1f} s"
        )
        report.add(name, text, **result)
    missing = measured["missing"]
    for why in dict.fromkeys(missing.values()):
        report.add(", ".join(name for name in missing if missing[name] == why), f"did not run: {why}")
    if not losses:
        raise NotHereError("no contender runs here")
    middle = median(losses)
    apart = max(abs(loss / middle - 1.0) for loss in losses)
    report.add("all losses agree", f"to {apart:.1%}", passed=apart < LOSS, difference=apart)
