"""Networks and optimizers from settings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backprop.cli import main
from backprop.cli.build import build_optimizer
from backprop.cli.settings import TrainSettings

from ..commands import fails

pytestmark = pytest.mark.usefixtures("elsewhere")


@pytest.fixture
def pictures(tmp_path: Path) -> str:
    """Images 12×12 whose brighter half tells the class."""
    rng = np.random.default_rng(0)
    t_train, t_test = rng.integers(0, 2, 80), rng.integers(0, 2, 20)

    def images(t: np.ndarray) -> np.ndarray:
        x = rng.integers(0, 60, (len(t), 12, 12))
        x[t == 0, :6] += 150
        x[t == 1, 6:] += 150
        return x.astype(np.uint8)

    path = tmp_path / "pictures.npz"
    np.savez(path, x_train=images(t_train), t_train=t_train, x_test=images(t_test), t_test=t_test)
    return str(path)


def first_event(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    """What a run says of itself; it must end well."""
    assert main(["train", "--device", "cpu", "--json", *arguments]) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert events[-1]["event"] == "end"
    start: dict[str, Any] = events[0]
    return start


@pytest.mark.parametrize(
    ("options", "network"),
    [
        (["--net", "mlp"], "MultiLayerNet(Affine1 · Relu1 · Affine2 · Relu2 · Affine3 · SoftmaxWithLoss)"),
        (["--net", "Two-Layer"], "TwoLayerNet(Affine1 · Relu1 · Affine2 · SoftmaxWithLoss)"),
        (
            ["--net", "MLP", "--activation", "Tanh"],
            "MultiLayerNet(Affine1 · Tanh1 · Affine2 · Tanh2 · Affine3 · SoftmaxWithLoss)",
        ),
        (
            [
                "--net",
                "mlp",
                "--layers",
                "144-9-2",
                "--activation",
                "tanh",
                "--batch-norm",
                "--dropout",
                "0.1",
            ],
            "MultiLayerNet(Affine1 · BatchNorm1 · Tanh1 · Dropout1 · Affine2 · SoftmaxWithLoss)",
        ),
        (
            ["--net", "simple-conv", "--init", "he"],
            "SimpleConvNet(Conv1 with Relu1 and Pool1 · Affine1 · Relu2 · Affine2 · SoftmaxWithLoss)",
        ),
        (
            ["--net", "deep-conv", "--dropout", "0", "--hidden", "7"],
            "DeepConvNet(Conv1 · Relu1 · Conv2 with Relu2 and Pool1 · Conv3 · Relu3 · Conv4 with Relu4 and Pool2 · Conv5 · Relu5 · Conv6 with Relu6 and Pool3 · Affine1 · Relu7 · "
            "Affine2 · SoftmaxWithLoss)",
        ),
    ],
)
def test_train_every_network(
    options: list[str], network: str, pictures: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run = ["--data", pictures, "--epochs", "2", "--batch-size", "20", "--optimizer", "adam", *options]
    assert first_event(capsys, *run)["network"] == network


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (["--optimizer", "sgd"], {"optimizer": "SGD", "lr": 0.1}),
        (["--optimizer", "Adam"], {"optimizer": "Adam", "lr": 0.001}),
        (
            ["--optimizer", "momentum", "--clip-norm", "2"],
            {"optimizer": "Momentum", "lr": 0.01, "clip_norm": 2.0},
        ),
        (["--optimizer", "adamw", "--weight-decay", "0.1", "--lr", "0.5"], {"optimizer": "AdamW", "lr": 0.5}),
        (
            ["--schedule", "cosine:0.01", "--warm-up", "3"],
            {"schedule": "cosine:0.01", "warm_up": 3, "lr": 0.1},
        ),
        (["--schedule", "step:5:0.5"], {"schedule": "step:5:0.5", "lr": 0.1}),
        (["--schedule", "Cosine:1E-4", "--optimizer", "ADAM"], {"schedule": "cosine:1e-4", "lr": 0.001}),
        (["--weight-decay", "0.01"], {"weight_decay": 0.01}),
    ],
)
def test_train_with_every_optimizer(
    options: list[str], found: dict[str, Any], small: str, capsys: pytest.CaptureFixture[str]
) -> None:
    start = first_event(capsys, "--data", small, "--epochs", "2", *options)
    assert {key: start[key] for key in found} == found


@pytest.mark.parametrize(
    ("settings", "arguments"),
    [
        ({"optimizer": "sgd", "clip_norm": 2.0}, {"lr": 0.1, "max_norm": 2.0}),
        ({"optimizer": "adamw", "weight_decay": 0.2}, {"lr": 0.001, "weight_decay": 0.2}),
        ({"optimizer": "sgd", "lr": 0.0}, {"lr": 0.0, "max_norm": None}),
    ],
)
def test_an_optimizer_takes_its_settings(settings: dict[str, Any], arguments: dict[str, Any]) -> None:
    optimizer = build_optimizer(TrainSettings(**settings), 1)
    assert {name: getattr(optimizer, name) for name in arguments} == arguments


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--net", "mpl"],
            "unknown network 'mpl': expected one of deep-conv, mlp, simple-conv, two-layer; did you mean mlp",
        ),
        (["--optimizer", "adem"], "unknown optimizer 'adem': expected one of adagrad, adam, "),
        (["--net", "mlp", "--activation", "rleu"], "unknown activation 'rleu'"),
        (["--init", "hee"], "unknown initial values 'hee': expected a number or one of he, "),
        (["--net", "mlp", "--layers", "5-3"], "--layers 5-3: the data has 4 numbers a sample and 3 classes"),
        (["--net", "mlp", "--layers", "4-x-3"], "--layers: expected widths such as 4-100-100-3, got '4-x-3'"),
        (["--dropout", "0.5"], "--dropout is for --net mlp and deep-conv, not for two-layer"),
        (
            ["--net", "mlp", "--hidden", "3"],
            "--hidden is for --net two-layer and simple-conv and deep-conv, not for mlp",
        ),
        (["--net", "mlp", "--dropout", "1"], "Dropout: expected a ratio from 0 to below 1, got 1.0"),
        (["--net", "simple-conv"], "expected images (H, W) or (C, H, W) for this network, got samples (4,)"),
        (
            ["--schedule", "linear"],
            "--schedule linear: no such schedule; expected constant, cosine, cosine:LOWEST",
        ),
        (
            ["--schedule", "step:0"],
            "--schedule step:0: Step: expected every to be a whole number of at least 1",
        ),
        (
            ["--schedule", "cosine:0.2"],
            "--schedule cosine:0.2: Cosine: expected lowest to be at most lr, 0.1, got 0.2",
        ),
        (["--schedule", "cosine:x"], "--schedule cosine:x: could not convert string to float"),
    ],
)
def test_a_network_that_cannot_be(
    options: list[str], message: str, small: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status = 1 if message.startswith(("expected images", "Dropout: ")) else 2
    assert message in fails(capsys, "train", "--device", "cpu", "--data", small, *options, status=status)
