"""How this process was started: by itself, or with others by a launcher of MPI's."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from functools import cache
from types import TracebackType

from .communicator import Communicator
from .errors import MPIError

SIZES = ("OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "MV2_COMM_WORLD_SIZE", "SLURM_STEP_NUM_TASKS")
"""The variables in which Open MPI's, MPICH's and Intel's, MVAPICH's mpiexec and Slurm's srun say how many."""

RANKS = ("OMPI_COMM_WORLD_RANK", "PMI_RANK", "MV2_COMM_WORLD_RANK", "SLURM_PROCID")
"""The variables in which they say which one this is."""


PMIX_RANK = "PMIX_RANK"
"""The variable of PMIx: `prterun` says with it which one this is, and never how many."""


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
    return _innermost((*RANKS, PMIX_RANK), 0)


def launched_local_rank() -> int | None:
    """The number of this process among those on its machine; None without others."""
    return _innermost(LOCAL_RANKS, 0) if launched() > 1 else None


def _innermost(variables: Sequence[str], default: int) -> int:
    """The first number found: Slurm's comes last, since mpiexec may start its helpers by srun."""
    found = (os.environ.get(name, "") for name in variables)
    return next((int(value) for value in found if value.isdecimal()), default)


def uses_mpi() -> bool:
    """Whether there are several processes, or may be, or the program uses MPI by itself."""
    unknown = PMIX_RANK in os.environ and _innermost(SIZES, 0) == 0
    return launched() > 1 or unknown or "mpi4py.MPI" in sys.modules


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


def _end_all_at_the_start() -> None:
    """Until `world` is called, an exception that ends this process ends the others.

    They would wait for it there for ever. A signal is what every launcher takes for a reason to end all, and
    MPI, which starts only when all have come, is not needed.
    """
    before = sys.excepthook

    def end_all(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if world.cache_info().currsize or isinstance(error, MPIError):
            before(kind, error, trace)
            return
        sys.stderr.write(f"process {launched_rank()} of {launched()}:\n")
        before(kind, error, trace)
        sys.stdout.flush()
        sys.stderr.flush()
        signum = signal.SIGINT if isinstance(error, KeyboardInterrupt) else signal.SIGTERM
        signal.signal(signum, signal.SIG_DFL)
        os.kill(os.getpid(), signum)

    sys.excepthook = end_all


if launched() > 1:
    _end_all_at_the_start()
