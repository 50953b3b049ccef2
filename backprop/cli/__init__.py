"""The `backprop` command: parse, call, show. Nothing else in this package prints.

Exit status: 0 for success, 1 for an error or a failed check, 2 for wrong usage, 3 for a training
run that diverged, 130 or 143 for an interrupt by SIGINT or SIGTERM.
"""

from __future__ import annotations

import argparse
import io
import logging
import os
import shlex
import sys
import warnings
from collections.abc import Callable, Sequence
from contextlib import nullcontext, redirect_stderr
from functools import partial
from importlib import import_module
from typing import Any

from ..backends import THREAD_VARIABLES
from ..files import reason
from .merge import merge_settings
from .parser import build_parser
from .screen import say
from .settings import TrainSettings

NOBODY = logging.NullHandler()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without "·" shows a question mark
    words = list(sys.argv[1:] if arguments is None else arguments)
    parser = build_parser()
    if not words:
        parser.print_help()
        return 0
    options: argparse.Namespace | TrainSettings = parser.parse_args(words)
    given = vars(options).copy()
    command = given.pop("command")
    try:
        if command == "train":
            options = merge_settings(given, shlex.join(["backprop", *words]))
            _configure_libraries(options)
        return _run(command, options)
    except KeyboardInterrupt as interrupt:
        return _ended(command, partial(_report_interrupt, interrupt))
    except BrokenPipeError:  # the reader has gone, such as | head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:  # users get one line; --debug adds the traceback
        if getattr(options, "debug", False):
            raise
        return _ended(command, partial(report_error, error))


def _report_interrupt(interrupt: KeyboardInterrupt) -> int:
    """Print where the command was interrupted, in one line on stderr; return its exit status."""
    say(f"backprop: interrupted {interrupt}".rstrip(), file=sys.stderr)
    return getattr(interrupt, "status", 130)


def _ended(command: str, tell: Callable[[], int]) -> int:
    """Tell why the command ends, and return its exit status; processes that train together all end.

    If all fail alike, the first one tells.
    """
    from ..backends import Communicator, MPIError, world

    processes, rank = Communicator(), 0
    if command == "train":
        try:
            processes = world()
            rank = processes.rank
        except MPIError as error:  # which all have met, each by itself
            rank = error.rank
    alike = processes.all_end()
    if not alike:
        say(f"backprop: process {rank} of {processes.size}:", file=sys.stderr)
    with redirect_stderr(io.StringIO()) if rank and alike else nullcontext():
        status = tell()
    if not alike:
        processes.abort(status)
    return status


def _run(command: str, options: argparse.Namespace | TrainSettings) -> int:
    with warnings.catch_warnings():
        if not options.debug:
            # An overflow that leads to divergence is reported as divergence.
            warnings.simplefilter("ignore", RuntimeWarning)
            from ..inputs import PrecisionWarning

            warnings.simplefilter("ignore", PrecisionWarning)
            warnings.showwarning = _show_once(set())
            _keep_matplotlib_quiet()
        # Import the command, and with it NumPy, only now: --help stays quick.
        status: int = import_module(f".{command}", __name__).main(options)
        sys.stdout.flush()
        return status


def _keep_matplotlib_quiet() -> None:
    """Hide messages about caches and folders, which nobody who waits for a report needs."""
    logging.getLogger("matplotlib").addHandler(NOBODY)  # without a handler, messages go to stderr
    warnings.filterwarnings("ignore", module=r"matplotlib|mpl_toolkits")


def report_error(error: Exception) -> int:
    """Print an error in one line on stderr; return its exit status."""
    from ..backends import UnknownDeviceError
    from ..lookup import UsageError
    from ..saving.checkpoint import CheckpointError
    from ..training.loop import BatchTooLargeError, DivergenceError

    message = _in_a_line(_message(error)) or "no message"
    told = (ValueError, OSError, RuntimeError, ArithmeticError, BatchTooLargeError, CheckpointError)
    kind = "" if isinstance(error, told) else type(error).__name__ + ": "
    say(f"backprop: error: {kind}{message}", file=sys.stderr)
    if isinstance(error, DivergenceError):
        return 3
    return 2 if isinstance(error, UsageError | UnknownDeviceError) else 1


def _message(error: Exception) -> str:
    """The message and the notes of an error; without the number, if the operating system raised it."""
    text = str(error)
    if isinstance(error, OSError) and error.errno and error.strerror:
        text = reason(error) if error.filename is None else f"{error.filename}: {reason(error)}"
    return "; ".join([text, *getattr(error, "__notes__", ())])


def _configure_libraries(settings: TrainSettings) -> None:
    """Set what libraries read on import: the number of threads (BLAS) and the precision (CuPy)."""
    threads = settings.threads_there or settings.threads
    if threads is not None:
        os.environ.update(dict.fromkeys(THREAD_VARIABLES, str(threads)))
    if settings.precision == "tf32":
        os.environ["CUPY_TF32"] = "1"


def _show_once(shown: set[str]) -> Callable[..., None]:
    """Show each warning once, in one line."""

    def show(message: Warning | str, *_: Any, **__: Any) -> None:
        line = _in_a_line(message)
        if line not in shown:
            shown.add(line)
            say(f"backprop: warning: {line}", file=sys.stderr)

    return show


def _in_a_line(message: object) -> str:
    return " ".join(str(message).split())
