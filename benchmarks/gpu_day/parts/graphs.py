"""A captured step of W1 to W4: its nodes, its time in the graph, and how much of an epoch the GPU works."""

from __future__ import annotations

import ctypes
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from backends import get_backend

from ...contenders.ours import Contender
from ...workloads import WORKLOADS, load_data
from ..reporting import NotHereError, Report
from .empty_kernel import cupy_on

KINDS = {0: "kernels", 1: "copies", 2: "memsets", 5: "empty", 10: "allocations", 11: "frees"}
"""CUgraphNodeType."""
LAUNCHES = 5


def run(report: Report, arguments: list[str], quick: bool) -> None:
    cupy = cupy_on(arguments[0])
    data = load_data(floats=False)
    for workload in WORKLOADS.values():
        with recorded_graphs(arguments[0], cupy) as graphs:
            contender = Contender(workload.tiny() if quick else workload, data, "fit", arguments[0])
            for _ in range(3):
                contender.run(contender.chunk)
            contender.device_mb()  # ends the counting of allocations, which takes time
            if not graphs:
                raise NotHereError(f"{workload.name} was not captured")
            began = time.perf_counter()
            contender.run(contender.chunk)
            epoch = time.perf_counter() - began
            steps, graph = max(graphs, key=lambda pair: pair[0])
            kinds = nodes(graph)
            step = _seconds(cupy, graph, 1 if quick else LAUNCHES) / steps
        of = f"{kinds.total():,} in a graph of {steps}: {', '.join(f'{n:,} {k}' for k, n in kinds.items())}"
        report.add(f"{workload.name}: nodes a step", f"{kinds.total() / steps:.1f} ({of})",
                   nodes=kinds.total(), steps=steps)  # fmt: skip
        busy = contender.chunk * step / epoch
        report.add(
            f"{workload.name}: an epoch",
            f"{1e3 * epoch:.1f} ms for {contender.chunk} steps of {1e6 * step:.1f} µs: "
            f"the GPU works for {busy:.0%} of it",
            epoch=epoch,
            step=step,
            busy=busy,
        )


@contextmanager
def recorded_graphs(device: str, cupy: Any) -> Iterator[list[tuple[int, Any]]]:
    """A list of what is recorded meanwhile: the steps of each graph, and the graph."""
    backend: Any = get_backend(device)
    record, graphs = backend.record, []

    def spy(function: Any, state: Any, inputs: Any, *more: Any, **options: Any) -> Any:
        replay = record(function, state, inputs, *more, **options)
        found = [value for value in vars(replay).values() if isinstance(value, cupy.cuda.Graph)]
        graphs.extend((inputs[0].shape[0], graph) for graph in found)
        return replay

    backend.record = spy
    try:
        yield graphs
    finally:
        del backend.record


def nodes(graph: Any) -> Counter[str]:
    """The nodes of a graph by kind, from the driver; of unknown kind on the CuPy emulator."""
    driver = ctypes.CDLL("libcuda.so.1")
    get = getattr(driver, "cuGraphGetNodes", None) or driver.emu_cudaGraphGetNodes
    handle, count = ctypes.c_void_p(graph.graph), ctypes.c_size_t()
    _check(get(handle, None, ctypes.byref(count)))
    if not hasattr(driver, "cuGraphNodeGetType"):
        return Counter({"of unknown kind": count.value})
    found = (ctypes.c_void_p * count.value)()
    _check(get(handle, found, ctypes.byref(count)))
    kinds: Counter[str] = Counter()
    for node in found:
        kind = ctypes.c_int()
        _check(driver.cuGraphNodeGetType(ctypes.c_void_p(node), ctypes.byref(kind)))
        kinds[KINDS.get(kind.value, f"of kind {kind.value}")] += 1
    return kinds


def _check(status: int) -> None:
    if status:
        raise RuntimeError(f"CUDA's driver answers {status}")


def _seconds(cupy: Any, graph: Any, launches: int) -> float:
    """The time of a launch among others."""
    stream = cupy.cuda.Stream(non_blocking=True)
    with stream:
        graph.launch()
        stream.synchronize()
        began = time.perf_counter()
        for _ in range(launches):
            graph.launch()
        stream.synchronize()
    return (time.perf_counter() - began) / launches
