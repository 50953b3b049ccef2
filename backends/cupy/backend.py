"""CuPy on an NVIDIA GPU."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from types import SimpleNamespace
from typing import Any

import numpy as np

from ..base import Array, Backend, BackendUnavailableError, Replay, first_line
from .capture import CupyReplay
from .cublas import Cublas, tf32
from .driver import cuda_version, cupy_packages

ROUNDING = {"float32": 1e-3, "float64": 1e-6}
"""How far apart, relative to the largest entry, the results of a step may be that is replayed: cuBLAS
through another door may add in another order, and what is left of a difference is rounded relatively more."""

COARSE = 0.02
"""The same where factors of float32 are rounded to 10 bits (tf32), and for every single parameter."""

UNSURE = 0.1
"""The share of the parameters whose updates may differ altogether: an optimizer such as Adam makes a whole
step of the rounding of a gradient that is zero, as of the biases below a batch normalization."""


def _rounding(dtype: Any) -> float:
    return COARSE if tf32() and dtype.name == "float32" else ROUNDING.get(dtype.name, COARSE)


class CupyBackend(Backend):
    """CuPy on one GPU: the current device by default.

    Naming a device, as in `"gpu:1"`, also makes it the current one of this thread, since that is
    where CuPy's functions put new arrays.
    """

    name = "cupy"
    libraries = ("cupy",)
    has_views = True
    can_record = True
    graph_steps = 50

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
        self._cupy = cupy
        self._capturing: Cublas | None = None
        self._changed: dict[Any, int] = {}
        self._fused: dict[Any, Callable[..., tuple[Array, ...]]] = {}
        self.xp = SimpleNamespace(**{**vars(xp), "matmul": self._matmul})
        try:
            count = cupy.cuda.runtime.getDeviceCount()
        except cupy.cuda.runtime.CUDARuntimeError as error:
            cure = f"check nvidia-smi and CUDA_VISIBLE_DEVICES, or replace a CuPy for another CUDA: {install}"
            raise unavailable(f"CUDA finds no device ({first_line(error)})", cure) from None
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
        if device is not None:
            self._device.use()

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
        return {**super().machine, "GPU": name, "TF32": os.environ.get("CUPY_TF32") == "1"}

    @property
    def _device(self) -> Any:
        return self._cupy.cuda.Device(int(self.device.removeprefix("cuda:")))

    def asarray(self, values: Any, *, dtype: Any = None) -> Array:
        self._check_values(values)
        with self._device:
            return self._cupy.asarray(values, dtype=self.dtype(dtype))

    def to_numpy(self, array: Array) -> np.ndarray[Any, Any]:
        return np.asarray(self._cupy.asnumpy(array))

    @staticmethod
    def device_of(array: Array) -> str:
        return f"cuda:{array.device.id}"

    def write_out(self, out: Array, function: Callable[..., Array], *args: Any, **options: Any) -> None:
        if function == self._matmul and out.flags.c_contiguous:
            self._product(args[0], args[1], out)
        else:
            super().write_out(out, function, *args, **options)

    def fuse(self, function: Callable[..., tuple[Array, ...]]) -> Callable[..., tuple[Array, ...]]:
        if function not in self._fused:

            def in_place(*arguments: Any) -> None:
                function(*arguments)

            kernel = self._cupy.fuse(kernel_name=getattr(function, "__name__", "fused"))(in_place)

            def fused(*arguments: Any) -> tuple[Array, ...]:
                if function not in self._changed:
                    self._changed[function] = self._changed_in_place(function, arguments)
                if not self._changed[function]:  # a kernel would lose what it returns
                    return function(*arguments)
                kernel(*arguments)
                return arguments[: self._changed[function]]

            self._fused[function] = fused
        return self._fused[function]

    def _changed_in_place(self, function: Callable[..., tuple[Array, ...]], arguments: Any) -> int:
        """How many of its arguments the function changes and returns; 0 if it returns anything else."""
        ones = [
            self._cupy.ones((1,) * x.ndim, x.dtype) if isinstance(x, self._cupy.ndarray) else x
            for x in arguments
        ]
        results = function(*ones)
        return len(results) if all(a is b for a, b in zip(ones, results, strict=False)) else 0

    def record(
        self,
        function: Callable[..., tuple[Array, ...]],
        state: Sequence[Mapping[str, Array]],
        inputs: Sequence[Array],
    ) -> Replay:
        return CupyReplay(function, state, inputs, self._cupy, self._cublas)

    def alike(self, x: Array, y: Array) -> bool:
        return bool((x == y).all() if x.dtype.kind != "f" else self._close(x, y, _rounding(x.dtype), y).all())

    def alike_updates(self, before: Array, x: Array, y: Array) -> bool:
        if not y.size:
            return True
        sure = self._close(x, y, _rounding(x.dtype), y - before).mean() >= 1.0 - UNSURE
        return bool(sure & self._close(x, y, COARSE, y).all())

    def _close(self, x: Array, y: Array, rounding: float, scale: Array) -> Array:
        """Where x and y differ by no more than this share of the largest finite entry of `scale`."""
        cupy = self._cupy
        largest = cupy.where(cupy.isfinite(scale), abs(scale), 0.0).max() if y.size else 0.0
        allowed = rounding * largest + 4.0 * float(np.finfo(y.dtype).eps) * abs(y)
        same = (x == y) | (cupy.isnan(x) & cupy.isnan(y))
        return same | (cupy.isfinite(y) & (abs(x - y) <= allowed))

    @cached_property
    def _cublas(self) -> Cublas:
        """For products in a capture; made with the first one."""
        try:
            self._capturing = Cublas(self._cupy)
        except ImportError as error:
            install = f"pip install {cupy_packages(cuda_version())}"
            raise ImportError(f"{first_line(error)}: {install}") from None
        return self._capturing

    def _matmul(self, x1: Array, x2: Array, /) -> Array:
        """The standard's matmul, also while a stream is captured."""
        return self._product(x1, x2)

    def _product(self, x1: Array, x2: Array, out: Array | None = None) -> Array:
        if self._capturing is not None and self._capturing.active:
            return self._capturing.matmul(x1, x2, out)
        return self._cupy.matmul(x1, x2, out=out)

    @property
    def free_memory(self) -> int:
        free, _ = self._cupy.cuda.runtime.memGetInfo()
        return int(free + self._cupy.get_default_memory_pool().free_bytes())

    def synchronize(self) -> None:
        self._device.synchronize()
