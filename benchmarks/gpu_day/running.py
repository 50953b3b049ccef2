"""A part in a process of its own, with a time limit."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..precision import environment
from .plan import Part
from .reporting import read

VARIABLES = {"XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
"""JAX would take three quarters of the device's memory."""
TAIL = 20
"""How many lines of what a failed part printed are kept."""


@dataclass
class Outcome:
    """What became of a part."""

    part: str
    status: str
    """`"ran"`, `"failed"`, `"missing"`, `"timed out"`, `"crashed"` or `"skipped"`."""
    why: str = ""
    proves: bool = False
    seconds: float = 0.0
    findings: list[dict[str, Any]] = field(default_factory=list)
    output: list[str] = field(default_factory=list)

    @property
    def is_wrong(self) -> bool:
        """Whether a proof failed."""
        return self.proves and self.status in ("failed", "timed out", "crashed")

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def run_part(part: Part, limit: float, quick: bool) -> Outcome:
    """Run a part for at most `limit` seconds; its process, and all that it started, ends with it.

    Products are in full float32, unless the part chooses another precision.
    """
    with tempfile.TemporaryDirectory() as folder:
        findings, printed = Path(folder) / "findings", Path(folder) / "printed"
        command = [sys.executable, "-m", "benchmarks.gpu_day.part", part.module, str(findings), str(limit)]
        began = time.perf_counter()
        with printed.open("wb") as output:
            process = subprocess.Popen(
                [*command, *(["--quick"] if quick else []), *part.arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env=VARIABLES | environment("float32", os.environ),
            )
            try:
                code: int | None = process.wait(limit)
            except subprocess.TimeoutExpired:
                code = None
            finally:
                _end_all(process)
        seconds = time.perf_counter() - began
        found, end = read(findings)
        tail = printed.read_text("utf-8", errors="replace").splitlines()[-TAIL:]
    status, why = _status(code, limit, found, end)
    kept = tail if status in ("failed", "crashed", "timed out") else []
    return Outcome(part.name, status, why, part.proves, round(seconds, 1), found, kept)


def _end_all(process: subprocess.Popen[bytes]) -> None:
    """End the process and those that it started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _status(
    code: int | None, limit: float, found: list[dict[str, Any]], end: dict[str, Any]
) -> tuple[str, str]:
    """The status, and why, by the exit status (None: out of time), the findings and the last line."""
    if code is None:
        return "timed out", f"not finished after {limit:.0f} s"
    if not end:
        return "crashed", f"ended by signal {-code}" if code < 0 else f"ended with status {code} too early"
    failed = [finding["what"] for finding in found if finding.get("passed") is False]
    if end["status"] == "ran" and failed:
        return "failed", f"{len(failed)} of {len(found)}: {', '.join(failed)}"
    return end["status"], end["why"]
