"""A digest of a host array."""

from __future__ import annotations

import hashlib

import numpy as np

from .array import HostArray


def digest(array: HostArray) -> bytes:
    """The BLAKE2b hash, of 16 bytes, of the array's bytes in C order."""
    contents = np.ascontiguousarray(array).reshape(-1).view(np.uint8).data
    return hashlib.blake2b(contents, digest_size=16).digest()
