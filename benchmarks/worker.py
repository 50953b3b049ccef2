"""One contender in a separate process: reads `run STEPS` and `end`, answers with JSON."""

from __future__ import annotations

import gc
import importlib
import json
import os
import resource
import sys
import time


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
        from .workloads import PROOF, WORKLOADS, load_data, loss_of

        workload, data = WORKLOADS[workload_name], load_data(floats=module.FLOATS)
        contender = module.Contender(workload, data, variant, device)
        contender.run(workload.proof_steps)
    except Exception as error:  # the report says why it cannot run
        answer(error=f"{type(error).__name__}: {error}".splitlines()[0])
        return
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    weights = contender.weights()
    x = data.pixels[:PROOF] / 255.0
    loss = loss_of(weights, x, data.t[:PROOF]) if weights else None
    answer(import_s=import_s, peak_mb=peak, loss=loss, chunk=getattr(contender, "chunk", 1))
    del x
    gc.collect()
    for line in sys.stdin:
        command, *numbers = line.split()
        if command == "end":
            return
        steps = int(numbers[0])
        contender.run(1)  # warm up the caches, which others have used
        began = time.perf_counter()
        contender.run(steps)
        answer(us=(time.perf_counter() - began) / steps * 1e6)


main()
