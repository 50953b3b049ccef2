"""Whether data are those of a run, wherever they lie."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
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


@dataclass(frozen=True)
class Fingerprint:
    """What tells data from others: the SHA-256, and the checksum of checkpoints of format 1."""

    sha256: str
    crc32: int
    transposed: str | None = None
    """The SHA-256 with images as they lie in their files, where they were turned upright."""

    @classmethod
    def of(cls, data: Dataset) -> Fingerprint:
        """That of these data."""
        return cls(data_digest(data), _crc_of_format_1(data), _digest_as_stored(data))

    def is_of(self, description: Mapping[str, Any]) -> bool:
        """Whether it is that of the data which a checkpoint's description tells of."""
        facts = description.get("data", {})
        if "sha256" in facts:
            return bool(facts["sha256"] == self.sha256)
        return "crc32" in facts and facts["crc32"] == self.crc32

    def was_transposed(self, description: Mapping[str, Any]) -> bool:
        """Whether that tells of these data with images that were not turned upright, as once."""
        return self.transposed is not None and description.get("data", {}).get("sha256") == self.transposed


def _digest_as_stored(data: Dataset) -> str | None:
    if not data.turned:
        return None
    return data_digest(replace(data, **{key: np.swapaxes(getattr(data, key), 1, 2) for key in data.turned}))


def _crc_of_format_1(data: Dataset) -> int:
    """Of all labels, and of every hundredth sample."""
    crc = 0
    for part in (data.t_train, data.t_test, data.x_train[::100], data.x_test[::100]):
        crc = zlib.crc32(np.ascontiguousarray(part).tobytes(), crc)
    return crc
