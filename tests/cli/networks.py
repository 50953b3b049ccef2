"""A small network, data for it, and the output of commands."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from backprop import TwoLayerNet
from backprop.cli import main

FILE = "a.safetensors"


def network() -> TwoLayerNet:
    """A network that counts the bright pixels in each half of a picture (4, 4)."""
    made = TwoLayerNet(16, 2, 2, rng=0)
    halves = np.zeros((16, 2), "float32")
    halves[:8, 0] = halves[8:, 1] = 1.0
    made.load_params({"W1": halves, "b1": np.zeros(2), "W2": np.eye(2), "b2": np.zeros(2)})
    return made


def output_of(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    capsys.readouterr()
    assert main(words) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return [json.loads(line) for line in out.splitlines()] if "--json" in words else out


def write_data() -> None:
    rng = np.random.default_rng(0)
    x, t = rng.random((40, 4, 4)).astype("f"), rng.integers(0, 2, 40)
    np.savez("d.npz", x_train=x[:30], t_train=t[:30], x_test=x[30:], t_test=t[30:])


def train_on(x: np.ndarray, t: np.ndarray) -> None:
    np.savez("d.npz", x_train=x[:30], t_train=t[:30], x_test=x[30:], t_test=t[30:])
    words = [
        "--data",
        "d.npz",
        "--out",
        "run",
        "--epochs",
        "2",
        "--batch-size",
        "10",
        "--no-report",
        "--quiet",
    ]
    assert main(["train", *words]) == 0
