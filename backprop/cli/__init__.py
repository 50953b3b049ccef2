"""The `backprop` command: parse, call, show. Nothing else in this package prints.

Exit status: 0 for success, 1 for an error or a failed check, 2 for wrong usage, 3 for a training
run that diverged, 130 for an interrupt.
"""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from .parser import build_parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    options = build_parser().parse_args(arguments)
    _set_threads(options)
    try:
        return _run(options)
    except KeyboardInterrupt as interrupt:
        print(f"backprop: interrupted {interrupt}".rstrip(), file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of our output has gone: | head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        if options.debug:
            raise
        return _report(error)


def _run(options: argparse.Namespace) -> int:
    with warnings.catch_warnings():
        if not options.debug:
            # Overflow on the way to a divergence is reported as the divergence.
            warnings.simplefilter("ignore", RuntimeWarning)
            warnings.showwarning = _show_warning
        # The command's module, and with it NumPy, is imported only now: --help stays quick.
        status: int = import_module(f".{options.command}", __name__).run(options)
        sys.stdout.flush()
        return status


def _report(error: Exception) -> int:
    from ..training import DivergenceError

    message = " ".join(str(error).split()) or "no message"
    kind = (
        ""
        if isinstance(error, (ValueError, OSError, RuntimeError, ArithmeticError))
        else type(error).__name__ + ": "
    )
    print(f"backprop: error: {kind}{message}", file=sys.stderr)
    return 3 if isinstance(error, DivergenceError) else 1


def _set_threads(options: argparse.Namespace) -> None:
    """Give the BLAS libraries their thread count, which they read when they are loaded."""
    threads = getattr(options, "threads", None)
    if threads is not None:
        for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
            os.environ[variable] = str(threads)


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    print(f"backprop: warning: {message}", file=sys.stderr)
