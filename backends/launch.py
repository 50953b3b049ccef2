"""How this process was started: by itself, or with others by a launcher of MPI's."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from functools import cache

from .communicator import Communicator

SIZES = ("OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "MV2_COMM_WORLD_SIZE", "SLURM_STEP_NUM_TASKS")
"""The variables in which Open MPI's, MPICH's and Intel's, MVAPICH's mpiexec and Slurm's srun say how many."""

RANKS = ("OMPI_COMM_WORLD_RANK", "PMI_RANK", "MV2_COMM_WORLD_RANK", "SLURM_PROCID")
"""The variables in which they say which one this is."""


LOCAL_RANKS = (
    "OMPI_COMM_WORLD_LOCAL_RANK",
    "MPI_LOCALRANKID",
    "MV2_COMM_WORLD_LOCAL_RANK",
    "SLURM_LOCALID",
)
"""The variables in which they say which one of those on this machine."""


def launched() -> int:
    """The number of processes that the launcher has started; 1 without one."""
    return _innermost(SIZES, 1)


def launched_rank() -> int:
    """The number that the launcher has given to this process; 0 without one."""
    return _innermost(RANKS, 0)


def launched_local_rank() -> int | None:
    """The number of this process among those on its machine; None without others."""
    return _innermost(LOCAL_RANKS, 0) if launched() > 1 else None


def _innermost(variables: Sequence[str], default: int) -> int:
    """The first number found: Slurm's comes last, since mpiexec may start its helpers by srun."""
    found = (os.environ.get(name, "") for name in variables)
    return next((int(value) for value in found if value.isdecimal()), default)


def uses_mpi() -> bool:
    """Whether there are several processes, or the program uses MPI by itself."""
    return launched() > 1 or "mpi4py.MPI" in sys.modules


@cache
def world() -> Communicator:
    """All processes that were started together with this one.

    Without a launcher, such as `mpiexec` or `srun`, that is this process alone, and MPI is not imported.
    Raises `MPIError` if a launcher has started several, but they cannot talk to each other.
    """
    if not uses_mpi():
        return Communicator()
    from .mpi import connected

    return connected(launched(), launched_rank())
