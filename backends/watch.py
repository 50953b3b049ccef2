"""A watch over processes connected by MPI: one that no longer answers ends all."""

from __future__ import annotations

import atexit
import math
import os
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from .communicator import Communicator
from .errors import MPIError

TIMEOUT_VARIABLE = "BACKPROP_TIMEOUT"
"""The variable that says for how many seconds a process may be silent; 0 for any time."""

DEFAULT = "60"

TICK = 0.5
"""Seconds between two looks at the messages."""

AT_THE_END = 0.01
"""Seconds between two looks where this process has nothing else left to do."""

LAG = 1.0
"""Seconds that each process waits longer than the one before it, which speaks first."""

ALIVE, DONE, END = range(3)
"""What a message says; END is the last one."""


def timeout(communicator: Communicator) -> float:
    """The seconds that process 0's variable gives; infinity for 0. Raises `MPIError` in all processes."""
    text = communicator.broadcast(os.environ.get(TIMEOUT_VARIABLE) or DEFAULT)
    with suppress(ValueError):
        seconds = float(text)
        if 0.0 <= seconds < math.inf:
            return seconds or math.inf
    raise MPIError(f"expected {TIMEOUT_VARIABLE} in seconds, or 0 for none, got {text!r}", communicator.rank)


def watch(world: Any, seconds: float) -> None:
    """Watch over the processes of mpi4py's communicator until they exit.

    There is no watch for an infinite time, nor where MPI may not be called from several threads.
    """
    from mpi4py import MPI

    if MPI.Query_thread() < MPI.THREAD_MULTIPLE or math.isinf(seconds):
        return
    comm = world.Dup()
    others = range(1, comm.size) if comm.rank == 0 else [0]
    Watch(comm, [Link(comm, other) for other in others], seconds).start()


class Link:
    """A message that goes to and fro between this process and process 0, or from there and another one.

    It says ALIVE, from a process that exits DONE, and END when both exit; so none is left on its way.
    """

    ended = False
    """Whether both have said that they exit."""

    silent = 0.0
    """For how many seconds the other one has not answered."""

    def __init__(self, comm: Any, other: int) -> None:
        from mpi4py import MPI

        self.other = other
        self._comm, self._said, self._heard = comm, bytearray(1), bytearray(1)
        self._sending = self._receiving = MPI.REQUEST_NULL  # which counts as received
        if comm.rank == 0:
            self._receiving = comm.Irecv(self._heard, other)

    def answer(self, done: bool) -> bool:
        """Send the message back, if it is here; return whether it was."""
        if not self._receiving.Test():
            return False
        heard = self._heard[0]
        if heard == END:
            self.ended = True
            return True
        self._sending.Wait()  # it has arrived
        self._said[0] = ALIVE if not done else DONE if heard == ALIVE else END
        self._sending = self._comm.Isend(self._said, self.other)
        if self._said[0] == END:
            self._sending.Wait()
            self.ended = True
        else:
            self._receiving = self._comm.Irecv(self._heard, self.other)
        return True


class Watch(threading.Thread):
    """The thread that answers for this process, and ends all when one does not answer.

    Parameters
    ----------
    comm : a communicator of its own
    links : process 0 has one to each other process, which have one to process 0
    seconds : how long a process may be silent
    """

    def __init__(self, comm: Any, links: Sequence[Link], seconds: float) -> None:
        super().__init__(name="backprop-watch", daemon=True)
        self._comm, self._links, self.seconds = comm, list(links), seconds
        self._limit = seconds + LAG * max(comm.rank - 1, 0)
        self._done = threading.Event()

    def start(self) -> None:
        super().start()
        atexit.register(self._finish)  # before MPI ends, for which no message may be on its way

    def _finish(self) -> None:
        """Go on watching until all processes exit."""
        self._done.set()
        self.join()

    def run(self) -> None:
        before = time.monotonic()
        while self._links:
            for link in self._links:
                link.silent = 0.0 if link.answer(self._done.is_set()) else link.silent
            self._links = [link for link in self._links if not link.ended]
            now = time.monotonic()
            passed = min(now - before, 2.0 * TICK)  # not the time for which this machine was asleep
            before = now
            for link in self._links:
                link.silent += passed
                if link.silent > self._limit:
                    self._end_all(link.other)
            if self._done.is_set():
                time.sleep(AT_THE_END)
            else:
                self._done.wait(TICK)

    def _end_all(self, silent: int) -> None:
        with suppress(OSError, ValueError):  # a stream that is closed
            sys.stdout.flush()
            sys.stderr.write(
                f"process {silent} of {self._comm.size} has not answered for {self.seconds:g} s: all "
                "processes end; it is stopped, or its machine hangs "
                f"({TIMEOUT_VARIABLE} sets the seconds, 0 for no limit)\n"
            )
            sys.stderr.flush()
        self._comm.Abort(1)
