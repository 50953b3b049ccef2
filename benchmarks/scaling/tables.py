"""What was measured, fitted and predicted, as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from .clusters import NVLINK, job, networks, on_a_gpu
from .fitting import Machine, fastest, fitted, spread
from .measuring import EVERY
from .model import ITEM, Cluster, Job

PROCESSES = (8, 64, 1024)
BATCH = 4096
"""A large batch for the largest network."""


def report(rounds: list[Any]) -> str:
    """All tables."""
    measured, spreads = fastest(rounds), spread(rounds)
    machine = fitted(measured)
    jobs = [job(name, computing) for name, computing in machine.computing.items()]
    sections = [
        ("Constants, fitted", constants(machine, measured)),
        ("The exchange of two processes, measured and modelled", exchanges(machine, measured, spreads)),
        ("Steps of two processes, measured and predicted", check(machine, measured, spreads)),
    ]
    gpus = [on_a_gpu(name) for name in EVERY]
    for cluster, its in (
        *((each, jobs) for each in networks(measured["own"]["small"], measured["own"]["large"])),
        (NVLINK, gpus),
    ):
        every = [*its, replace(its[-1], name=f"{its[-1].name}, batch {BATCH:,}", batch=BATCH)]
        for grown, title in ((False, "the batch shared"), (True, "a batch each")):
            sections.append((f"{cluster.name}, {title}", predictions(every, cluster, grown=grown)))
    loads = [its["load"] for its in rounds]
    launch = measured["launch"]
    ends = [
        f"{len(rounds)} rounds, at loads of {min(loads):.1f} to {max(loads):.1f}.",
        f"Launch: {launch['1']:.2f} s for one process, {launch['2']:.2f} s for two.",
    ]
    return "\n\n".join([*(f"### {title}\n\n{text}" for title, text in sections), *ends])


def constants(machine: Machine, measured: dict[str, Any]) -> str:
    """The constants of computing and of exchanging."""
    rows = [
        (
            name,
            _us(its.fixed),
            _us(its.per_sample),
            _us(its.update),
            _errors(its, measured["computing"][name]),
        )
        for name, its in machine.computing.items()
    ]
    header = ("", "fixed µs", "µs a sample", "update µs", "error of the fit")
    shared, messages, own = machine.shared, machine.messages, measured["own"]
    lines = [
        f"Shared memory: {_us(shared.between.latency)} µs a meeting, {1e-9 / shared.own:.1f} GB/s.",
        f"Messages: α {_us(messages.between.latency)} µs, β {_ns(messages.between.per_byte)} ns.",
        f"c: {_ns(own['small'])} ns, for vectors of 32 MiB or more {_ns(own['large'])} ns.",
    ]
    return "\n\n".join([table(header, rows), *lines])


def exchanges(machine: Machine, measured: dict[str, Any], spreads: dict[str, Any]) -> str:
    """The exchange by length."""
    rows = []
    for length in measured["exchange"]["shared"]:
        cells = [f"{int(length):,}"]
        for kind, cluster in (("shared", machine.shared), ("messages", machine.messages)):
            seconds = measured["exchange"][kind][length]
            model = cluster.exchange(ITEM * int(length), 2)
            cells += [
                _us(seconds),
                f"{spreads['exchange'][kind][length]:.1f}",
                _us(model),
                _error(model, seconds),
            ]
        rows.append(cells)
    one = ("measured µs", "median / it", "model µs", "error")
    return table(("numbers", *(f"shared: {its}" for its in one), *(f"messages: {its}" for its in one)), rows)


def check(machine: Machine, measured: dict[str, Any], spreads: dict[str, Any]) -> str:
    """Steps of two processes, predicted and measured."""
    rows = []
    launch = measured["launch"]["2"] - measured["launch"]["1"]
    for name, computing in machine.computing.items():
        its = job(name, computing)
        alone = measured["computing"][name]["steps"][str(its.batch)]
        for cluster, kind in ((machine.shared, "shared"), (machine.messages, "messages")):
            seconds, model = measured["steps"][kind][name], its.step(cluster, 2)
            gain = alone - seconds
            rows.append(
                (
                    name,
                    cluster.name,
                    _us(alone),
                    _us(seconds),
                    f"{spreads['steps'][kind][name]:.1f}",
                    _us(model),
                    _error(model, seconds),
                    f"{alone / seconds:.2f}",
                    f"{launch / gain:,.0f} steps" if gain > 0.0 else "never",
                )
            )
    header = ("", "sums in", "one process µs", "two µs", "median / it", "model µs", "error", "speed-up",
              "repays its launch after")  # fmt: skip
    return table(header, rows)


def predictions(jobs: Iterable[Job], cluster: Cluster, *, grown: bool = False) -> str:
    """Speed-ups, with the share of the processes that counts, and where they end."""
    rows = []
    for its in jobs:
        cells = [its.name]
        for processes in PROCESSES:
            if processes > its.most(grown=grown):
                cells.append("–")
                continue
            speedup = its.speedup(cluster, processes, grown=grown)
            cells.append(f"{_digits(speedup)} ({speedup / processes:.0%})")
        worst = its.inefficient(cluster, grown=grown)
        cells.append("–" if worst is None else f"{worst:,}")
        if not grown:
            best = its.fastest(cluster)
            cells.append(f"{best:,} ({_digits(its.speedup(cluster, best))})")
        rows.append(cells)
    ends = ["below 50 % from"] if grown else ["below 50 % from", "fastest with"]
    return table(("", *(f"{its:,}" for its in PROCESSES), *ends), rows)


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _errors(computing: Any, measured: dict[str, Any]) -> str:
    steps = measured["steps"].items()
    errors = [computing.time(int(samples)) / seconds - 1.0 for samples, seconds in steps]
    return f"{max(errors, key=abs):+.0%}"


def _error(model: float, seconds: float) -> str:
    return f"{model / seconds - 1.0:+.0%}"


def _us(seconds: float) -> str:
    return _digits(1e6 * seconds)


def _ns(seconds: float) -> str:
    return _digits(1e9 * seconds)


def _digits(number: float) -> str:
    return f"{number:,.0f}" if number >= 100.0 else f"{number:.3g}"
