"""Several arrays to the host in one transfer, since each waits for the device."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..array import HostArray
from . import CupyArray


def read(cupy: Any, arrays: Sequence[CupyArray]) -> list[HostArray]:
    """The arrays' values on the host: their bytes are laid side by side on the device first."""
    if len(arrays) == 1:
        return [np.asarray(cupy.asnumpy(arrays[0]))]
    ends = np.cumsum([0, *(x.nbytes for x in arrays)]).tolist()
    together = cupy.empty(ends[-1], cupy.uint8)
    for x, start, end in zip(arrays, ends, ends[1:], strict=False):
        if x.size:
            together[start:end] = cupy.ascontiguousarray(x).reshape(-1).view(cupy.uint8)
    host = cupy.asnumpy(together)
    return [
        host[start:end].copy().view(x.dtype).reshape(x.shape)
        for x, start, end in zip(arrays, ends, ends[1:], strict=False)
    ]
