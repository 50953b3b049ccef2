"""`--batch-norm`, which was a switch, and takes a word."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from backprop.cli import main
from backprop.cli.checkpoint import read_run
from backprop.cli.settings import TrainSettings, convert
from backprop.saving import load_network
from backprop.saving.checkpoint import read_checkpoint, write_checkpoint
from backprop.saving.run_folder import latest

from ..commands import fails
from .runs import TRAIN, arrays, train

pytestmark = pytest.mark.usefixtures("folder")

MLP = ("--net", "mlp", "--layers", "4-8-3", "--epochs", "1", "--out", "run")


@pytest.mark.parametrize(
    ("words", "kept"),
    [(["--batch-norm"], "synchronized"), (["--batch-norm", "synchronized"], "synchronized"),
     (["--batch-norm", "local", "--shards", "3"], "local")],
)  # fmt: skip
def test_the_word_is_part_of_the_run_and_its_network(words: list[str], kept: str) -> None:
    train(*MLP, *words)
    assert tomllib.loads(Path("run/config.toml").read_text())["batch-norm"] == kept
    layer: Any = load_network("run").layers["BatchNorm1"]
    assert layer.synchronized == (kept == "synchronized")


def test_a_resumed_run_keeps_it(capsys: pytest.CaptureFixture[str]) -> None:
    train(*MLP, "--batch-norm", "local", "--shards", "3")
    err = fails(capsys, "train", "--resume", "run", "--batch-norm", "synchronized", status=2)
    assert "goes on with --batch-norm local" in err
    assert main(["train", "--resume", "run", "--epochs", "2"]) == 0
    train(*MLP, "--batch-norm", "local", "--shards", "3", "--epochs", "2", "--out", "whole")
    assert arrays(latest("run")) == arrays(latest("whole"))


def test_a_network_without_batch_normalization(capsys: pytest.CaptureFixture[str]) -> None:
    err = fails(capsys, *TRAIN, "--batch-norm", "local", status=2)
    assert "--batch-norm is for --net mlp, not for two-layer" in err


def test_another_word(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([*TRAIN, *MLP, "--batch-norm", "locale"])
    err = capsys.readouterr().err
    assert "invalid choice: 'locale' (choose from" in err
    assert "did you mean local?" in err
    Path("run.toml").write_text('batch-norm = "locale"')
    err = fails(capsys, *TRAIN, "--config", "run.toml", status=2)
    assert "run.toml: batch-norm: expected one of synchronized, local, got 'locale'" in err


@pytest.mark.parametrize(("value", "found"), [(True, "synchronized"), ("yes", "synchronized"), (False, False),
                                              ("local", "local")])  # fmt: skip
def test_files_and_variables_from_when_it_was_a_switch(value: object, found: object) -> None:
    assert convert({"batch_norm": value}, "file") == {"batch_norm": found}


def test_a_run_from_when_it_was_a_switch_is_resumed() -> None:
    train(*MLP, "--batch-norm")
    path = latest("run")
    checkpoint = read_checkpoint(path)
    checkpoint.description["run"]["settings"]["batch_norm"] = True
    del checkpoint.description["network"]["layers"]["BatchNorm1"]["settings"]["synchronized"]
    write_checkpoint(path, checkpoint)
    assert TrainSettings(**read_run(path).settings).batch_norm == "synchronized"
    assert main(["train", "--resume", "run", "--batch-norm", "--epochs", "2"]) == 0
    train(*MLP, "--batch-norm", "--epochs", "2", "--out", "whole")
    assert arrays(latest("run")) == arrays(latest("whole"))
