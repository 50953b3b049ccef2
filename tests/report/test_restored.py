"""Restoring a run's network, optimizer and data."""

from __future__ import annotations

from pathlib import Path

from backprop import Adam, TwoLayerNet
from backprop.cli.report import make_optimizer
from backprop.report import diagnose, write_report
from backprop.report.html import number
from backprop.saving import run_folder
from backprop.saving.checkpoint import read_checkpoint, write_checkpoint

from .pages import read, tables
from .runs import TEST, TRAIN, make_run


def test_invalid_data_paths(run: Path) -> None:
    path = run_folder.checkpoints(run)[-1]
    for data in (3, [1], {"a": 1}, "\0"):
        checkpoint = read_checkpoint(path)
        checkpoint.description["run"]["settings"]["data"] = data
        checkpoint.description["data"] = {"name": "some"}
        write_checkpoint(path, checkpoint)
        assert "no such file or folder" in read(write_report(run)).text


def test_optimizer_slots_are_restored(tmp_path: Path) -> None:
    optimizer = Adam(0.01)
    network = TwoLayerNet(64, 10, 3, weight_init_std=0.1, rng=0)
    folder = make_run(tmp_path / "run", network, optimizer, optimizer="adam", lr=0.01)
    write_report(folder, make_optimizer=make_optimizer)
    found = [cells[-1] for cells in tables(folder / "report.html")[3].values()]
    expected = diagnose(network, *TRAIN, *TEST, optimizer).gradients
    assert found == [number(gradient.update) for gradient in expected]
    fresh = diagnose(network, *TRAIN, *TEST, Adam(0.01)).gradients
    assert found != [number(gradient.update) for gradient in fresh]


def test_mismatched_optimizer(run: Path) -> None:
    page = read(write_report(run, make_optimizer=lambda *_: Adam()))
    assert "There is no diagnosis of the network: " in page.text
    assert "optimizer.m.flat: missing" in page.text
