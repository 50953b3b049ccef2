"""CuPy on an NVIDIA GPU."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

from .base import Array, Backend, BackendUnavailableError


def _driver_cuda_version() -> int | None:
    """The CUDA version that the NVIDIA driver supports, as 12080 for 12.8; None without a driver."""
    for library in ("libcuda.so.1", "nvcuda.dll"):
        try:
            driver = ctypes.CDLL(library)
        except OSError:
            continue
        version = ctypes.c_int(0)
        return version.value if driver.cuDriverGetVersion(ctypes.byref(version)) == 0 else None
    return None


def _extra(driver: int | None) -> str:
    """The pip command for the CuPy build that suits the driver."""
    extra = "cuda13x" if driver is None or driver >= 13000 else "cuda12x"
    return f"pip install 'backprop[{extra}]'"


class CupyBackend(Backend):
    name = "cupy"
    libraries = ("cupy",)
    has_views = True

    def __init__(self, device: str | None = None) -> None:
        index = self._index(device)
        driver = _driver_cuda_version()
        if driver is None:
            raise BackendUnavailableError(
                f"cupy:{index}",
                "no NVIDIA driver was found on this machine",
                f"install the driver and {_extra(driver)}, or use 'cpu'",
            )
        try:
            import array_api_compat.cupy as xp
            import cupy
        except ImportError as error:
            cause = "CuPy is not installed" if error.name in ("cupy", None) else str(error)
            raise BackendUnavailableError(f"cupy:{index}", cause, _extra(driver)) from None
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
                f"install the CuPy build for this driver: {_extra(driver)}",
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
