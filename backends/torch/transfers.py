"""What cannot be part of a CUDA graph: copies between host and device, and waiting for the device."""

from __future__ import annotations

from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from ..errors import CaptureError

READS = {"_local_scalar_dense", "is_nonzero", "item", "equal"}
"""Operations that give the host a value."""

COUNTS = {"nonzero", "masked_select", "bincount", "repeat_interleave", "_unique2", "unique_consecutive"}
"""Operations whose results have shapes that depend on values."""


class NoTransfers(TorchDispatchMode):  # type: ignore[misc,no-untyped-call,unused-ignore]
    """A context in which such an operation raises `CaptureError`, in this thread and on every device.

    CUDA itself would break off the capture, and say little about the reason.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call,unused-ignore]
        self._from_host: list[Any] = []  # what PyTorch makes on the host, of numbers and lists

    def __torch_dispatch__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Carry out an operation, or refuse it."""
        kwargs, name = kwargs or {}, function.overloadpacket.__name__
        if why := self._why_not(name, args, kwargs):
            raise CaptureError(why)
        result = function(*args, **kwargs)
        if name == "lift_fresh":
            self._from_host.append(result)
        return result

    def _why_not(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
        """Why the operation cannot be captured; empty if it can."""
        tensors = [x for x in tree_leaves((args, kwargs)) if isinstance(x, torch.Tensor)]
        from_host = any(x is own for x in tensors for own in self._from_host)
        masked = name in ("index", "index_put_") and any(map(_is_mask, args[1]))
        filled = name == "fill_" or (masked and name == "index_put_")
        if name in READS:
            return "a value is read from the device during the step"
        if name in COUNTS:
            return f"the shape of {name}'s result depends on values"
        if masked and not (filled and from_host):  # x[mask] = 0.0 needs no shape
            return "the shape of x[mask] depends on values"
        if from_host and not filled:
            return "a number is copied to the device during the step"
        if name in ("copy_", "_to_copy"):
            devices = sorted({str(x.device) for x in tensors} | {str(kwargs.get("device") or args[0].device)})
            if len(devices) > 1:
                return f"an array is copied between {' and '.join(devices)} during the step"
        return ""


def _is_mask(index: Any) -> bool:
    return isinstance(index, torch.Tensor) and index.dtype in (torch.bool, torch.uint8)
