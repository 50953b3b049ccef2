"""PyTorch on the CPU, a CUDA GPU or Apple's MPS, without its autograd."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, cast

import numpy as np

from ..array import Array, DType, HostArray
from ..base import Backend, Replay
from ..errors import BackendUnavailableError, first_line
from ..processor import processor_name
from ..rounding import agree, updates_agree
from . import TorchTensor


class TorchBackend(Backend):
    name = "torch"
    libraries = ("torch",)
    refused: ClassVar[Mapping[str, str]] = {
        "MaskedTensor": "the numbers under its mask would count; leave those samples out, or fill them"
    }
    has_views = True

    def __init__(self, device: str | None = None) -> None:
        try:
            import torch

            from .namespace import xp
        except ImportError:
            raise BackendUnavailableError("torch", "PyTorch is not installed", "pip install torch") from None
        self._torch: Any = torch
        self.xp = xp
        try:
            self.device = str(torch.empty(0, device=device or "cpu").device)
            self.verify()
        except Exception as error:  # torch raises RuntimeError, AssertionError, NotImplementedError, …
            raise BackendUnavailableError(
                f"torch:{device}",
                f"PyTorch cannot use this device ({first_line(error)})",
                "use 'torch:cpu', or install the PyTorch build for this machine",
            ) from None
        self.can_record = self._on_cuda
        self.graph_steps = 50 if self._on_cuda else 1

    @property
    def version(self) -> str:
        return str(self._torch.__version__)

    @property
    def threads(self) -> int | None:
        return self._torch.get_num_threads() if self.device == "cpu" else None

    @property
    def machine(self) -> dict[str, Any]:
        if self.device == "cpu":
            simd = self._torch.backends.cpu.get_cpu_capability()
            return {**super().machine, "CPU": processor_name(), "SIMD": simd}
        if self._on_cuda:
            name = self._torch.cuda.get_device_name(self.device)
            return {**super().machine, "GPU": name, "TF32": self._tf32}
        return {**super().machine, "GPU": ""}

    def dtype(self, dtype: DType) -> DType:
        found = super().dtype(dtype)
        if found is self._torch.float64 and self.device.startswith("mps"):
            raise TypeError("torch:mps has no float64: use float32, and check gradients on 'torch:cpu'")
        return found

    def _from_host(self, values: object) -> HostArray:
        host = super()._from_host(values)
        # PyTorch has no read-only tensors and no negative strides.
        return host if host.flags.writeable and host.flags.c_contiguous else host.copy(order="C")

    def is_writable(self, array: Array) -> bool:
        return not _tensor(array).requires_grad

    def detached(self, array: Array) -> Array:
        return cast(Array, _tensor(array).detach()) if _tensor(array).requires_grad else array

    def to_numpy(self, array: Array) -> HostArray:
        return np.asarray(_tensor(array).detach().cpu().numpy())

    def read(self, *arrays: Array) -> list[HostArray]:
        if self.device == "cpu" or len(arrays) < 2:
            return super().read(*arrays)
        from .reading import read

        return read([self.detached(x) for x in arrays])

    def write_out(self, out: Array, function: Callable[..., Array], *args: Any, **options: Any) -> None:
        if function is self.xp.matmul and _fits(out, *args):
            self._torch.matmul(*args, out=out)
        else:
            super().write_out(out, function, *args, **options)

    def record(
        self,
        function: Callable[..., tuple[Array, ...]],
        state: Sequence[Mapping[str, Array]],
        inputs: Sequence[Array],
    ) -> Replay:
        if not self.can_record:
            return super().record(function, state, inputs)
        from .capture import TorchReplay

        return TorchReplay(function, state, inputs, self._torch.cuda, self.device)

    def agree(self, x: Array, y: Array) -> Array:
        return super().agree(x, y) if self.replays_exactly else agree(self.xp, x, y, tf32=self._tf32)

    def updates_agree(self, before: Array, x: Array, y: Array) -> Array:
        if self.replays_exactly:
            return super().updates_agree(before, x, y)
        return updates_agree(self.xp, before, x, y, tf32=self._tf32)

    @property
    def free_memory(self) -> int | None:
        if not self._on_cuda:
            return None
        cuda = self._torch.cuda
        free, _ = cuda.mem_get_info(self.device)
        return int(free + cuda.memory_reserved(self.device) - cuda.memory_allocated(self.device))

    def is_out_of_memory(self, error: BaseException) -> bool:
        text = str(error) if isinstance(error, RuntimeError) else ""
        return super().is_out_of_memory(error) or "out of memory" in text or "DefaultCPUAllocator" in text

    def synchronize(self) -> None:
        if self._on_cuda:
            self._torch.cuda.synchronize(self.device)

    @property
    def _on_cuda(self) -> bool:
        return self.device.startswith("cuda")

    @property
    def _tf32(self) -> bool:
        """Whether float32 products may round their factors to TF32: PyTorch's own switch, off by default."""
        matmul = self._torch.backends.cuda.matmul
        precision = getattr(matmul, "fp32_precision", None)  # since PyTorch 2.9
        return bool(matmul.allow_tf32) if precision is None else precision == "tf32"


def _fits(out: TorchTensor, a: TorchTensor, b: TorchTensor) -> bool:
    """Whether PyTorch's matmul writes a product of matrices into `out` itself, of this dtype and shape."""
    if not (a.ndim == b.ndim == 2 and a.dtype == b.dtype == out.dtype):
        return False
    return bool(out.shape == (a.shape[0], b.shape[1]) and out.is_contiguous())


def _tensor(array: Array) -> Any:
    return array
