"""The process of a part: `python -m benchmarks.gpu_day.part MODULE FILE SECONDS [--quick] [ARGUMENT …]`."""

from __future__ import annotations

import importlib
import sys
import traceback
from pathlib import Path

from backends import BackendUnavailableError, UnknownDeviceError

from .reporting import NotHereError, Report

MISSING = (NotHereError, BackendUnavailableError, UnknownDeviceError)


def main() -> None:
    """Run the part and write its findings, and its end, into the file."""
    module, file, seconds, *arguments = sys.argv[1:]
    quick = "--quick" in arguments
    report = Report(Path(file), float(seconds))
    try:
        importlib.import_module(module).run(report, [a for a in arguments if a != "--quick"], quick)
    except MISSING as error:
        report.end("missing", str(error).splitlines()[0])
    except Exception as error:  # whatever it is, the other parts go on
        traceback.print_exc()
        report.end("failed", f"{type(error).__name__}: {error}".splitlines()[0])
    else:
        report.end()


main()
