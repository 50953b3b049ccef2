"""Processes connected by MPI, through mpi4py."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Sequence
from functools import reduce
from itertools import accumulate, pairwise
from operator import add
from types import TracebackType
from typing import Any, cast

import numpy as np

from .array import HostArray
from .communicator import Communicator, OrderedSum
from .errors import MPIError, first_line
from .watch import timeout, watch

MOMENT = 1.0
"""Seconds in which all processes fail if they fail alike."""

SHARED_MEMORY = "/dev/shm"
"""Where Linux keeps shared memory, which a container may have little of."""

BLOCK = 16_384
"""Entries that are added row after row while they are in the cache."""


def connected(launched: int, rank: int) -> Communicator:
    """All processes of this program; raises `MPIError` if the launcher has started others."""
    world = _mpi(launched, rank).COMM_WORLD
    if world.size == 1 and (launched > 1 or rank > 0):
        raise MPIError(
            f"{_started(launched, rank)}, but each is alone: mpi4py uses {_library()}, and mpiexec is "
            "of another MPI library (or srun needs --mpi=pmix or --mpi=pmi2); start them with the mpiexec of "
            "mpi4py's library, or build mpi4py with that of mpiexec",
            rank if launched > 1 else 0,  # where process 0 does not know of the others, each tells
        )
    if world.size == 1:
        return Communicator()
    communicator = MPICommunicator(world)
    watch(world, timeout(communicator))
    return communicator


def _mpi(launched: int, rank: int) -> Any:
    """mpi4py's MPI."""
    cure = "pip install mpi4py, and the cluster's MPI library, or one from PyPI: pip install mpich"
    try:
        import mpi4py
    except ImportError:
        why = f"{_started(launched, rank)}, but mpi4py is not installed: {cure}"
        raise MPIError(why, rank) from None
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:
        raise MPIError(
            f"mpi4py {mpi4py.__version__} finds no MPI library: {first_line(error)}; install one, the "
            "cluster's or one from PyPI: pip install mpich",
            rank,
        ) from None
    return MPI


def _started(launched: int, rank: int) -> str:
    return f"{launched} processes were started" if launched > 1 else f"process {rank} of several was started"


def _library() -> str:
    from mpi4py import MPI

    return str(MPI.Get_library_version()).strip("\0 \n").splitlines()[0].replace("\t", " ").strip()


class MPICommunicator(Communicator):
    """The processes of an MPI communicator.

    An exception that ends one of them ends all, with its message and the process's number.

    Parameters
    ----------
    world : mpi4py's communicator, of which a duplicate is used
    shared : whether sums are made in shared memory; by default if all processes are on one machine
    """

    def __init__(self, world: Any, shared: bool | None = None) -> None:
        from mpi4py import MPI

        self._comm, self._at_the_end = world.Dup(), world.Dup()
        self.rank, self.size = self._comm.rank, self._comm.size
        node = self._comm.Split_type(MPI.COMM_TYPE_SHARED)
        self.shared = node.size == self.size if shared is None else shared
        self._sums: dict[Any, OrderedSum] = {}
        _end_all_with(self)

    def broadcast(self, value: Any) -> Any:
        return self._comm.bcast(value)

    def gather(self, value: Any) -> list[Any]:
        return list(self._comm.allgather(value))

    def barrier(self) -> None:
        self._comm.Barrier()

    def all_end(self) -> bool:
        met, until = self._at_the_end.Ibarrier(), time.monotonic() + MOMENT
        while not met.Test() and time.monotonic() < until:
            time.sleep(0.01)
        return bool(met.Test())

    def abort(self, status: int = 1) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        self._comm.Abort(status)

    def ordered_sum(self, counts: Sequence[int], length: int, dtype: str, common: int = 0) -> OrderedSum:
        key = tuple(counts), length, dtype, common
        if key not in self._sums:  # one for all trainings, since shared memory is never freed
            kind = SharedSum if self.shared and self._fits(counts, length, dtype) else SentSum
            self._sums[key] = kind(self._comm, counts, length, dtype, common)
        return self._sums[key]

    def _fits(self, counts: Sequence[int], length: int, dtype: str) -> bool:
        """Whether memory for the sum can be shared: a process that touches too much of it is killed."""
        needed = (sum(counts) + self.size + 3) * length * np.dtype(dtype).itemsize
        try:
            free = shutil.disk_usage(SHARED_MEMORY).free
        except OSError:  # kept elsewhere
            return True
        return bool(self._comm.bcast(2 * needed <= free))


