"""Whether data are those of a run, wherever they lie."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from .dataset import Dataset


def data_digest(data: Dataset) -> str:
    """The SHA-256 of the data: of every byte, shape and dtype."""
    digest = hashlib.sha256()
    for array in (data.x_train, data.t_train, data.x_test, data.t_test):
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data.cast("B") if array.size else b"")
    return digest.hexdigest()


def same_data(description: Mapping[str, Any], data: Dataset, digest: str | None = None) -> bool:
    """Whether these are the data that a checkpoint's description tells of; `digest` is theirs."""
    facts = description.get("data", {})
    if "sha256" in facts:
        return bool(facts["sha256"] == (digest or data_digest(data)))
    return "crc32" in facts and facts["crc32"] == _crc_of_format_1(data)


def _crc_of_format_1(data: Dataset) -> int:
    """Of all labels, and of every hundredth sample."""
    crc = 0
    for part in (data.t_train, data.t_test, data.x_train[::100], data.x_test[::100]):
        crc = zlib.crc32(np.ascontiguousarray(part).tobytes(), crc)
    return crc
