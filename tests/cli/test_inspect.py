"""`backprop inspect`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from backprop import Training
from backprop.saving.checkpoint import write_checkpoint
from backprop.saving.network import save_network

from ..commands import fails
from .networks import FILE, network, output_of, write_data


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_inspect(capsys: pytest.CaptureFixture[str]) -> None:
    write_data()
    save_network(FILE, network())
    out = output_of(capsys, "inspect", FILE)
    assert "TwoLayerNet(Affine1 · Relu1 · Affine2 · SoftmaxWithLoss), float32" in out
    assert "params.W1  F32  16×2" in out
    with np.load("d.npz") as arrays:
        training = Training(network(), arrays["x_train"], arrays["t_train"], epochs=2, batch_size=10, rng=0)
        list(training)
    write_checkpoint(FILE, training.checkpoint())
    out = output_of(capsys, "inspect", FILE)
    assert "training  6 steps" in out
    assert "optimizer SGD(lr=0.1, max_norm=None)" in out
    (found,) = output_of(capsys, "inspect", FILE, "--json")
    assert found["training"]["step"] == 6
    assert found["arrays"]["params.W1"] == {"dtype": "F32", "shape": [16, 2]}
    Path(FILE).write_bytes(b"no")
    assert "is not a readable checkpoint" in fails(capsys, "inspect", FILE)
