"""Programs run by `mpiexec`, with a limit of time."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

LIMIT = 120.0
"""Seconds; a program that hangs fails."""

KILLED = (signal.SIGKILL, 128 + signal.SIGKILL)
"""The status of MPICH's mpiexec where a process is killed, and of Open MPI's."""

ABORTED = (1, *KILLED)
"""The status after an abort, for which MPICH's mpiexec now and then gives that of those it has killed."""

OPEN_MPI = {
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "OMPI_MCA_osc": "^ucx",  # which the wheel has not, and warns of
    "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
}


@dataclass(frozen=True)
class Ended:
    """What a program has printed, and its exit status."""

    status: int
    out: str
    err: str


def launcher() -> str:
    """The path of `mpiexec`."""
    pytest.importorskip("mpi4py", reason="mpi4py is not installed")
    mpiexec = shutil.which(
        "mpiexec", path=f"{os.path.dirname(sys.executable)}{os.pathsep}{os.environ['PATH']}"
    )
    if mpiexec is None:
        pytest.skip("no mpiexec on this machine")
    return mpiexec


@cache
def is_open_mpi() -> bool:
    """Whether `mpiexec` is Open MPI's, which kills the processes right after it has sent them a signal."""
    version = subprocess.run([launcher(), "--version"], capture_output=True, text=True, check=True)
    return "Open MPI" in version.stdout


def launch(
    processes: int,
    *command: str,
    then: Callable[[subprocess.Popen[str]], None] | None = None,
    variables: Mapping[str, str] | None = None,
) -> Ended:
    """Run a command in several processes; `then` may do something to `mpiexec` meanwhile."""
    mpiexec = launcher()
    env = {**os.environ, **OPEN_MPI, **(variables or {})}
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


def run(processes: int, program: str, *arguments: str, variables: Mapping[str, str] | None = None) -> Ended:
    """Run a Python program, given as text, in several processes."""
    return launch(processes, sys.executable, "-c", textwrap.dedent(program), *arguments, variables=variables)


def run_file(processes: int, name: str, *arguments: str, variables: Mapping[str, str] | None = None) -> Ended:
    """Run a Python program of this folder in several processes."""
    return launch(
        processes, sys.executable, str(Path(__file__).parent / name), *arguments, variables=variables
    )
