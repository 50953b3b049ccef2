"""The `backprop` command: parse, call, show. Nothing else in this package prints.

Exit status: 0 for success, 1 for an error or a failed check, 2 for wrong usage, 3 for a training
run that diverged, 130 or 143 for an interrupt by SIGINT or SIGTERM.
"""

from __future__ import annotations

import argparse
import io
import os
import shlex
import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from ..text import visible
from .configuration import resolved
from .parser import build_parser

THREAD_VARIABLES = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")

SMALL = 2**15
"""Hidden units times batch size below which a second thread does not pay."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that has no "·" gets a question mark
    words = list(sys.argv[1:] if arguments is None else arguments)
    parser, train = build_parser()
    if not words:
        parser.print_help()
        return 0
    options = parser.parse_args(words)
    try:
        if options.command == "train":
            options.command_line = shlex.join(["backprop", *words])
            resolved(options, train, words[words.index("train") + 1 :])
        _set_threads(options)
        if getattr(options, "precision", "") == "tf32":
            os.environ["CUPY_TF32"] = "1"  # CuPy reads it when it is loaded
        return _run(options)
    except KeyboardInterrupt as interrupt:
        print(f"backprop: interrupted {visible(str(interrupt))}".rstrip(), file=sys.stderr)
        return getattr(interrupt, "status", 130)
    except BrokenPipeError:  # the reader of our output has gone: | head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:  # a user gets one line; --debug shows where it came from
        if options.debug:
            raise
        return _report(error)


def _run(options: argparse.Namespace) -> int:
    with warnings.catch_warnings():
        if not options.debug:
            # Overflow on the way to a divergence is reported as the divergence.
            warnings.simplefilter("ignore", RuntimeWarning)
            from ..inputs import PrecisionWarning

            warnings.simplefilter("ignore", PrecisionWarning)
            warnings.showwarning = _show_warning
        # The command's module, and with it NumPy, is imported only now: --help stays quick.
        status: int = import_module(f".{options.command}", __name__).run(options)
        sys.stdout.flush()
        return status


def _report(error: Exception) -> int:
    from backends import UnknownDeviceError

    from ..checkpoints import CheckpointError
    from ..choices import UsageError
    from ..training import BatchTooLargeError, DivergenceError

    message = _in_a_line(_message(error)) or "no message"
    told = (ValueError, OSError, RuntimeError, ArithmeticError, BatchTooLargeError, CheckpointError)
    kind = "" if isinstance(error, told) else type(error).__name__ + ": "
    print(f"backprop: error: {kind}{message}", file=sys.stderr)
    if isinstance(error, DivergenceError):
        return 3
    return 2 if isinstance(error, UsageError | UnknownDeviceError) else 1


def _message(error: Exception) -> str:
    """What an error says; of the operating system's, the file and the reason without its number."""
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        return f"{error.filename}: {error.strerror[0].lower()}{error.strerror[1:]}"
    return str(error)


def _set_threads(options: argparse.Namespace) -> None:
    """Give the BLAS libraries their thread count, which they read when they are loaded.

    A resumed run has that of its checkpoint, on which its last bits depend, unless `--threads` is given.

    A small network trains faster with one thread, and much faster where the machine is shared: the
    threads of a product that takes microseconds spend their time waiting for each other.
    """
    threads = getattr(options, "threads_there", None) or getattr(options, "threads", None)
    small = options.command == "train" and _width(options) * options.batch_size < SMALL
    if threads is None and small and not any(variable in os.environ for variable in THREAD_VARIABLES):
        threads = 1
    if threads is not None:
        os.environ.update(dict.fromkeys(THREAD_VARIABLES, str(threads)))


def _width(options: argparse.Namespace) -> int:
    """The widest of the hidden layers, as far as the options tell; convolutions have small slabs."""
    if options.net not in ("two-layer", "mlp"):
        return 0
    widths = [int(part) for part in (options.layers or "").split("-")[1:-1] if part.isdecimal()]
    return max(widths, default=int(options.hidden or 100))


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    print(f"backprop: warning: {_in_a_line(message)}", file=sys.stderr)


def _in_a_line(message: object) -> str:
    return visible(" ".join(str(message).split()))
