"""Reading a run folder."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from backprop import TwoLayerNet
from backprop.report import write_comparison, write_report
from backprop.saving import run_folder
from backprop.saving.checkpoint import CheckpointError, read_checkpoint, write_checkpoint

from .runs import epoch_line, record_of


@pytest.mark.parametrize("place", [("training", "step"), ("network", "layers"), ("run",), ("data",)])
def test_damaged_description_is_a_checkpoint_error(place: tuple[str, ...], run: Path) -> None:
    path = run_folder.checkpoints(run)[-1]
    checkpoint = read_checkpoint(path)
    within = checkpoint.description
    for key in place[:-1]:
        within = within[key]
    within[place[-1]] = 5 if place[-1] != "step" else "x"
    write_checkpoint(path, checkpoint)
    for write in (lambda: write_report(run), lambda: write_comparison([run], run / "comparison.html")):
        with pytest.raises(CheckpointError, match=re.escape(str(path))):
            write()


def test_no_speed_for_a_tiny_duration(run: Path) -> None:
    record = record_of(run, {**epoch_line(2**62), "seconds": 5e-324})
    assert record.results["steps/s"] is None


def test_saved_network_is_not_a_run(tmp_path: Path) -> None:
    from backprop.saving.network import save_network

    save_network(tmp_path / run_folder.BEST, TwoLayerNet(4, 3, 2, rng=0))
    with pytest.raises(CheckpointError, match="best.safetensors does not belong to a training run"):
        write_report(tmp_path)
