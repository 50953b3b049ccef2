"""Run folders as fixtures."""

from __future__ import annotations

from pathlib import Path

import pytest

from .runs import make_runs_with_seeds, make_small_run


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return make_small_run(tmp_path)


@pytest.fixture
def seeds(tmp_path: Path) -> list[Path]:
    return make_runs_with_seeds(tmp_path)
