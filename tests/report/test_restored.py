"""Restoring a run's network, optimizer and data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from backprop import Adam, TwoLayerNet
from backprop.pages.html import number
from backprop.report import diagnose, write_report
from backprop.saving import run_folder
from backprop.saving.checkpoint import read_checkpoint, write_checkpoint
from backprop.schedules import Cosine

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
    write_report(folder)
    found = [cells[-1] for cells in tables(folder / "report.html")[3].values()]
    expected = diagnose(network, *TRAIN, *TEST, optimizer).gradients
    assert found == [number(gradient.update) for gradient in expected]
    fresh = diagnose(network, *TRAIN, *TEST, Adam(0.01)).gradients
    assert found != [number(gradient.update) for gradient in fresh]


def with_optimizer(run: Path, **values: Any) -> None:
    """Change the optimizer in the run's checkpoint."""
    path = run_folder.checkpoints(run)[-1]
    checkpoint = read_checkpoint(path)
    checkpoint.description["optimizer"].update(values)
    write_checkpoint(path, checkpoint)


def test_mismatched_optimizer(run: Path) -> None:
    with_optimizer(run, **{"class": "Adam", "settings": {}})
    page = read(write_report(run))
    assert "There is no diagnosis of the network: " in page.text
    assert "optimizer.m.flat: missing" in page.text


def test_settings_that_the_optimizer_does_not_take(run: Path) -> None:
    with_optimizer(run, settings={"momentum": 0.9})
    text = read(write_report(run)).text
    assert "There is no diagnosis of the network: " in text
    assert "the description of the optimizer cannot be interpreted: " in text


def test_updates_from_a_checkpoint_with_the_optimizer_as_a_repr(tmp_path: Path) -> None:
    optimizer = Adam(Cosine(0.01, 100))
    folder = make_run(tmp_path / "run", TwoLayerNet(64, 10, 3, weight_init_std=0.1, rng=0), optimizer)
    write_report(folder)
    expected = tables(folder / "report.html")
    with_optimizer(folder, settings=repr(optimizer))
    write_report(folder)
    assert tables(folder / "report.html") == expected
    assert all(float(cells[-1]) > 0.0 for name, cells in expected[3].items() if name[0] == "W")


class Custom(Adam):
    """An optimizer that is not of this package."""


def test_no_updates_for_a_custom_optimizer(tmp_path: Path) -> None:
    for i, optimizer in enumerate((Custom(), Adam(lambda step: 0.1 / step))):
        network = TwoLayerNet(64, 10, 3, weight_init_std=0.1, rng=0)
        folder = make_run(tmp_path / f"run-{i}", network, optimizer)
        page = read(write_report(folder))
        assert "W2 gradient" in page.text
        assert "The update is" not in page.text
