"""SIGINT and SIGTERM during `backprop train`."""

from __future__ import annotations

import os
import signal
import sys

from ..training.interrupts import Interrupts
from ..training.loop import Training

SHOW_CURSOR = b"\x1b[?25h"


class Interrupted(KeyboardInterrupt):
    """A signal ended the command; the exit status is 128 + its number."""

    def __init__(self, signum: int, message: str = "") -> None:
        super().__init__(message)
        self.status = 128 + signum


class Signals(Interrupts):
    """While active, the first signal stops `training` after its step, and the second kills the process.

    Before `training` is set, the first one raises `Interrupted`.
    """

    training: Training | None = None

    def __init__(self) -> None:
        super().__init__(self._stop, {signal.SIGINT: signal.SIG_DFL, signal.SIGTERM: signal.SIG_DFL})

    def _stop(self) -> None:
        if sys.stderr.isatty():
            os.write(sys.stderr.fileno(), SHOW_CURSOR)  # a second signal would leave it hidden
        if self.training is None:
            assert self.signum is not None
            raise Interrupted(self.signum, "before the first step")
        self.training.stop()
