"""CuPy on an NVIDIA GPU."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import cache
from types import SimpleNamespace
from typing import Any, cast

import numpy as np

from ..array import Array, DType, HostArray, Namespace
from ..base import Backend, Fused, Replay
from ..communicator import Communicator, OrderedSum
from ..errors import BackendUnavailableError, first_line
from ..fusion import fuses
from ..launch import launched_local_rank
from ..rounding import agree, updates_agree
from . import CupyArray
from .capture import CupyReplay
from .driver import cuda_version, cupy_packages
from .functions import functions
from .fusion import Fusion
from .nccl import Nccl, NcclSum, connected
from .products import Products, tf32
from .reading import read
from .write_out import writers


class CupyBackend(Backend):
    """CuPy on one GPU: by default the current device, or of several processes each another one.

    Naming a device, as in `get_backend("gpu:1")`, also makes it the current one of this thread, since that is
    where CuPy's functions put new arrays. Networks and trainings compute on their own device in any case.
    """

    name = "cupy"
    libraries = ("cupy",)
    has_views = True
    can_record = True
    graph_steps = 50
    few_calls = True
    slab_bytes = 2**28  # a pass over it takes 100 µs, a launch 2; small beside the memory of any card

    def __init__(self, device: str | None = None) -> None:
        driver = cuda_version()
        install = f"pip install {cupy_packages(driver)}"

        def unavailable(cause: str, cure: str) -> BackendUnavailableError:
            return BackendUnavailableError(f"cupy:{device}" if device else "cupy", cause, cure)

        index = self._index(device)
        if driver is None:
            cause = "no NVIDIA driver was found on this machine"
            raise unavailable(cause, f"install the driver and {install}, or use 'cpu'")
        try:
            import array_api_compat.cupy as xp
            import cupy
        except ModuleNotFoundError as error:
            cause = "CuPy is not installed" if error.name == "cupy" else first_line(error)
            raise unavailable(cause, install) from None
        except ImportError as error:
            raise unavailable(
                f"CuPy does not load ({first_line(error)})", f"reinstall it: {install}"
            ) from None
        self._cupy: Any = cupy
        self._products, self.xp = _namespace(cupy, xp)
        self._writers = writers(self.xp)
        self._fusion = fuses[cupy.ndarray] = Fusion(cupy, self.xp)
        try:
            count = cupy.cuda.runtime.getDeviceCount()
        except cupy.cuda.runtime.CUDARuntimeError as error:
            cure = f"check nvidia-smi and CUDA_VISIBLE_DEVICES, or replace a CuPy for another CUDA: {install}"
            raise unavailable(f"CUDA finds no device ({first_line(error)})", cure) from None
        local = launched_local_rank()
        if index is None and local is not None:
            cupy.cuda.Device(local % count).use()
        index = cupy.cuda.Device().id if index is None else index
        if index >= count:
            raise unavailable(f"this machine has {count} GPU(s)", f"use 'gpu:0' to 'gpu:{count - 1}'")
        self.device = f"cuda:{index}"
        try:
            with self._device:
                self.verify()
        except Exception as error:  # whatever a broken set-up raises is the cause to report
            cause = f"a small computation failed ({type(error).__name__}: {first_line(error)})"
            raise unavailable(cause, f"install the CuPy build for this driver: {install}") from None

    @staticmethod
    def _index(device: str | None) -> int | None:
        if device is None:
            return None
        index = device.removeprefix("cuda:")
        if not index.isdecimal():
            raise ValueError(f"unknown GPU {device!r}: expected a number, as in 'gpu:1'")
        return int(index)

    @property
    def version(self) -> str:
        return str(self._cupy.__version__)

    @property
    def machine(self) -> dict[str, Any]:
        index = int(self.device.removeprefix("cuda:"))
        name = self._cupy.cuda.runtime.getDeviceProperties(index)["name"].decode(errors="replace")
        return {**super().machine, "GPU": name, "TF32": tf32()}

    @property
    def _device(self) -> Any:
        return self._cupy.cuda.Device(int(self.device.removeprefix("cuda:")))

    def asarray(self, values: object, *, dtype: DType = None) -> Array:
        self._check_values(values)
        with self._device:
            return cast(Array, self._cupy.asarray(values, dtype=self.dtype(dtype)))

    def to_numpy(self, array: Array) -> HostArray:
        return np.asarray(self._cupy.asnumpy(array))

    def read(self, *arrays: Array) -> list[HostArray]:
        with self._device:
            return read(self._cupy, arrays)

    @staticmethod
    def device_of(array: Array) -> str:
        return f"cuda:{array.device.id}"

    def write_out(self, out: Array, function: Callable[..., Array], *args: Any, **options: Any) -> None:
        if function is self.xp.matmul and _fits(out, *args):
            self._products.product(args[0], args[1], out)
        elif function in self._writers:
            self._writers[function](out, *args, **options)
        else:
            super().write_out(out, function, *args, **options)

    def fuse(self, function: Fused) -> Fused:
        return self._fusion.of_arrays(function)

    def strided_view(self, x: Array, shape: tuple[int, ...], axes: Sequence[tuple[int, int]]) -> Array | None:
        own = cast(CupyArray, x).strides
        strides = [own[axis] * step for axis, step in axes]
        return cast(Array, self._cupy.lib.stride_tricks.as_strided(x, shape, strides))

    def record(
        self,
        function: Callable[..., tuple[Array, ...]],
        state: Sequence[Mapping[str, Array]],
        inputs: Sequence[Array],
    ) -> Replay:
        graph = self._cupy.cuda, self._device, self._products
        try:
            return CupyReplay(function, state, inputs, *graph)
        except MemoryError:
            self._cupy.get_default_memory_pool().free_all_blocks()  # which the graph's pool cannot use
        return CupyReplay(function, state, inputs, *graph)

    def records_sums(self, communicator: Communicator) -> bool:
        return self._connected(communicator) is not None

    def exchange(
        self, communicator: Communicator, counts: Sequence[int], length: int, dtype: str, common: int = 0
    ) -> OrderedSum:
        nccl = self._connected(communicator)
        if nccl is None:
            return super().exchange(communicator, counts, length, dtype, common)
        return nccl.sum(counts, length, dtype)

    def ordered_sum(self, total: OrderedSum, vectors: Sequence[Array], *, part: bool = False) -> Array:
        if isinstance(total, NcclSum):
            return total.of(vectors)  # all of it
        return super().ordered_sum(total, vectors, part=part)

    def _connected(self, communicator: Communicator) -> Nccl | None:
        return connected(self._cupy, communicator, self._device.id)

    def agree(self, x: Array, y: Array) -> Array:
        with self._device:
            return agree(self.xp, x, y, tf32=tf32())

    def updates_agree(self, before: Array, x: Array, y: Array) -> Array:
        with self._device:
            return updates_agree(self.xp, before, x, y, tf32=tf32())

    def computing(self, multiplications: int) -> AbstractContextManager[None]:
        return self.current()

    def current(self) -> AbstractContextManager[None]:
        return cast(AbstractContextManager[None], self._device)

    def make_current(self) -> None:
        self._device.use()

    @property
    def free_memory(self) -> int:
        with self._device:
            free, _ = self._cupy.cuda.runtime.memGetInfo()
            return int(free + self._cupy.get_default_memory_pool().free_bytes())

    def synchronize(self) -> None:
        self._device.synchronize()


def _fits(out: CupyArray, a: CupyArray, b: CupyArray) -> bool:
    """Whether a product of a and b has this dtype, and `out` its rows one after another."""
    return bool(a.dtype == b.dtype == out.dtype and out.flags.c_contiguous)


@cache
def _namespace(cupy: Any, xp: Any) -> tuple[Products, Namespace]:
    """The products, and the namespace of CuPy's arrays on all devices."""
    products = Products(cupy)
    own = {**functions(cupy, xp), "matmul": products.matmul}
    return products, cast(Namespace, SimpleNamespace(**{**vars(xp), **own}))
