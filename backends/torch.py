"""PyTorch on the CPU, a CUDA GPU or Apple's MPS, without its autograd."""

from __future__ import annotations

from typing import Any

import numpy as np

from .base import Array, Backend, BackendUnavailableError


class TorchBackend(Backend):
    name = "torch"
    libraries = ("torch",)
    has_views = True

    def __init__(self, device: str | None = None) -> None:
        try:
            import array_api_compat.torch as xp
            import torch
        except ImportError:
            raise BackendUnavailableError(
                "torch", "PyTorch is not installed", "pip install 'backprop[torch]'"
            ) from None
        self._torch, self.xp = torch, xp
        try:
            self.device = str(torch.empty(0, device=device or "cpu").device)
            self.verify()
        except Exception as error:  # torch raises RuntimeError, AssertionError, NotImplementedError, …
            raise BackendUnavailableError(
                f"torch:{device}",
                f"PyTorch cannot use this device ({str(error).splitlines()[0]})",
                "use 'torch:cpu', or install the PyTorch build for this machine",
            ) from None

    @property
    def version(self) -> str:
        return str(self._torch.__version__)

    @property
    def threads(self) -> int | None:
        return self._torch.get_num_threads() if self.device == "cpu" else None

    def _from_host(self, values: Any) -> np.ndarray[Any, Any]:
        host = np.asarray(values)
        # PyTorch has no read-only tensors and no negative strides.
        return host if host.flags.writeable and host.flags.c_contiguous else host.copy(order="C")

    def to_numpy(self, array: Array) -> np.ndarray[Any, Any]:
        return np.asarray(array.detach().cpu().numpy())
