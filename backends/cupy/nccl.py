"""Sums of several processes on their GPUs, one for each process, by NCCL with MPI to find each other.

All calls go into the current stream, allocate nothing and wait for nothing, so a graph may capture them, as
NCCL allows from 2.9.6 on: in all processes alike, and after the same calls have been made once outside.
"""

from __future__ import annotations

import ctypes
import socket
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

from ..array import Array
from ..communicator import Communicator, OrderedSum
from ..errors import BackendUnavailableError


@cache
def connected(cupy: Any, communicator: Communicator, index: int) -> Nccl | None:
    """The connection of all processes, each with its GPU; None, with a warning, if one of them lacks NCCL.

    Raises `BackendUnavailableError` in all of them if two have the same GPU.
    """
    nccl, device = _library(), cupy.cuda.Device(index)
    place = socket.gethostname(), device.pci_bus_id
    found = communicator.gather((place, nccl is not None))
    _check_own(index, [place for place, _ in found])
    missing = [rank for rank, (_, has_nccl) in enumerate(found) if not has_nccl]
    if not missing:
        return Nccl(cupy, nccl, communicator, device)
    if communicator.rank == 0:
        package = f"nvidia-nccl-cu{cupy.cuda.runtime.runtimeGetVersion() // 1000}"
        warnings.warn(
            f"gradients go from GPU to GPU by way of the host, and steps are called, not captured, which is "
            f"slower: process {missing[0]} has no NCCL; pip install {package}",
            stacklevel=2,
        )
    return None


def _library() -> Any:
    """CuPy's `nccl`; None if it is of no use without NVIDIA's library."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # CuPy's own, in every process
        from cupy.cuda import nccl
    return nccl if nccl.available else None


def _check_own(index: int, places: Sequence[tuple[str, str]]) -> None:
    """Raise unless every process has a GPU of its own; a place is a host and a bus address there."""
    for rank, (host, bus) in enumerate(places):
        first = places.index((host, bus))
        if first < rank:
            raise BackendUnavailableError(
                f"cupy:{index}",
                f"processes {first} and {rank} have the same GPU, {bus} of {host}, and each needs its own",
                "start at most as many processes on a machine as it has GPUs; 'gpu' gives each another one "
                "of those that CUDA_VISIBLE_DEVICES shows to it; or use 'cpu'",
            )


class Nccl:
    """The connection of the GPUs of all processes of a communicator.

    It lasts as long as the process, since closing it, even aborting, waits for the end of every graph that
    has captured it. If a process dies, the others wait for it on their GPUs, until MPI's abort kills them.
    """

    def __init__(self, cupy: Any, nccl: Any, communicator: Communicator, device: Any) -> None:
        self.cupy, self.device = cupy, device
        self.rank, self.size = communicator.rank, communicator.size
        self._nccl, self._sums = nccl, dict[Any, NcclSum]()
        name = communicator.broadcast(nccl.get_unique_id() if self.rank == 0 else None)
        with device:
            self._comm = nccl.NcclCommunicator(self.size, name, self.rank)
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._comm))  # CuPy closes it with its last reference

    def sum(self, counts: Sequence[int], length: int, dtype: str) -> NcclSum:
        """See `Communicator.ordered_sum`."""
        key = tuple(counts), length, dtype
        if key not in self._sums:
            with self.device:
                self._sums[key] = NcclSum(self, counts, length, dtype)
        return self._sums[key]

    @contextmanager
    def group(self) -> Iterator[None]:
        """Calls within are made as one, so that none waits for another."""
        self._nccl.groupStart()
        try:
            yield
        finally:
            self._nccl.groupEnd()

    def send(self, array: Any, peer: int) -> None:
        """Send a contiguous array to a process."""
        if array.size:
            self._comm.send(array.data.ptr, array.size, self._dtype(array), peer, self._stream)

    def receive(self, array: Any, peer: int) -> None:
        """Fill a contiguous array with what a process sends."""
        if array.size:
            self._comm.recv(array.data.ptr, array.size, self._dtype(array), peer, self._stream)

    def gather(self, parts: Any) -> None:
        """Fill parts[i], for all i, with what it is in process i."""
        if parts.size:
            own = parts[self.rank]
            self._comm.allGather(own.data.ptr, parts.data.ptr, own.size, self._dtype(own), self._stream)

    def _dtype(self, array: Any) -> int:
        return int(getattr(self._nccl, f"NCCL_{array.dtype.name.upper()}"))

    @property
    def _stream(self) -> int:
        return int(self.cupy.cuda.get_current_stream().ptr)


class NcclSum(OrderedSum):
    """A sum on GPUs: each process gets its part of the columns of all rows, adds, and sends the sums.

    All parts are as wide as the first; of the last ones, some columns or all are beyond the sum's.
    """

    on_host = False

    def __init__(self, nccl: Nccl, counts: Sequence[int], length: int, dtype: str) -> None:
        self._nccl, empty, zeros = nccl, nccl.cupy.empty, nccl.cupy.zeros
        width = -(-length // nccl.size)
        stops = [min(rank * width, length) for rank in range(nccl.size + 1)]
        self._columns = [slice(*stops[rank : rank + 2]) for rank in range(nccl.size)]
        own = self._columns[nccl.rank]
        self._rows = [[empty(own.stop - own.start, dtype) for _ in range(count)] for count in counts]
        self._parts = zeros((nccl.size, width), dtype)
        self._part = self._parts[nccl.rank, : own.stop - own.start]
        self.total = self._parts.ravel()[:length]  # a view

    def of(self, vectors: Sequence[Any]) -> Array:
        """Set `total`, and return it; `vectors` are those of this process."""
        vectors = [self._nccl.cupy.ascontiguousarray(vector) for vector in vectors]
        with self._nccl.group():
            for peer, (columns, rows) in enumerate(zip(self._columns, self._rows, strict=True)):
                for vector in vectors:
                    self._nccl.send(vector[columns], peer)
                for row in rows:
                    self._nccl.receive(row, peer)
        first, *others = [row for rows in self._rows for row in rows]
        self._part[...] = first
        for row in others:
            self._part += row
        self._nccl.gather(self._parts)
        return self.total
