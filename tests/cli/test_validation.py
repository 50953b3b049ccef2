"""`backprop train --validation`: the samples held out, the best epoch, and early stopping."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backprop import Network
from backprop.cli import main
from backprop.cli.train import Recorder
from backprop.datasets import load_dataset, split
from backprop.datasets.split import split_rng
from backprop.saving import run_folder
from backprop.saving.checkpoint import (
    read_checkpoint,
    read_contents,
    read_description,
)
from backprop.saving.network import load_network
from backprop.saving.run_data import trained_part

from ..commands import fails
from .runs import TRAIN, VALIDATED, arrays, epochs, history, train

pytestmark = pytest.mark.usefixtures("folder")


def of_a_test(folder: str) -> list[dict[str, Any]]:
    return [line for line in history(folder) if line["event"] == "test"]


def test_the_test_result_of_a_validated_run_is_kept(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    train("--validation", "0.3", "--epochs", "3", "--lr", "0.5", "--out", "here", "--json")
    end = json.loads(capsys.readouterr().out.splitlines()[-1])
    (first,) = of_a_test("here")
    best = read_description(Path("here/best.safetensors"))["training"]["step"]
    assert (first["test_accuracy"], first["epoch"], first["step"]) == (
        end["test_accuracy"],
        end["epoch"],
        best,
    )
    assert main(["evaluate", "here", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["loss"] == pytest.approx(first["test_loss"], rel=1e-5)

    assert main(["train", "--resume", "here"]) == 0
    assert of_a_test("here") == [first]
    with monkeypatch.context() as patch:  # as if it were killed at its end
        patch.setattr(Recorder, "add_test", lambda *_: None)
        assert main(["train", "--resume", "here", "--epochs", "6"]) == 0
    assert of_a_test("here") == []
    assert main(["train", "--resume", "here"]) == 0
    (second,) = of_a_test("here")
    assert second["step"] > first["step"]


def test_a_run_without_validation_data_has_its_test_results_in_its_epochs() -> None:
    train("--epochs", "2", "--out", "here")
    assert of_a_test("here") == []
    assert all("test_loss" in line for line in epochs("here"))


def test_a_test_loss_that_is_not_finite_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Network, "evaluate", lambda *_: (float("inf"), 0.5))
    train("--validation", "0.3", "--epochs", "1", "--out", "here")
    assert [(line["test_loss"], line["test_accuracy"]) for line in of_a_test("here")] == [(None, 0.5)]


EVALUATE = Network.evaluate_validated


def losses_of_validation(values: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the evaluations return these losses, from the first one on."""
    left = iter(values)

    def evaluated(self: Network, *args: Any, **options: Any) -> Any:
        return next(left, 9.0), EVALUATE(self, *args, **options)[1]

    monkeypatch.setattr(Network, "evaluate_validated", evaluated)


def test_the_last_steps_are_saved_before_the_test(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: Any) -> Any:
        raise MemoryError("out of memory")

    monkeypatch.setattr(Network, "evaluate", fail)
    options = [*VALIDATED[:-2], "--iters", "11", "--save-every", "4", "--out", "here"]
    assert "out of memory" in fails(capsys, *TRAIN, *options)
    assert run_folder.checkpoints(Path("here"))[-1].name == "checkpoint-00000011.safetensors"


def test_the_previous_best_returns_when_an_incomplete_epoch_is_completed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    words = ["--validation", "0.3", "--keep", "99"]  # an epoch is 5 steps
    losses_of_validation([0.5, 0.6, 0.1, 0.7, 0.8], monkeypatch)
    train(*words, "--iters", "12", "--out", "here")
    first, part = (arrays(Path(f"here/checkpoint-000000{step}.safetensors")) for step in ("05", "12"))
    assert arrays(Path("here/best.safetensors")) == part
    assert arrays(Path("here/best-whole.safetensors")) == first
    assert main(["train", "--resume", "here", "--out", "there"]) == 0
    assert arrays(Path("there/best-whole.safetensors")) == first
    for name in ("here", "there"):
        losses_of_validation([0.7, 0.8], monkeypatch)
        assert main(["train", "--resume", name, "--iters", "20"]) == 0
        assert arrays(Path(name) / "best.safetensors") == first
        assert not Path(name, "best-whole.safetensors").exists()


