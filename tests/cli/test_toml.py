"""Settings from TOML files, and as TOML files."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

import pytest

from backprop.cli import main

from ..commands import fails
from .runs import MLP, TRAIN, history, train

pytestmark = pytest.mark.usefixtures("folder")


def test_names_that_need_escapes() -> None:
    os.rename("small.npz", '😀 "a\\b".npz')
    words = ["train", "--device", "cpu", "--data", '😀 "a\\b".npz', "--epochs", "1"]
    assert main([*words, "--out", "first"]) == 0
    assert main(["train", "--config", "first/config.toml", "--out", "second"]) == 0


def test_the_settings_of_a_run_can_be_fed_back() -> None:
    train(*MLP, "--epochs", "2", "--out", "first", "--weight-decay", "1e-3", "--schedule", "step:5:0.5")
    assert tomllib.loads(Path("first/config.toml").read_text())["weight-decay"] == 1e-3
    assert main(["train", "--config", "first/config.toml", "--out", "second"]) == 0
    assert history("first") == history("second")
    assert Path("first/config.toml").read_text() == Path("second/config.toml").read_text()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("lrr = 1", "run.toml: lrr: unknown option 'lrr': expected one of .*did you mean lr"),
        ("lr = -1", "run.toml: lr: expected a finite number of at least 0, got '-1'"),
        ("lr = [1]", r"run.toml: lr: expected one number or text, got \[1\]"),
        ("no-capture = 3", "run.toml: no-capture: expected true or false, got 3"),
        ('sampling = "all"', "run.toml: sampling: expected one of without-replacement, with-replacement"),
        ('resume = "x"', "run.toml: resume cannot stand in a file"),
        ("lr 1", "--config run.toml: it is no TOML file"),
        ("lr = \udc80", "--config run.toml: it is no TOML file"),
    ],
)
def test_wrong_files(text: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("run.toml").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("BACKPROP_NO_REPORT")
        err = fails(capsys, *TRAIN, "--config", "run.toml", status=2)
    assert __import__("re").search(message, err)


def test_a_file_of_settings_that_is_too_large_is_not_read(capsys: pytest.CaptureFixture[str]) -> None:
    """A key of 60 kB takes 3 GB."""
    Path("run.toml").write_text("a." * 30_000 + "a = 1")
    assert "run.toml cannot be used: it has 60,005 bytes; expected at most 16,384" in fails(
        capsys, *TRAIN, "--config", "run.toml"
    )
    Path("run.toml").write_text("lr = " + "[" * 10_000)
    err = fails(capsys, *TRAIN, "--config", "run.toml", status=2)
    assert "--config run.toml: it is no TOML file" in err
