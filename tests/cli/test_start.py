"""A run that starts from the weights of another, and the data that one was trained on."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from .runs import params, train

pytestmark = pytest.mark.usefixtures("folder")


@pytest.mark.filterwarnings("always:--validation")
def test_from_a_run_that_is_gone_when_it_is_resumed(capsys: pytest.CaptureFixture[str]) -> None:
    train("--epochs", "1", "--out", "first")
    words = ["--from", "first", "--lr", "0.05", "--validation", "0.2"]
    train(*words, "--epochs", "3", "--out", "whole")
    train(*words, "--epochs", "1", "--out", "parts")
    assert capsys.readouterr().err.count("has learned from the samples held out here") == 2
    shutil.rmtree("first")
    train("--resume", "parts", "--epochs", "3")
    assert params("parts") == params("whole")


@pytest.mark.filterwarnings("always:--validation")
def test_from_a_run_trained_on_held_out_samples(capsys: pytest.CaptureFixture[str]) -> None:
    def warned(*words: str) -> str:
        capsys.readouterr()
        train("--epochs", "1", *words)
        return capsys.readouterr().err

    split = ("--validation", "0.2", "--seed", "5")
    warned("--out", "all")
    all_of_it = "or a run it started from, has learned from the samples held out here"
    assert all_of_it in warned("--from", "all", *split, "--out", "child")
    assert all_of_it in warned("--from", "child", *split, "--out", "grandchild")
    assert all_of_it in warned("--from", "grandchild", *split, "--no-save")
    warned(*split, "--out", "split")
    assert warned("--from", "split", *split, "--out", "same") == ""
    assert warned("--from", "same", *split, "--no-save") == ""
    some = "has learned from some of the samples held out here, so these figures are too good; give --validation 0.2 --seed 5"
    assert some in " ".join(
        warned("--from", "split", "--validation", "0.2", "--seed", "6", "--no-save").split()
    )
    warned("--from", "split", "--validation", "0.2", "--seed", "6", "--out", "mixed")
    assert all_of_it in warned("--from", "mixed", "--validation", "0.2", "--seed", "6", "--no-save")
    with np.load("small.npz") as data:
        np.savez("other.npz", **{**data, "x_train": data["x_train"] + np.float32(0.5)})
    assert warned("--from", "all", *split, "--data", "other.npz", "--no-save") == ""


def test_from_the_same_split_is_not_warned_of() -> None:
    train("--epochs", "1", "--validation", "0.2", "--out", "first")
    train("--from", "first", "--epochs", "1", "--validation", "0.2", "--out", "second")  # warnings are errors
