"""Which source of a setting comes before which."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from backprop.cli import main

from ..commands import fails
from .runs import TRAIN, train

pytestmark = pytest.mark.usefixtures("folder")


def test_flag_beats_environment_beats_file(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def start(*words: str) -> dict[str, Any]:
        capsys.readouterr()
        assert main(["train", "--no-save", "--json", *words]) == 0
        return json.loads(capsys.readouterr().out.splitlines()[0])  # type: ignore[no-any-return]

    Path("run.toml").write_text(
        'device = "cpu"\ndata = "small.npz"\nepochs = 2\nbatch_size = 20\nlr = 0.3\nno-capture = true\nseed = 1\n'
    )
    read = start("--config", "run.toml")
    assert (read["batch_size"], read["lr"], read["steps"], read["capture"]) == (20, 0.3, 20, False)
    monkeypatch.setenv("BACKPROP_CONFIG", "run.toml")
    monkeypatch.setenv("BACKPROP_LR", "0.4")
    monkeypatch.setenv("BACKPROP_NO_CAPTURE", "false")
    read = start("--batch-size", "40", "--iters", "7")
    assert (read["batch_size"], read["lr"], read["steps"], read["capture"]) == (40, 0.4, 7, True)


def test_two_lengths_in_one_place(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("run.toml").write_text("iters = 3\nepochs = 2\n")
    assert "run.toml: give epochs or iters, not both" in fails(
        capsys, *TRAIN, "--config", "run.toml", status=2
    )
    monkeypatch.setenv("BACKPROP_ITERS", "3")
    monkeypatch.setenv("BACKPROP_EPOCHS", "2")
    assert "give epochs or iters, not both" in fails(capsys, *TRAIN, status=2)


def test_help_imports_no_numpy_with_settings_from_elsewhere() -> None:
    train("--epochs", "1", "--out", "here")
    code = (
        "import sys; from backprop.cli.merge import merge_settings\n"
        "print(merge_settings({'resume': 'here'}, '').epochs, 'numpy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1", "False"]