def test_part_of_the_first_epoch_is_not_compared_with_later_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["--validation", "0.3", "--keep", "99", "--save-every", "1"]
    losses_of_validation([0.1, 0.7, 0.8], monkeypatch)
    train(*words, "--iters", "3", "--out", "here")
    save, there = run_folder.save, []

    def saving(folder: Path, *args: Any) -> Path:
        there.append(Path(folder, "best.safetensors").exists())
        return save(folder, *args)

    monkeypatch.setattr(run_folder, "save", saving)
    assert main(["train", "--resume", "here", "--iters", "10"]) == 0
    assert there[:2] == [False, False]  # at the steps 4 and 5
    best = arrays(Path("here/best.safetensors"))
    assert best["params.W1"] == arrays(Path("here/checkpoint-00000005.safetensors"))["params.W1"]


def test_validation_keeps_the_best_and_stops_early(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--validation", "0.3", "--patience", "3", "--lr", "1.0", "--net", "mlp", "--layers", "4-64-3"]
    train(*words, "--epochs", "200", "--out", "here", "--json")
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert (events[0]["train_samples"], events[0]["validation_samples"]) == (140, 60)
    epochs = [event for event in events if event["event"] == "epoch"]
    losses = [epoch["validation_loss"] for epoch in epochs]
    best = 1 + losses.index(min(losses))
    assert len(epochs) == best + 3 < 200
    assert "test_loss" not in epochs[0]
    assert [event["text"] for event in events if event["event"] == "note"] == [
        f"stopped early: no epoch since {best} had a lower loss on the validation data",
        f"best on the validation data: epoch {best}",
    ]
    assert read_contents(Path("here/best.safetensors")).description["training"]["step"] == 5 * best
    assert events[-1]["epoch"] == best
    assert events[-1]["checkpoint"] == "here/best.safetensors"
    assert main(["evaluate", "here", "--data", "small.npz", "--json"]) == 0
    evaluated = json.loads(capsys.readouterr().out)
    assert evaluated["accuracy"] == events[-1]["test_accuracy"]


def test_the_best_network_is_tested_without_saving(capsys: pytest.CaptureFixture[str]) -> None:
    def end(*words: str) -> dict[str, Any]:
        capsys.readouterr()
        train(*VALIDATED, "--json", *words)
        return {
            key: value
            for key, value in json.loads(capsys.readouterr().out.splitlines()[-1]).items()
            if key in ("epoch", "test_accuracy", "step")
        }

    kept = end("--out", "here")
    assert kept["epoch"] < 12
    assert end("--no-save") == kept
    assert end("--out", "there", "--save-every", "7") == kept
    here, there = (arrays(run_folder.checkpoints(Path(name))[-1]) for name in ("here", "there"))
    assert here == there  # the last network, not the best one


def test_the_best_after_resuming_from_before_it(capsys: pytest.CaptureFixture[str]) -> None:
    train(*VALIDATED, "--out", "here", "--keep", "99")
    best = arrays(Path("here/best.safetensors"))
    first = run_folder.checkpoints(Path("here"))[0]
    capsys.readouterr()
    assert main(["train", "--resume", str(first), "--epochs", "1"]) == 0
    assert "best on the validation data: epoch 1" in capsys.readouterr().out
    assert arrays(Path("here/best.safetensors")) == arrays(first) != best
    assert main(["train", "--resume", str(first)]) == 0
    assert arrays(Path("here/best.safetensors")) == best


def test_a_kill_between_the_best_and_its_checkpoint(capsys: pytest.CaptureFixture[str]) -> None:
    def accuracy(*words: str) -> str:
        capsys.readouterr()
        assert main(["train", *words]) == 0
        return next(
            line for line in capsys.readouterr().out.splitlines() if line.startswith("test accuracy")
        )[:20]

    train(*VALIDATED, "--out", "whole", "--keep", "99")
    whole = accuracy("--resume", "whole")
    best = read_contents(Path("whole/best.safetensors")).description["training"]["step"]
    before = Path(f"whole/checkpoint-{best - 5:08d}.safetensors")
    assert accuracy("--resume", str(before)) == whole


def test_the_seed_determines_the_validation_data(capsys: pytest.CaptureFixture[str]) -> None:
    def loss(*words: str) -> float:
        capsys.readouterr()
        train("--epochs", "1", "--no-save", "--json", "--validation", "0.3", *words)
        return float(json.loads(capsys.readouterr().out.splitlines()[1])["validation_loss"])

    assert loss() == loss() != loss("--seed", "1")


def test_patience_needs_validation(capsys: pytest.CaptureFixture[str]) -> None:
    assert "give --validation" in fails(capsys, *TRAIN, "--patience", "2", status=2)
    assert "a share of 0.001 of 200 training samples is 0" in fails(
        capsys, *TRAIN, "--validation", "0.001", status=2
    )


@pytest.mark.filterwarnings("always:validation")
def test_a_split_has_every_class_and_warns_of_scarce_ones(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(0)
    t = np.repeat([0, 1, 2], [30, 28, 2])
    x = rng.random((60, 4)).astype("f")
    np.savez("rare.npz", x_train=x, t_train=t, x_test=x, t_test=t)
    for seed in range(4):
        words = ["--epochs", "1", "--batch-size", "10", "--validation", "0.5", "--seed", str(seed)]
        assert main(["train", "--data", "rare.npz", "--no-save", *words]) == 0
        told = capsys.readouterr()
        assert "class 2 has 1 sample for training and 1 for validation" in told.err
        assert "30 to train on, 30 to validate on" in told.out


@pytest.mark.parametrize("by_class", [True, False])
def test_evaluate_leaves_held_out_samples_out_of_the_training_data(
    by_class: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also if the data have moved; other data are used whole."""
    train("--validation", "0.3", "--seed", "7", "--epochs", "2", "--out", "here")
    if not by_class:
        monkeypatch.setattr("backprop.saving.run_data.BY_CLASS", "of another kind")
    checkpoint = read_checkpoint(run_folder.trained("here"))
    with np.load("small.npz") as data:
        arrays = dict(data)
    x, t = arrays["x_train"], arrays["t_train"]
    rows, out = split(t, 0.3, split_rng(7), by_class=by_class)
    assert (len(rows), len(out)) == (140, 60)
    loss, accuracy = load_network("here").evaluate(x[rows], t[rows])
    os.rename("small.npz", "moved.npz")
    np.savez("other.npz", **{**arrays, "x_train": x + np.float32(0.5)})
    for data, samples in (("moved.npz", 140), ("other.npz", 200)):
        capsys.readouterr()
        assert main(["evaluate", "here", "--train", "--data", data, "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        assert found["samples"] == samples
        if samples == 140:
            assert (found["loss"], found["accuracy"]) == (loss, accuracy)
    assert main(["evaluate", "here", "--train", "--data", "moved.npz"]) == 0
    assert "on 140 samples of moved, without the 60 held out for validation" in capsys.readouterr().out
    shown = trained_part("here", checkpoint.description, load_dataset("moved.npz"))
    np.testing.assert_array_equal(shown.x_train, x[rows])


def test_the_comparison_with_guessing_uses_the_saved_network(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """In a short run, too; here the best epoch is the first."""
    train("--epochs", "3", "--lr", "0", "--validation", "0.3", "--out", "here")
    out = capsys.readouterr().out
    assert "best on the validation data: epoch 1\n" in out
    assert "after step 5 the network is no better than guessing" in out
