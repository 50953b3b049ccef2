"""An empty folder for each test, and a trained network."""

from __future__ import annotations

from pathlib import Path

import pytest

from backprop.cli import main


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The folder of a run on MNIST."""
    out = str(tmp_path_factory.mktemp("runs") / "run")
    words = "--device cpu --epochs 4 --batch-size 200 --hidden 100 --optimizer adam --no-report --quiet"
    assert main(["train", *words.split(), "--out", out]) == 0
    return out
