"""NumPy on the CPU."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Any, ClassVar, cast

import numpy as np

from ..array import Array, DType, HostArray
from ..base import Backend, Fused, Replay
from ..communicator import OrderedSum
from ..errors import BackendUnavailableError
from ..processor import processor_name
from ..traced import TracedArray
from . import blas
from .fusion import blockwise
from .heap import allocate_from_heap
from .namespace import namespace
from .replay import NumpyReplay
from .write_out import DIRECT


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
        return {**super().machine, "CPU": processor_name(), **_kernels()}

    def computing(self, multiplications: int) -> AbstractContextManager[None]:
        return nullcontext() if multiplications >= blas.SMALL or blas.are_chosen() else blas.OneThread()

    def asarray(self, values: object, *, dtype: DType = None) -> Array:
        return np.asarray(self._from_host(values), dtype=self.dtype(dtype))

    def to_numpy(self, array: Array) -> HostArray:
        return np.asarray(array)

    def write_out(self, out: Array, function: Callable[..., Array], *args: Any, **options: Any) -> None:
        if isinstance(out, TracedArray):
            out.tape.write_out(out, function, *args, **options)
        elif function in DIRECT:
            DIRECT[function](out, *args, **options)
        else:
            super().write_out(out, function, *args, **options)

    def record(
        self,
        function: Callable[..., tuple[Array, ...]],
        state: Sequence[Mapping[str, Array]],
        inputs: Sequence[Array],
    ) -> Replay:
        return NumpyReplay(self, function, state, inputs)

    records_sums = True

    def ordered_sum(self, total: OrderedSum, vectors: Sequence[Array], *, part: bool = False) -> Array:
        traced = [vector for vector in vectors if isinstance(vector, TracedArray)]
        if traced:
            return cast(Array, traced[0].tape.ordered_sum(total, traced, part=part))
        for row, vector in zip(total.rows, vectors, strict=True):
            if not np.may_share_memory(row, vector):
                row[...] = vector
        (total.add if part else total)()
        return total.total

    def gather(self, total: OrderedSum, vector: Array) -> None:
        if isinstance(vector, TracedArray):
            vector.tape.gather(total, vector)
        else:
            total.gather(np.asarray(vector))

    def agree(self, x: Array, y: Array) -> Array:
        ours, theirs = (np.asarray(array, order="C") for array in (x, y))
        same = ours.view(f"u{ours.itemsize}") == theirs.view(f"u{theirs.itemsize}")
        if ours.dtype.kind == "f" and not same.all():
            same |= np.isnan(ours) & np.isnan(theirs)
        return np.asarray(same.all())

    def fuse(self, function: Fused) -> Fused:
        return blockwise(function)

    def is_writable(self, array: Array) -> bool:
        return isinstance(array, np.generic | TracedArray) or np.asarray(array).flags.writeable

    @staticmethod
    def device_of(array: Array) -> str:
        return "cpu"


@cache
def _kernels() -> dict[str, str]:
    """The kernels of the BLAS and of NumPy itself, as far as they are known."""
    simd = np.__config__.CONFIG.get("SIMD Extensions", {})
    found = {"BLAS": blas.description(), "SIMD": " ".join(simd.get("found", ()))}
    return {name: value for name, value in found.items() if value}
