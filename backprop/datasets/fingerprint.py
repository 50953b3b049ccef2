"""Recognize a run's data, wherever its files are."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..inputs import parts
from .dataset import Dataset


def data_digest(data: Dataset) -> str:
    """The SHA-256 of the data: of every byte, shape and dtype."""
    digest = hashlib.sha256()
    for array in (data.x_train, data.t_train, data.x_test, data.t_test):
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        for _, part in parts(array):
            digest.update(np.ascontiguousarray(part).data.cast("B") if part.size else b"")
    return digest.hexdigest()


@dataclass(frozen=True)
class Fingerprint:
    """What identifies a data set: its SHA-256, and the checksum in checkpoints of format 1."""

    sha256: str
    crc32: int
    sha256_as_stored: str | None = None
    """The SHA-256 of images as stored, if they were turned upright."""

    @classmethod
    def of(cls, data: Dataset) -> Fingerprint:
        """Compute the fingerprint of a data set."""
        return cls(data_digest(data), _crc_of_format_1(data), _digest_as_stored(data))

    def matches(self, description: Mapping[str, Any]) -> bool:
        """Whether a checkpoint's description names these data."""
        facts = description.get("data", {})
        if "sha256" in facts:
            return bool(facts["sha256"] == self.sha256)
        return "crc32" in facts and facts["crc32"] == self.crc32

    def matches_as_stored(self, description: Mapping[str, Any]) -> bool:
        """Whether it names these data as stored, which older versions used without turning the images."""
        stored = self.sha256_as_stored
        return stored is not None and description.get("data", {}).get("sha256") == stored


def _digest_as_stored(data: Dataset) -> str | None:
    if not data.transposed:
        return None
    stored = {key: np.swapaxes(getattr(data, key), 1, 2) for key in data.transposed}
    return data_digest(replace(data, **stored))


def _crc_of_format_1(data: Dataset) -> int:
    """The checksum of all labels and every hundredth sample."""
    crc = 0
    for array in (data.t_train, data.t_test, data.x_train[::100], data.x_test[::100]):
        for _, part in parts(array):
            crc = zlib.crc32(np.ascontiguousarray(part).tobytes(), crc)
    return crc
