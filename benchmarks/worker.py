"""One contender in a separate process: reads `run STEPS` and `end`, answers with JSON.

It builds the contender, lets it take its first steps (`first_s`: compiling included), computes its loss, and
lets it settle for two chunks: from then on its steps are those of a training that has long been running.
Every `run` ends, and so the next begins, with the device at rest.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import resource
import sys
import time

SETTLE = 10
"""The fewest steps in each of the two runs before the first measurement."""


def main() -> None:
    """Build the contender named on the command line, report its loss, then time the steps requested."""
    cores = int(os.environ.get("BENCHMARK_CORES", "0"))
    if cores and hasattr(os, "sched_setaffinity"):  # the last cores, since the first is the busiest
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-cores:])
    module_name, variant, workload_name, device = sys.argv[1:]
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # a library's output is not an answer

    def answer(**values: object) -> None:
        print(json.dumps(values), file=answers, flush=True)

    began = time.perf_counter()
    try:
        module = importlib.import_module(f"benchmarks.contenders.{module_name}")
        import_s = time.perf_counter() - began
        if variant not in module.VARIANTS:
            raise ValueError(f"unknown variant {variant!r}: expected one of {', '.join(module.VARIANTS)}")
        from .workloads import PROOF, TINY, WORKLOADS, load_data, loss_of

        workload, data = WORKLOADS[workload_name], load_data(floats=module.FLOATS)
        workload = workload.tiny() if TINY in os.environ else workload
        began = time.perf_counter()
        contender = module.Contender(workload, data, variant, device)
        getattr(contender, "prove", contender.run)(workload.proof_steps)
        first_s = time.perf_counter() - began
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        weights = contender.weights()
        x = data.pixels[:PROOF] / 255.0
        loss = loss_of(weights, x, data.t[:PROOF]) if weights else None
        del x
        chunk = getattr(contender, "chunk", 1)
        for _ in range(2):
            contender.run(-(-SETTLE // chunk) * chunk)
        device_mb = contender.device_mb() if hasattr(contender, "device_mb") else None
    except Exception as error:  # the report says why it cannot run
        answer(error=f"{type(error).__name__}: {error}".splitlines()[0])
        return
    answer(import_s=import_s, first_s=first_s, peak_mb=peak, device_mb=device_mb, loss=loss, chunk=chunk)
    gc.collect()
    for line in sys.stdin:
        command, *numbers = line.split()
        if command == "end":
            return
        steps = int(numbers[0])
        if chunk == 1:
            contender.run(1)  # warm up the caches, which others have used
        began = time.perf_counter()
        contender.run(steps)
        answer(us=(time.perf_counter() - began) / steps * 1e6)


main()
