"""Folders and data for the tests of the commands."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest


@pytest.fixture
def elsewhere(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs are kept in the current folder, and reports take their time."""
    monkeypatch.chdir(tmp_path_factory.mktemp("cwd"))
    monkeypatch.setenv("BACKPROP_NO_REPORT", "1")


@pytest.fixture
def small(tmp_path: Path) -> str:
    """A data set that trains in no time."""
    rng = np.random.default_rng(0)
    t_train, t_test = rng.integers(0, 3, 300), rng.integers(0, 3, 60)
    x_train, x_test = (rng.standard_normal((len(t), 4)) + 3.0 * np.eye(3, 4)[t] for t in (t_train, t_test))
    path = tmp_path / "small.npz"
    np.savez(path, x_train=x_train.astype("f"), t_train=t_train, x_test=x_test.astype("f"), t_test=t_test)
    return str(path)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder with a small data set; no report, which takes its time."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BACKPROP_NO_REPORT", "1")
    rng = np.random.default_rng(0)
    t_train, t_test = rng.integers(0, 3, 200), rng.integers(0, 3, 50)
    x_train, x_test = (rng.standard_normal((len(t), 4)) + 2.0 * np.eye(3, 4)[t] for t in (t_train, t_test))
    np.savez(
        "small.npz", x_train=x_train.astype("f"), t_train=t_train, x_test=x_test.astype("f"), t_test=t_test
    )
    return tmp_path
