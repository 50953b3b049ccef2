"""What a kernel costs that does nothing: in a graph, and called."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from ..reporting import NotHereError, Report

NODES, LAUNCHES = 1000, 200


def run(report: Report, arguments: list[str], quick: bool) -> None:
    cupy = cupy_on(arguments[0])
    nodes, launches = (50, 2) if quick else (NODES, LAUNCHES)
    stream = cupy.cuda.Stream(non_blocking=True)
    kernel = cupy.RawKernel('extern "C" __global__ void empty() {}', "empty")

    def seconds(work: Callable[[], Any], times: int) -> float:
        with stream:
            work()
            stream.synchronize()
            began = time.perf_counter()
            for _ in range(times):
                work()
            stream.synchronize()
        return (time.perf_counter() - began) / times

    called = seconds(lambda: kernel((1,), (1,), ()), launches)
    one, many = (seconds(_graph(stream, kernel, count).launch, launches) for count in (1, nodes))
    each = (many - one) / (nodes - 1)
    report.add("a node of a graph", f"{1e6 * each:.2f} µs", seconds=each)
    report.add("launching a graph of one node", f"{1e6 * one:.2f} µs", seconds=one)
    report.add("called from Python", f"{1e6 * called:.2f} µs", seconds=called)


def cupy_on(device: str) -> Any:
    """CuPy; `NotHereError` where the day does not take place on it."""
    from backends import get_backend

    backend = get_backend(device)
    if backend.name != "cupy":
        raise NotHereError(f"graphs are CuPy's, and this is {backend.name}")
    import cupy

    return cupy


def _graph(stream: Any, kernel: Any, count: int) -> Any:
    with stream:
        stream.begin_capture()
        for _ in range(count):
            kernel((1,), (1,), ())
        return stream.end_capture()
