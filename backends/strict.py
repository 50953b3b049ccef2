"""array-api-strict: the standard and nothing else, on a device that is not the host.

A stand-in for a GPU on any machine: it refuses implicit conversion to NumPy, arrays of two devices
in one operation, and every function or argument that the standard does not have.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .base import Array, Backend, BackendUnavailableError

DEVICES = ("device1", "device2", "CPU_DEVICE")


class StrictBackend(Backend):
    name = "strict"
    libraries = ("array_api_strict",)
    has_views = True  # its arrays wrap NumPy's

    def __init__(self, device: str | None = None) -> None:
        try:
            import array_api_strict as xp
        except ImportError:
            raise BackendUnavailableError(
                "strict", "array-api-strict is not installed", "pip install array-api-strict"
            ) from None
        if (device or DEVICES[0]) not in DEVICES:
            raise BackendUnavailableError(
                f"strict:{device}", "no such device", f"use one of {', '.join(DEVICES)}"
            )
        xp.set_array_api_strict_flags(api_version="2024.12")
        self.device, self.xp = device or DEVICES[0], xp

    @property
    def version(self) -> str:
        return str(self.xp.__version__)

    @property
    def _device(self) -> Any:
        return self.xp.Device(self.device)

    def _from_host(self, values: Any) -> np.ndarray[Any, Any]:
        return super()._from_host(values).copy()  # a device has its own memory

    def to_numpy(self, array: Array) -> np.ndarray[Any, Any]:
        return np.asarray(array.to_device(self.xp.Device("CPU_DEVICE")))

    @staticmethod
    def device_of(array: Array) -> str:
        return str(array.device).split("'")[1]
