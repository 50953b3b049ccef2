"""NumPy on the CPU."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np

from .base import Array, Backend, BackendUnavailableError
from .numpy_capture import NumpyCapture
from .numpy_fast import WRITES_INTO, allocate_from_heap, by_blocks, namespace


class NumpyBackend(Backend):
    name = "numpy"
    libraries = ("numpy",)
    refused: ClassVar[Mapping[str, str]] = {
        "MaskedArray": "the numbers under its mask would count; leave those samples out, or give x.filled(…)",
        "matrix": "its * is a product of matrices; give numpy.asarray(x)",
    }
    has_views = True
    slab_bytes = 2**20  # in the cache of a core

    def __init__(self, device: str | None = None) -> None:
        if device not in (None, "cpu"):
            raise BackendUnavailableError(f"numpy:{device}", "NumPy computes on the CPU only", "use 'cpu'")
        self.device, self.xp = "cpu", namespace()
        allocate_from_heap()

    @property
    def version(self) -> str:
        return np.__version__

    @property
    def threads(self) -> int | None:
        for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
            if os.environ.get(variable, "").isdecimal():
                return int(os.environ[variable])
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()

    def asarray(self, values: Any, *, dtype: Any = None) -> Array:
        return np.asarray(self._from_host(values), dtype=self.dtype(dtype))

    def to_numpy(self, array: Array) -> np.ndarray[Any, Any]:
        return np.asarray(array)

    def into(self, out: Array, function: Callable[..., Array], *args: Any, **options: Any) -> None:
        if function in WRITES_INTO:
            WRITES_INTO[function](out, *args, **options)
        else:
            super().into(out, function, *args, **options)

    def capture(
        self,
        function: Callable[..., tuple[Array, ...]],
        *state: Mapping[str, Array],
        watch: Callable[[], Any] | None = None,
    ) -> Callable[..., tuple[Array, ...]]:
        return NumpyCapture(function, state)

    def fuse(self, function: Callable[..., tuple[Array, ...]]) -> Callable[..., tuple[Array, ...]]:
        return by_blocks(function)

    def is_writable(self, array: Array) -> bool:
        return isinstance(array, np.generic) or bool(array.flags.writeable)

    @staticmethod
    def device_of(array: Array) -> str:
        return "cpu"
