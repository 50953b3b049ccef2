"""What a run shows: lines for people, or JSON."""

from __future__ import annotations

import json

import numpy as np
import pytest

from backprop.cli import main
from backprop.cli.settings import SETTINGS

pytestmark = pytest.mark.usefixtures("elsewhere")


SHORT = ["train", "--device", "cpu", "--iters", "700"]


def test_train_prints_what_runs_where(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(SHORT) == 0
    out, err = capsys.readouterr()
    assert err == ""
    lines = out.splitlines()
    assert lines[0] == "TwoLayerNet(Affine1 · Relu1 · Affine2 · SoftmaxWithLoss): 39,760 parameters, float32"
    assert lines[1].startswith(f"device cpu: numpy {np.__version__}, ")
    assert lines[2] == "data mnist: 60,000 to train on, 10,000 to test on"
    assert lines[3] == "700 steps, batches of 100 without replacement, SGD lr 0.1, seed 0"
    assert lines[4] == "run runs/two-layer-1"
    assert lines[6].split() == ["epoch", "step", "loss", "train", "accuracy", "test", "accuracy"]
    assert [line.split()[:2] for line in lines[7:9]] == [["1", "600"], ["2", "700"]]
    assert float(lines[8].split()[-1]) > 0.9
    assert lines[-2].startswith("test accuracy 0.9")
    assert "steps/s" in lines[-2]
    assert lines[-1] == "checkpoint runs/two-layer-1/checkpoint-00000700.safetensors"


def test_train_json_is_one_object_a_line(small: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        main(["train", "--device", "cpu", "--data", small, "--epochs", "5", "--batch-size", "50", "--json"])
        == 0
    )
    out, err = capsys.readouterr()
    assert err == ""
    events = [json.loads(line) for line in out.splitlines()]
    assert [event["event"] for event in events] == ["start", *["epoch"] * 5, "end"]
    start, end = events[0], events[-1]
    assert (start["parameters"], start["steps"], start["data"], start["dtype"]) == (
        403,
        30,
        "small",
        "float32",
    )
    assert end["step"] == 30
    assert end["test_accuracy"] == events[-2]["test_accuracy"] > 0.7


def test_quiet_prints_the_folder_and_the_last_line_only(
    small: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["train", "--device", "cpu", "--data", small, "--epochs", "2", "--quiet"]
    assert main(words) == main([*words, "--no-save"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    lines = out.splitlines()
    assert lines[0] == "run runs/two-layer-1"
    assert [line.startswith("test accuracy 0.") for line in lines] == [False, True, True]


def test_what_is_unusual_is_said(small: str, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--optimizer", "nesterov", "--schedule", "step:9", "--warm-up", "2", "--weight-decay", "0.01"]
    assert (
        main(["train", "--device", "cpu", "--data", small, "--epochs", "1", *options, "--clip-norm", "3"])
        == 0
    )
    line = capsys.readouterr().out.splitlines()[3]
    assert line.endswith(
        "Nesterov lr 0.01, schedule step:9, warm-up 2, weight decay 0.01, norm at most 3.0, seed 0"
    )


def test_the_start_shows_what_the_table_says(small: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--seed", "3", "--batch-size", "20", "--warm-up", "2", "--weight-decay", "0.0"]
    assert main(["train", "--device", "cpu", "--data", small, "--epochs", "1", "--json", *words]) == 0
    start = json.loads(capsys.readouterr().out.splitlines()[0])
    shown = {setting.name for setting in SETTINGS.values() if setting.shown}
    assert shown == {
        "batch_size", "sampling", "schedule", "warm_up", "weight_decay", "clip_norm", "seed", "precision",
    }  # fmt: skip
    assert {name: start[name] for name in shown} == {
        "batch_size": 20, "sampling": "without-replacement", "schedule": "constant", "warm_up": 2,
        "weight_decay": 0.0, "clip_norm": None, "seed": 3, "precision": "full",
    }  # fmt: skip
    assert main(["train", "--device", "cpu", "--data", small, "--epochs", "1", *words]) == 0
    assert capsys.readouterr().out.splitlines()[3].endswith("SGD lr 0.1, warm-up 2, seed 3")
