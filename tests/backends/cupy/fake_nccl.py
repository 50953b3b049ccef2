"""A stand-in for `cupy.cuda.nccl` on emulated GPUs, whose memory is the host's: MPI carries what NCCL would.

What a process sends to itself is copied on the stream, so a group of one can be captured; others cannot, since
there are no messages of MPI's in a graph.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

EMULATED = "CUPY_EMULATOR_LIBRARIES" in os.environ

available = True
NCCL_FLOAT16, NCCL_FLOAT32, NCCL_FLOAT64, NCCL_INT64 = 6, 7, 8, 4
DTYPES = {6: "float16", 7: "float32", 8: "float64", 4: "int64"}

calls: list[str] = []
"""The names of all calls so far."""
_open: list[Callable[[], Any]] | None = None


def install() -> None:
    """Put it in the place of CuPy's."""
    sys.modules["cupy.cuda.nccl"] = sys.modules[__name__]


def provide(monkeypatch: pytest.MonkeyPatch) -> None:
    """NCCL for a group of one; without it, on a GPU that is none of the emulator's, skip the test."""
    from backends.cupy.nccl import _library

    if EMULATED:
        monkeypatch.setitem(sys.modules, "cupy.cuda.nccl", sys.modules[__name__])
    elif _library() is None:
        pytest.skip("NCCL is not installed")


def get_unique_id() -> tuple[int, ...]:
    return tuple(range(128))


def groupStart() -> None:  # noqa: N802 - NCCL's name
    global _open
    assert _open is None, "a group in a group"
    _open = []


def groupEnd() -> None:  # noqa: N802
    global _open
    assert _open is not None, "no group"
    waits, _open = _open, None
    for wait in waits:
        wait()


class NcclCommunicator:
    def __init__(self, count: int, unique_id: tuple[int, ...], rank: int) -> None:
        import cupy

        assert unique_id == get_unique_id()
        self._runtime, self.count, self.rank = cupy.cuda.runtime, count, rank
        self.device = self._runtime.getDevice()
        self._to_itself: list[tuple[int, int]] = []
        if count > 1:
            from mpi4py import MPI

            self._comm = MPI.COMM_WORLD.Dup()
            assert (self._comm.size, self._comm.rank) == (count, rank)

    def __del__(self) -> None:
        sys.stdout.write("NCCL is closed, for which it waits for all graphs\n")

    def send(self, pointer: int, count: int, dtype: int, peer: int, stream: int) -> None:
        calls.append("send")
        if peer == self.rank:
            self._to_itself.append((pointer, count))
        else:
            self._later(self._comm.Isend(self._memory(pointer, count, dtype, stream), peer).wait)

    def recv(self, pointer: int, count: int, dtype: int, peer: int, stream: int) -> None:
        calls.append("recv")
        if peer == self.rank:
            source, length = self._to_itself.pop(0)
            assert length == count
            size, kind = count * np.dtype(DTYPES[dtype]).itemsize, self._runtime.memcpyDeviceToDevice
            self._runtime.memcpyAsync(pointer, source, size, kind, stream)
        else:
            self._later(self._comm.Irecv(self._memory(pointer, count, dtype, stream), peer).wait)

    def allGather(self, sent: int, received: int, count: int, dtype: int, stream: int) -> None:  # noqa: N802
        calls.append("allGather")
        size = np.dtype(DTYPES[dtype]).itemsize
        assert sent == received + self.rank * count * size, "not in place"
        if self.count > 1:
            from mpi4py import MPI

            self._comm.Allgather(MPI.IN_PLACE, self._memory(received, self.count * count, dtype, stream))

    def _later(self, wait: Callable[[], Any]) -> None:
        assert _open is not None, "a message outside a group waits for the other process"
        _open.append(wait)

    def _memory(self, pointer: int, count: int, dtype: int, stream: int) -> Any:
        assert self._runtime.getDevice() == self.device, "another device is the current one"
        if self._runtime.streamIsCapturing(stream):
            raise RuntimeError("MPI's messages cannot be captured")
        kind = np.dtype(DTYPES[dtype])
        memory: Any = (ctypes.c_char * (count * kind.itemsize)).from_address(pointer)
        return np.frombuffer(memory, kind)
