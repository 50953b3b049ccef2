"""NumPy on the CPU."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, ClassVar

import numpy as np

from .. import host
from ..base import Array, Backend, BackendUnavailableError, Replay
from ..tape import TracedArray
from . import blas
from .namespace import WRITES_INTO, allocate_from_heap, by_blocks, namespace
from .replay import NumpyReplay


class NumpyBackend(Backend):
    name = "numpy"
    libraries = ("numpy",)
    refused: ClassVar[Mapping[str, str]] = {
        "MaskedArray": "the numbers under its mask would count; leave those samples out, or give x.filled(…)",
        "matrix": "its * is a product of matrices; give numpy.asarray(x)",
    }
    has_views = True
    can_record = True
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
        return blas.threads()

    @property
    def machine(self) -> dict[str, Any]:
        return {**super().machine, "CPU": host.processor(), **host.kernels()}

    def limit_threads(self, multiplications: int) -> AbstractContextManager[None]:
        return nullcontext() if multiplications >= blas.SMALL or blas.are_chosen() else blas.OneThread()

    def asarray(self, values: Any, *, dtype: Any = None) -> Array:
        return np.asarray(self._from_host(values), dtype=self.dtype(dtype))

    def to_numpy(self, array: Array) -> np.ndarray[Any, Any]:
        return np.asarray(array)

    def write_out(self, out: Array, function: Callable[..., Array], *args: Any, **options: Any) -> None:
        if isinstance(out, TracedArray):
            out.tape.write_out(out, function, *args, **options)
        elif function in WRITES_INTO:
            WRITES_INTO[function](out, *args, **options)
        else:
            super().write_out(out, function, *args, **options)

    def record(
        self,
        function: Callable[..., tuple[Array, ...]],
        state: Sequence[Mapping[str, Array]],
        inputs: Sequence[Array],
    ) -> Replay:
        return NumpyReplay(self, function, state, inputs)

    def alike(self, x: Array, y: Array) -> bool:
        x, y = (np.asarray(array, order="C") for array in (x, y))
        same = x.view(f"u{x.itemsize}") == y.view(f"u{y.itemsize}")
        return bool(same.all()) or (x.dtype.kind == "f" and bool((same | (np.isnan(x) & np.isnan(y))).all()))

    def fuse(self, function: Callable[..., tuple[Array, ...]]) -> Callable[..., tuple[Array, ...]]:
        return by_blocks(function)

    def is_writable(self, array: Array) -> bool:
        return isinstance(array, np.generic | TracedArray) or bool(array.flags.writeable)

    @staticmethod
    def device_of(array: Array) -> str:
        return "cpu"
