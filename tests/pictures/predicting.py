"""Predict from the command line, and read what the network sees."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from backprop.cli import main
from backprop.pictures import Style
from backprop.saving.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from backprop.saving.network import save_network

from .photographs import Image

FILE = "a.safetensors"


def save(network: Any, style: Style | None) -> None:
    """Save a network as if trained on data of this style."""
    save_network(FILE, network)
    checkpoint = read_checkpoint(FILE)
    pictures = style and style.to_dict()
    write_checkpoint(
        FILE, Checkpoint({**checkpoint.description, "data": {"pictures": pictures}}, checkpoint.arrays)
    )


def predict_and_see(capsys: pytest.CaptureFixture[str], name: str, run: str = FILE) -> tuple[np.ndarray, str]:
    """Predict a picture; return what the network sees of it, and the printed notes."""
    capsys.readouterr()
    assert main(["predict", run, "--input", name, "--show-input", "seen.png"]) == 0
    with Image.open("seen.png") as shown:
        return np.asarray(shown), capsys.readouterr().err