class SharedSum(OrderedSum):
    """A sum in memory that all processes share."""

    def __init__(self, comm: Any, counts: Sequence[int], length: int, dtype: str, common: int = 0) -> None:
        from mpi4py import MPI

        height, item = sum(counts) + comm.size + 3, np.dtype(dtype).itemsize
        # Never freed, which all processes would have to do at once: it lives as long as they do.
        own = height * length * item if comm.rank == 0 else 0
        self._window, self._comm = MPI.Win.Allocate_shared(own, item, comm=comm), comm
        self._window.Lock_all()
        memory, _ = self._window.Shared_query(0)
        everything = np.frombuffer(cast(Any, memory), dtype, height * length).reshape(height, length)
        bounds = list(accumulate(counts, initial=0))
        self._all, self._owns = everything[: bounds[-1]], everything[bounds[-1] : -3]
        self.total, self.own = everything[-3], self._owns[comm.rank]
        self._gathered, self._next = everything[-2:], 0
        self.rows = self._all[bounds[comm.rank] : bounds[comm.rank + 1]]
        columns = _columns(length - common, comm.size)
        self.columns = columns[comm.rank]
        self._others = [(rank, its) for rank, its in enumerate(columns) if rank != comm.rank]
        self._common = slice(length - common, length)

    def add(self) -> None:
        self._meet()
        self._next = 0
        _add(self._all, self.columns, self.total)
        rows = self._all[:, self._common]
        self.total[self._common] = reduce(add, rows[1:], rows[0])  # at once: others read it

    def gather(self, vector: HostArray) -> None:
        if vector is self.total:
            self._meet()
            return
        if np.may_share_memory(vector, self.own):
            self._meet()
            for rank, columns in self._others:
                vector[columns] = self._owns[rank, columns]
            return
        gathered = self._gathered[self._next]  # the others may still read from the one before
        self._next = 1 - self._next
        gathered[self.columns] = vector[self.columns]
        self._meet()
        for _, columns in self._others:
            vector[columns] = gathered[columns]

    def _meet(self) -> None:
        """Wait until all processes have written."""
        self._window.Sync()
        self._comm.Barrier()
        self._window.Sync()


class SentSum(OrderedSum):
    """A sum by messages: each process gets its columns of all rows, adds, and sends the sums."""

    def __init__(self, comm: Any, counts: Sequence[int], length: int, dtype: str, common: int = 0) -> None:
        self._comm, own = comm, counts[comm.rank]
        self.rows, (self.total, self.own) = np.zeros((own, length), dtype), np.zeros((2, length), dtype)
        self._columns = _columns(length - common, comm.size)
        self.columns, self._common = self._columns[comm.rank], slice(length - common, length)
        widths = [columns.stop - columns.start + common for columns in self._columns]
        self._send_sizes = [own * width for width in widths]
        self._receive_sizes = [count * widths[comm.rank] for count in counts]
        self._sent = np.zeros(sum(self._send_sizes), dtype)
        ends = list(accumulate(self._send_sizes))
        self._parts = [part.reshape(own, -1) for part in np.split(self._sent, ends[:-1])]
        self._received = np.zeros((sum(counts), widths[comm.rank]), dtype)

    def add(self) -> None:
        for part, columns in zip(self._parts, self._columns, strict=True):
            width = columns.stop - columns.start
            part[:, :width], part[:, width:] = self.rows[:, columns], self.rows[:, self._common]
        self._comm.Alltoallv([self._sent, self._send_sizes], [self._received, self._receive_sizes])
        width = self.columns.stop - self.columns.start
        _add(self._received[:, :width], slice(0, width), self.total[self.columns])
        common = self._received[:, width:]
        _add(common, slice(0, common.shape[1]), self.total[self._common])

    def gather(self, vector: HostArray) -> None:
        from mpi4py import MPI

        widths = [columns.stop - columns.start for columns in self._columns]
        self._comm.Allgatherv(MPI.IN_PLACE, [vector[: self._common.start], widths])


def _columns(length: int, size: int) -> list[slice]:
    """The columns of every process."""
    return [slice(*bounds) for bounds in pairwise(rank * length // size for rank in range(size + 1))]


def _add(rows: HostArray, columns: slice, out: HostArray) -> None:
    """Write the sum of the rows, in order, into these columns of `out`."""
    for start in range(columns.start, columns.stop, BLOCK):
        block = slice(start, min(start + BLOCK, columns.stop))
        sum_here = out[block]
        sum_here[...] = rows[0, block]
        for row in rows[1:, block]:
            sum_here += row


def _end_all_with(communicator: MPICommunicator) -> None:
    """From now on an exception that ends this process ends the others, which would wait for it for ever.

    Where all fail alike, process 0 tells.
    """
    before = sys.excepthook

    def end_all(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        alike = communicator.all_end()
        if alike and communicator.rank:
            return
        sys.stderr.write(f"process {communicator.rank} of {communicator.size}:\n")
        before(kind, error, trace)
        if not alike:
            communicator.abort(130 if issubclass(kind, KeyboardInterrupt) else 1)

    sys.excepthook = end_all
