"""Programs run by `mpiexec`, with a limit of time."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from dataclasses import dataclass

import pytest

LIMIT = 120.0
"""Seconds; a program that hangs fails."""

OPEN_MPI = (
    "OMPI_ALLOW_RUN_AS_ROOT",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM",
    "PRTE_MCA_rmaps_default_mapping_policy",
)


@dataclass(frozen=True)
class Ended:
    """What a program has printed, and its exit status."""

    status: int
    out: str
    err: str


def launch(
    processes: int, *command: str, then: Callable[[subprocess.Popen[str]], None] | None = None
) -> Ended:
    """Run a command in several processes; `then` may do something to `mpiexec` meanwhile."""
    pytest.importorskip("mpi4py", reason="mpi4py is not installed")
    mpiexec = shutil.which(
        "mpiexec", path=f"{os.path.dirname(sys.executable)}{os.pathsep}{os.environ['PATH']}"
    )
    if mpiexec is None:
        pytest.skip("no mpiexec on this machine")
    env = {**os.environ, **dict.fromkeys(OPEN_MPI[:2], "1"), OPEN_MPI[2]: ":oversubscribe"}
    arguments = (mpiexec, "-n", str(processes), *command)
    with subprocess.Popen(
        arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env, start_new_session=True
    ) as process:
        try:
            if then is not None:
                then(process)
            out, err = process.communicate(timeout=LIMIT)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    return Ended(process.returncode, out, err)


def run(processes: int, program: str, *arguments: str) -> Ended:
    """Run a Python program, given as text, in several processes."""
    return launch(processes, sys.executable, "-c", textwrap.dedent(program), *arguments)
