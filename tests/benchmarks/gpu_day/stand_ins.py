"""Stand-ins for parts, by their first argument."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.gpu_day.reporting import NotHereError, Report


def run(report: Report, arguments: list[str], quick: bool) -> None:
    report.add("before", f"quick {quick}", passed=True, arguments=arguments)
    globals()[arguments[0]](report, *arguments[1:])


def passes(report: Report) -> None:
    report.add("time", "1.0 µs")


def is_wrong(report: Report) -> None:
    report.add("ReLU", "differs by 1.0", passed=False)


def raises(report: Report) -> None:
    os.write(1, b"what it printed\n")
    raise ValueError("no such\nthing")


def is_missing(report: Report) -> None:
    raise NotHereError("no GPU")


def hangs_with_a_child(report: Report, file: str) -> None:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    Path(file).write_text(str(child.pid))
    time.sleep(600)


def crashes(report: Report) -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def exits(report: Report) -> None:
    os._exit(0)


def prints_garbage(report: Report) -> None:
    os.write(1, b'\xff\xfe garbage \x00\n{"status": "ran"}\n')
    report._file.write('[1, 2]\n"text"\n{"what": "half')
    report._file.flush()
    os._exit(0)
