"""NumPy's BLAS: which one it is, and how many threads its products use."""

from __future__ import annotations

import os
import threading
from functools import cache
from types import TracebackType
from typing import Any

THREAD_VARIABLES = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
"""Each sets a BLAS library's threads, when it is loaded."""

SMALL = 2**25
"""Multiplications of a product below which it gets one thread.

On a quiet machine of two cores a second thread saves up to a third of such a step; beside busy
processes it makes the step 3 to 23 times as long, as the threads wait for each other.
"""

NAMES = {"openblas": "OpenBLAS", "mkl": "MKL", "blis": "BLIS", "flexiblas": "FlexiBLAS"}


@cache
def libraries() -> tuple[Any, ...]:
    """Controllers of the BLAS libraries in this process: NumPy's own, or all where it brings none."""
    from threadpoolctl import ThreadpoolController

    found = [lib for lib in ThreadpoolController().lib_controllers if lib.user_api == "blas"]
    own = [lib for lib in found if "numpy" in os.path.dirname(lib.filepath).rpartition(os.sep)[2]]
    return tuple(own or found)


def description() -> str:
    """Name, version and kernels of the library, as far as it tells."""
    if not libraries():
        return ""
    info = libraries()[0].info()
    words = NAMES.get(info["internal_api"], info["internal_api"]), info["version"], info.get("architecture")
    return " ".join(word for word in words if word)


def threads() -> int | None:
    """The threads of a product; None where no library tells."""
    return min((lib.get_num_threads() for lib in libraries()), default=None)


@cache  # that is when the libraries read them
def are_chosen() -> bool:
    """Whether a variable of the environment says how many threads there are."""
    return any(variable in os.environ for variable in THREAD_VARIABLES)


class OneThread:
    """While one or more of these are active, products use one thread; the last one restores the setting.

    The setting is the process's, so all its Python threads share it.
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


def _in_a_fork() -> None:
    """Undo what another thread of the parent had active."""
    active, OneThread._lock, OneThread._active = OneThread._active, threading.Lock(), 0
    if active:
        _set(OneThread._before)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_a_fork)


def _set(counts: Any) -> None:
    for library, count in zip(libraries(), counts, strict=True):
        _let_go(library)
        library.set_num_threads(count)
        _let_go(library)


def _let_go(library: Any) -> None:
    """threadpoolctl from 3.7 on ignores all Python threads but the first that has set a library's threads."""
    if hasattr(library, "clear_controlling_thread"):
        library.clear_controlling_thread(force=True)
