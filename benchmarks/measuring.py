"""Contenders as processes, and interleaved bursts: in every round, each runs for a moment, in a new order."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import threading
import time
from dataclasses import asdict, dataclass
from typing import Any

from .precision import environment
from .workloads import TINY


@dataclass(frozen=True)
class Setting:
    """What all contenders of a table share."""

    workload: str
    threads: int
    device: str
    """`"cpu"` or `"gpu"`; a contender of ours may name another, as `ours:fit@jax`."""
    precision: str
    """Of products, on a GPU: `"float32"` or `"tf32"`."""
    tiny: bool = False
    """Whether a few steps are enough, to try the program."""

    def variables(self) -> dict[str, str]:
        """The environment of a contender's process."""
        variables = dict(os.environ) | ({TINY: "1"} if self.tiny else {})
        for library in ("OMP", "OPENBLAS", "MKL"):
            variables[f"{library}_NUM_THREADS"] = str(self.threads)
        if self.device != "cpu":
            # JAX would take three quarters of the memory, which the contenders share.
            return environment(self.precision, variables) | {"XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
        variables |= {"JAX_PLATFORMS": "cpu", "BENCHMARK_CORES": str(self.threads)}
        if self.threads == 1:
            variables["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
        return variables


class DidNotRunError(Exception):
    """A contender cannot run, or ended, or took too long."""


class Worker:
    """A contender's process, `module:variant` or `module:variant@device`."""

    def __init__(self, name: str, setting: Setting) -> None:
        self.name, self.times = name, list[float]()
        self.facts: dict[str, Any] = {}
        self.steps = 1
        contender, _, device = name.partition("@")
        arguments = (*contender.split(":"), setting.workload, device or setting.device)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.worker", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=setting.variables(),
        )

    def ask(self, command: str, limit: float) -> dict[str, Any]:
        """Send a command, if any, and wait for the answer, at most `limit` seconds."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        late = threading.Event()

        def end() -> None:
            late.set()
            self.process.kill()

        timer = threading.Timer(limit, end)
        timer.start()
        try:
            if command:
                os.write(self.process.stdin.fileno(), f"{command}\n".encode())
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        finally:
            timer.cancel()
        if not line:
            code = self.process.wait()
            raise DidNotRunError(
                f"no answer in {limit:.0f} s" if late.is_set() else f"it ended with status {code}"
            )
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise DidNotRunError(answer["error"])
        return answer

    def choose_steps(self, burst: float, limit: float) -> None:
        """Set the steps of a burst: those of `burst` seconds, as a multiple of the contender's chunk."""
        chunk = self.facts["chunk"]
        quick = self.ask(f"run {max(chunk, 20 // chunk * chunk)}", limit)["us"]
        steps = max(5, round(burst * 1e6 / quick))
        self.steps = max(chunk, steps // chunk * chunk)

    def close(self) -> None:
        """End the process."""
        self.process.communicate("end\n")


def measure(
    names: list[str],
    setting: Setting,
    rounds: int,
    burst: float,
    limit: float = 600.0,
    together: bool = False,
) -> dict[str, Any]:
    """Time the contenders in interleaved bursts of `burst` seconds.

    An answer may take `limit` seconds. `together` lets all contenders import and compile at the same time,
    for so long in all.
    """
    missing: dict[str, str] = {}
    workers: list[Worker] = []

    def asked(worker: Worker, what: Any) -> bool:
        try:
            what(worker)
        except DidNotRunError as error:
            missing[worker.name] = str(error)
            worker.close()
            return False
        return True

    begun = time.monotonic()

    def facts(worker: Worker) -> None:
        passed = time.monotonic() - begun if together else 0.0
        worker.facts = worker.ask("", max(limit - passed, 1.0))

    def run(worker: Worker) -> None:
        worker.times.append(worker.ask(f"run {worker.steps}", limit)["us"])

    every = (Worker(name, setting) for name in names)
    workers = [worker for worker in (list(every) if together else every) if asked(worker, facts)]
    workers = [worker for worker in workers if asked(worker, lambda each: each.choose_steps(burst, limit))]
    for _ in range(rounds):
        random.shuffle(workers)
        workers = [worker for worker in workers if asked(worker, run)]
    for worker in workers:
        worker.close()
    results = {worker.name: {"us": worker.times, **worker.facts} for worker in workers}
    return {**asdict(setting), "missing": missing, "results": results}
