"""A folder of IDX files as a fixture."""

from __future__ import annotations

from pathlib import Path

import pytest

from .small import NAMES, arrays, idx


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, array in zip(NAMES, arrays(), strict=True):
        (tmp_path / name).write_bytes(idx(array))
    return tmp_path
