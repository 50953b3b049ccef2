"""CuPy on an NVIDIA GPU."""

from __future__ import annotations

from typing import Any

import numpy as np

from .base import Array, Backend, BackendUnavailableError
from .driver import cuda_version, cupy_extra


class CupyBackend(Backend):
    name = "cupy"
    libraries = ("cupy",)
    has_views = True

    def __init__(self, device: str | None = None) -> None:
        index = self._index(device)
        driver = cuda_version()
        install = f"pip install 'backprop[{cupy_extra(driver)}]'"
        if driver is None:
            raise BackendUnavailableError(
                f"cupy:{index}",
                "no NVIDIA driver was found on this machine",
                f"install the driver and {install}, or use 'cpu'",
            )
        try:
            import array_api_compat.cupy as xp
            import cupy
        except ImportError as error:
            cause = "CuPy is not installed" if error.name in ("cupy", None) else str(error)
            raise BackendUnavailableError(f"cupy:{index}", cause, install) from None
        self._cupy, self.xp = cupy, xp
        self.device = f"cuda:{index}"
        try:
            count = cupy.cuda.runtime.getDeviceCount()
        except cupy.cuda.runtime.CUDARuntimeError as error:
            raise BackendUnavailableError(
                self.device, f"CUDA finds no device ({error})", "check nvidia-smi and CUDA_VISIBLE_DEVICES"
            ) from None
        if index >= count:
            raise BackendUnavailableError(
                self.device, f"this machine has {count} GPU(s)", f"use 'gpu:0' to 'gpu:{count - 1}'"
            )
        cupy.cuda.Device(index).use()
        try:
            self.verify()
        except Exception as error:  # whatever a broken set-up raises is the cause to report
            raise BackendUnavailableError(
                self.device,
                f"a small computation failed ({type(error).__name__}: {str(error).splitlines()[0]})",
                f"install the CuPy build for this driver: {install}",
            ) from None

    @staticmethod
    def _index(device: str | None) -> int:
        index = (device or "0").removeprefix("cuda:")
        if not index.isdecimal():
            raise ValueError(f"unknown GPU {device!r}: expected a number, as in 'gpu:1'")
        return int(index)

    @property
    def version(self) -> str:
        return str(self._cupy.__version__)

    @property
    def _device(self) -> Any:
        return self._cupy.cuda.Device(int(self.device.removeprefix("cuda:")))

    def asarray(self, values: Any, *, dtype: Any = None) -> Array:
        with self._device:
            return self._cupy.asarray(values, dtype=self.dtype(dtype))

    def to_numpy(self, array: Array) -> np.ndarray[Any, Any]:
        return np.asarray(self._cupy.asnumpy(array))

    @staticmethod
    def device_of(array: Array) -> str:
        return f"cuda:{array.device.id}"

    def synchronize(self) -> None:
        self._device.synchronize()
