"""NumPy's BLAS: which one it is, and how many threads its products use."""

from __future__ import annotations

import os
import threading
from functools import cache
from types import TracebackType
from typing import Any

THREAD_VARIABLES = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
"""Environment variables that set the threads of a BLAS library when it is loaded."""

SMALL = 2**25
"""A product of fewer multiplications gets one thread.

On an idle machine with two cores a second thread saves up to a third of such a step; beside busy
processes it makes the step 3 to 23 times as long, since the threads wait for each other.
"""

NAMES = {"openblas": "OpenBLAS", "mkl": "MKL", "blis": "BLIS", "flexiblas": "FlexiBLAS"}


@cache
def libraries() -> tuple[Any, ...]:
    """Controllers of NumPy's own BLAS library, or of all in this process if NumPy brings none."""
    from threadpoolctl import ThreadpoolController

    found = [lib for lib in ThreadpoolController().lib_controllers if lib.user_api == "blas"]
    own = [lib for lib in found if "numpy" in os.path.dirname(lib.filepath).rpartition(os.sep)[2]]
    return tuple(own or found)


def description() -> str:
    """Name, version and kernels of the library, as far as it reports them."""
    if not libraries():
        return ""
    info = libraries()[0].info()
    words = NAMES.get(info["internal_api"], info["internal_api"]), info["version"], info.get("architecture")
    return " ".join(word for word in words if word)


def threads() -> int | None:
    """The threads of a product; None if no library reports them."""
    return min((lib.get_num_threads() for lib in libraries()), default=None)


@cache  # the libraries read them once
def are_chosen() -> bool:
    """Whether an environment variable sets the number of threads."""
    return any(variable in os.environ for variable in THREAD_VARIABLES)


class OneThread:
    """A context in which products use one thread; the last one to end restores the setting.

    The setting belongs to the process, so all its Python threads share it.
    """

    _lock = threading.Lock()
    _active = 0
    _before: tuple[int, ...] = ()

    def __enter__(self) -> None:
        cls = OneThread
        with cls._lock:
            if cls._active == 0:
                cls._before = tuple(lib.get_num_threads() for lib in libraries())
                _set([1] * len(cls._before))
            cls._active += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        cls = OneThread
        with cls._lock:
            cls._active -= 1
            if cls._active == 0:
                _set(cls._before)


def _after_fork() -> None:
    """In the child of a fork, end the contexts that the parent's other threads had active."""
    active, OneThread._lock, OneThread._active = OneThread._active, threading.Lock(), 0
    if active:
        _set(OneThread._before)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def _set(counts: Any) -> None:
    for library, count in zip(libraries(), counts, strict=True):
        _release(library)
        library.set_num_threads(count)
        _release(library)


def _release(library: Any) -> None:
    """Let any Python thread set the library's threads: threadpoolctl 3.7 allows only the first that did."""
    if hasattr(library, "clear_controlling_thread"):
        library.clear_controlling_thread(force=True)
