"""Several tensors to the host in one transfer, since each waits for the device."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise

import torch

from ..array import HostArray
from . import TorchTensor


def read(tensors: Sequence[TorchTensor]) -> list[HostArray]:
    """The tensors' values on the host: their bytes are laid side by side on the device first."""
    parts = [x.contiguous().reshape(-1).view(torch.uint8) for x in tensors]
    host = torch.cat(parts).cpu()
    ends = pairwise(accumulate((len(part) for part in parts), initial=0))
    return [
        host[start:end].clone().view(x.dtype).reshape(x.shape).numpy()
        for x, (start, end) in zip(tensors, ends, strict=True)
    ]
