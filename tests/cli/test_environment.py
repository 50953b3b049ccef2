"""Settings from `BACKPROP_*` variables."""

from __future__ import annotations

import pytest

from backprop.cli import main
from backprop.cli.environment import from_environment

from ..commands import fails
from .runs import MLP, TRAIN, train

pytestmark = pytest.mark.usefixtures("folder")


def test_variables_that_are_empty_or_false(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("OUT", ""), ("RESUME", ""), ("BATCH_NORM", "false")):
        monkeypatch.setenv(f"BACKPROP_{name}", value)
    train("--epochs", "1")
    assert main(["train", "--resume", "runs/two-layer-1", "--epochs", "2"]) == 0


def test_wrong_variables(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BACKPROP_BATCHSIZE", "3")
    assert "BACKPROP_BATCHSIZE: unknown option 'batchsize'" in fails(capsys, *TRAIN, status=2)
    monkeypatch.delenv("BACKPROP_BATCHSIZE")
    monkeypatch.setenv("BACKPROP_BATCH_SIZE", "0")
    err = fails(capsys, "train", status=2)
    assert "BACKPROP_BATCH_SIZE: expected a whole number of at least 1, got '0'" in err
    monkeypatch.delenv("BACKPROP_BATCH_SIZE")
    assert "no.toml" in fails(capsys, *TRAIN, "--config", "no.toml")


def test_a_false_variable_does_not_change_what_a_run_has(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    train(*MLP, "--epochs", "1", "--out", "here")
    monkeypatch.setenv("BACKPROP_BATCH_NORM", "false")
    err = fails(capsys, "train", "--resume", "here", status=2)
    assert (
        "--batch-norm False: the run of here/checkpoint-00000007.safetensors goes on with --batch-norm "
        "synchronized" in err
    )


def test_other_variables_are_left_alone() -> None:
    assert from_environment({"BACKPROP_LR": "", "LR": "1", "BACKPROP_SEED": "2"}) == {"seed": 2}
