"""Ctrl-C and other signals during training: the first asks it to stop, the second stops it at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from types import FrameType, TracebackType
from typing import Any, Self


class Interrupts:
    """While active, the first signal calls `stop`, and `second` handles any later one.

    Parameters
    ----------
    stop : called by the signal handler
    second : the signals to handle, each with its handler after the first signal, as for `signal.signal`
    """

    signum: int | None = None
    """The signal received, if any."""

    def __init__(self, stop: Callable[[], None], second: Mapping[int, Any]) -> None:
        self.stop, self.second = stop, second

    def __enter__(self) -> Self:
        self._before: dict[int, Any] = {number: signal.signal(number, self._handle) for number in self.second}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _install(self._before)

    def _handle(self, signum: int, frame: FrameType | None) -> None:
        _install(self.second)
        self.signum = signum
        self.stop()


def deferred_ctrl_c(stop: Callable[[], None]) -> AbstractContextManager[object]:
    """While active, the first Ctrl-C calls `stop`, and a second one raises `KeyboardInterrupt`.

    Does nothing outside the main thread, or if SIGINT has another handler.
    """
    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        return nullcontext()
    return Interrupts(stop, {signal.SIGINT: signal.default_int_handler})


def _install(handlers: Mapping[int, Any]) -> None:
    for number, handler in handlers.items():
        signal.signal(number, handler)
