"""A run folder of version 0.1.0, which every later version must read.

tests/data/run is what this wrote, with the place of the data and the CPU left out:
backprop train --device cpu --data small.npz --net mlp --layers 4-6-3 --batch-norm --dropout 0.2
--optimizer adam --lr 0.02 --schedule cosine --validation 0.2 --epochs 5 --batch-size 10 --log-every 2
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from backprop.cli import main
from backprop.saving import history_file
from backprop.saving.checkpoint import read_checkpoint
from backprop.saving.history import history_of
from backprop.saving.network import load_network

DATA = Path(__file__).parents[1] / "data"
SMALL = str(DATA / "small.npz")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(DATA / "run", tmp_path / "run")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "run"


def test_the_network() -> None:
    network = load_network(DATA / "run")
    with np.load(SMALL) as data:
        x, t = data["x_test"], data["t_test"]
    expected = [[0.4739708, -0.01770853, 0.27077478], [-1.3552073, 1.0413547, -1.2987909]]
    np.testing.assert_allclose(network.predict(x[:2]), expected, rtol=1e-4)
    loss, accuracy = network.evaluate(x, t)
    assert (loss, accuracy) == (pytest.approx(0.790548833, rel=1e-4), 10 / 15)


def test_the_history() -> None:
    history = history_of(read_checkpoint(DATA / "run" / "checkpoint-00000020.safetensors"))
    assert [metrics.step for metrics in history] == [4, 8, 12, 16, 20]
    assert all(metrics.validation_loss is not None and metrics.test_loss is None for metrics in history)
    lines = history_file.read_history(DATA / "run")
    assert [line["validation_loss"] for line in lines if line["event"] == "epoch"] == [
        metrics.validation_loss for metrics in history
    ]


def test_evaluate_and_inspect(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "run", "--data", SMALL, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["accuracy"], found["samples"]) == (10 / 15, 15)
    assert main(["inspect", "run"]) == 0
    assert "training  16 steps" in capsys.readouterr().out


@pytest.mark.filterwarnings("ignore:.*the resumed run may differ")
def test_resuming(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--resume", "run", "--data", SMALL, "--epochs", "7", "--no-report"]) == 0
    epochs = [line for line in history_file.read_history(folder) if line["event"] == "epoch"]
    before = [line for line in history_file.read_history(DATA / "run") if line["event"] == "epoch"]
    assert epochs[:5] == before
    assert [line["step"] for line in epochs] == [4, 8, 12, 16, 20, 24, 28]
    assert (
        main(["train", "--from", "run", "--data", SMALL, "--epochs", "1", "--batch-size", "9", "--no-save"])
        == 0
    )


def test_its_page(folder: Path) -> None:
    assert main(["report", "run"]) == 0
    page = (folder / "report.html").read_text("utf-8")
    assert "Affine1 · BatchNorm1 · Relu1 · Dropout1 · Affine2" in page
