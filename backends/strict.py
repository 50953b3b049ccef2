"""array-api-strict: the standard and nothing else, on a device that is not the host.

It stands in for a GPU on any machine: it rejects implicit conversion to NumPy, operations on arrays of two
devices, and every function or argument that the standard lacks.
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from .array import Array, HostArray, Namespace
from .base import Backend
from .errors import BackendUnavailableError

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
        self._strict, self.xp = xp, cast(Namespace, xp)
        self.device = device or DEVICES[0]

    @property
    def version(self) -> str:
        return str(self._strict.__version__)

    @property
    def _device(self) -> Any:
        return self._strict.Device(self.device)

    def _from_host(self, values: object) -> HostArray:
        return super()._from_host(values).copy()  # a device has its own memory

    def to_numpy(self, array: Array) -> HostArray:
        return np.asarray(cast(Any, array).to_device(self._strict.Device("CPU_DEVICE")))

    @staticmethod
    def device_of(array: Array) -> str:
        return str(array.device).split("'")[1]
