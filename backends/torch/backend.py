"""PyTorch on the CPU, a CUDA GPU or Apple's MPS, without its autograd."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, cast

import numpy as np

from ..array import Array, DType, HostArray
from ..base import Backend
from ..errors import BackendUnavailableError, first_line
from ..processor import processor_name


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
        name = self._torch.cuda.get_device_name(self.device) if self.device.startswith("cuda") else ""
        return {**super().machine, "GPU": name}

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


def _tensor(array: Array) -> Any:
    return array
