"""Interleaved bursts: in every round, each contender runs for a moment, in a new order.

The speed of shared machines drifts; ratios within a round do not. Each contender is a separate process
with a fixed thread count, starts from the same weights, and reports its loss after the same number of
steps, so that none wins by computing something else.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import statistics
import subprocess
import sys
from dataclasses import dataclass, field
from importlib import metadata

from .workloads import WORKLOADS

CPU = ("floor:numpy", "handwritten:numpy", "ours:fit", "ours:called", "ours:layers", "pytorch:eager",
       "pytorch:fused", "pytorch:compile", "pytorch:channels-last", "jax_nn:jit", "jax_nn:scan",
       "sklearn_mlp:partial_fit", "book:as-published")  # fmt: skip
GPU = ("ours:fit", "ours:called", "ours:layers", "pytorch:eager", "pytorch:fused", "pytorch:compile",
       "pytorch:channels-last", "pytorch:cuda-graph", "jax_nn:jit", "jax_nn:scan")  # fmt: skip
REFERENCE = "pytorch:eager"


@dataclass
class Worker:
    """A contender's process."""

    name: str
    process: subprocess.Popen[str]
    facts: dict[str, float | None] = field(default_factory=dict)
    steps: int = 1
    times: list[float] = field(default_factory=list)

    def ask(self, command: str) -> dict[str, float]:
        """Send a command, if any, and wait for the answer."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        if command:
            print(command, file=self.process.stdin, flush=True)
        answer: dict[str, float] = json.loads(
            self.process.stdout.readline() or '{"error": "the process ended"}'
        )
        return answer


def start(name: str, workload: str, threads: int, device: str) -> Worker:
    """A process for the contender `module:variant`."""
    module, variant = name.split(":")
    environment = dict(os.environ)
    for library in ("OMP", "OPENBLAS", "MKL"):
        environment[f"{library}_NUM_THREADS"] = str(threads)
    if device == "cpu":
        environment["JAX_PLATFORMS"] = "cpu"
        if threads == 1:
            environment["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    command = [sys.executable, "-m", "benchmarks.worker", module, variant, workload, device]
    if device == "cpu":
        environment["BENCHMARK_CORES"] = str(threads)
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment,
    )
    return Worker(name, process)


def measure(
    names: list[str], workload: str, threads: int, device: str, rounds: int, burst: float
) -> dict[str, object]:
    """Time the contenders in interleaved bursts of `burst` seconds."""
    workers, missing = [], {}
    for name in names:
        worker = start(name, workload, threads, device)
        facts = worker.ask("")
        if "error" in facts:
            missing[name] = facts["error"]
            continue
        worker.facts = dict(facts)
        quick = worker.ask("run 20")["us"]
        chunk = round(facts["chunk"])  # a burst is a multiple of the chunk
        worker.steps = max(5, round(burst * 1e6 / quick))
        worker.steps = max(chunk, worker.steps // chunk * chunk)
        workers.append(worker)
        worker.ask(f"run {worker.steps}")
    order = list(workers)
    for _ in range(rounds):
        random.shuffle(order)
        for worker in order:
            worker.times.append(worker.ask(f"run {worker.steps}")["us"])
    for worker in workers:
        worker.process.communicate("end\n")
    return {"workload": workload, "threads": threads, "device": device, "missing": missing,
            "results": {w.name: {"us": w.times, **w.facts} for w in workers}}  # fmt: skip


def report(measured: dict[str, object]) -> str:
    """The measurement as a table, fastest first."""
    results: dict[str, dict[str, list[float]]] = measured["results"]  # type: ignore[assignment]

    def ratio(base: str, name: str) -> str:
        if base not in results:
            return "–"
        pairs = zip(results[base]["us"], results[name]["us"], strict=True)
        return f"{statistics.median(b / u for b, u in pairs):.2f}"

    lines = [
        f"{measured['workload']}, {measured['threads']} thread(s), {measured['device']}",
        "",
        "| contender | µs/step | p10–p90 | floor / it | PyTorch eager / it | loss | peak MB | import s |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name in sorted(results, key=lambda name: statistics.median(results[name]["us"])):
        result = results[name]
        times = sorted(result["us"])
        loss = "–" if result["loss"] is None else f"{result['loss']:.4f}"
        low, high = times[len(times) // 10], times[-1 - len(times) // 10]
        lines.append(
            f"| {name} | {statistics.median(times):,.0f} | {low:,.0f}–{high:,.0f} "
            f"| {ratio('floor:numpy', name)} | {ratio(REFERENCE, name)} | {loss} "
            f"| {result['peak_mb']:.0f} | {result['import_s']:.2f} |"
        )
    missing: dict[str, str] = measured["missing"]  # type: ignore[assignment]
    return "\n".join([*lines, *(f"\n{name} did not run: {why}" for name, why in missing.items())])


def machine() -> str:
    """The processor and the versions, in one line."""
    found = []
    for package in ("numpy", "torch", "jax", "scikit-learn", "cupy-cuda13x", "cupy-cuda12x"):
        try:
            found.append(f"{package} {metadata.version(package)}")
        except metadata.PackageNotFoundError:
            continue
    versions = ", ".join([f"Python {platform.python_version()}", *found])
    return f"{platform.machine()}, {os.cpu_count()} cores, {versions}"


def main() -> None:
    """Run the benchmarks selected by the options."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--workload", default="W1,W2", help="W1 to W4, comma-separated (%(default)s)")
    parser.add_argument("--threads", default="1", help="thread counts, comma-separated (%(default)s)")
    parser.add_argument("--device", default="cpu", choices=["cpu", "gpu"])
    parser.add_argument("--only", help="contenders, comma-separated, as module:variant")
    parser.add_argument("--rounds", type=int, default=20, help="(default: %(default)s)")
    parser.add_argument("--burst", type=float, default=0.3, help="seconds per burst (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="all times, as JSON")
    options = parser.parse_args()
    names = list(CPU if options.device == "cpu" else GPU)
    if options.only:
        names = chosen("contender", options.only, list(dict.fromkeys([*CPU, *GPU])))
    workloads = chosen("workload", options.workload, list(WORKLOADS))
    if not options.json:
        print(machine())
    for workload in workloads:
        for threads in map(int, options.threads.split(",")):
            measured = measure(names, workload, threads, options.device, options.rounds, options.burst)
            print(json.dumps(measured) if options.json else f"\n{report(measured)}", flush=True)


def chosen(what: str, names: str, known: list[str]) -> list[str]:
    """The names between the commas; exits with an error if one is unknown."""
    for name in names.split(","):
        if name not in known:
            sys.exit(f"unknown {what} {name!r}: expected some of {', '.join(known)}")
    return names.split(",")


main()
