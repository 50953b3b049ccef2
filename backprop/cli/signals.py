"""SIGINT and SIGTERM while a network is trained: the first one asks, the second one ends the process."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType, TracebackType
from typing import Any, Self

from ..training.loop import Training

SIGNALS = (signal.SIGINT, signal.SIGTERM)
SHOW_CURSOR = b"\x1b[?25h"


class Interrupted(KeyboardInterrupt):
    """A signal has ended the command; 128 + its number is the exit status."""

    def __init__(self, signum: int, message: str = "") -> None:
        super().__init__(message)
        self.status = 128 + signum


class Signals:
    """While active, the first signal ends the step of `training`; before there is one, it raises.

    The second signal kills the process.
    """

    training: Training | None = None
    signum: int | None = None

    def __enter__(self) -> Self:
        self._before: dict[int, Any] = {number: signal.signal(number, self._handle) for number in SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _handle(self, signum: int, frame: FrameType | None) -> None:
        if self.signum is not None:
            signal.signal(signum, signal.SIG_DFL)
            os.kill(os.getpid(), signum)
        self.signum = signum
        if sys.stderr.isatty():
            os.write(sys.stderr.fileno(), SHOW_CURSOR)  # a moving line hides it, and a kill would leave it so
        if self.training is None:
            raise Interrupted(signum, "before the first step")
        self.training.stop()
