"""The points of a run's curves."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backprop import SGD, Training, TwoLayerNet
from backprop.report import points
from backprop.report.record import Record

from .runs import TRAIN, epoch_line, record_of, steps_line


def positions(record: Record) -> list[tuple[float, int]]:
    return [(point.at, point.mean_of) for point in points.training_points(record)]


def test_mean_is_at_the_middle_of_its_steps(run: Path) -> None:
    """A step's loss precedes its update: the loss of step 1 belongs to the network at step 0."""
    lines = [steps_line(1, 1), steps_line(4, 4), steps_line(8, 4), epoch_line(9), epoch_line(19)]
    assert positions(record_of(run, *lines)) == [(0.0, 1), (1.5, 4), (5.5, 4), (13.5, 10)]
    assert [point.loss for point in points.training_points(record_of(run, *lines))] == [2.0, 2.0, 2.0, 1.0]


def test_first_batch_does_not_represent_its_epoch(run: Path) -> None:
    assert positions(record_of(run, steps_line(1, 1), epoch_line(7))) == [(0.0, 1), (3.0, 7)]


def test_lines_of_older_runs_lack_their_number_of_steps(run: Path) -> None:
    lines = [steps_line(3), steps_line(6), epoch_line(7), steps_line(10), steps_line(13), epoch_line(14)]
    assert positions(record_of(run, *lines)) == [(1.0, 3), (4.0, 3), (8.0, 3), (11.0, 3)]


@pytest.mark.parametrize("mean_of", [0, -3, 7, 2.5, 10**18, True, "x", None, [1]])
def test_invalid_number_of_steps_is_ignored(mean_of: Any, run: Path) -> None:
    found = positions(record_of(run, {**steps_line(6), "mean_of": mean_of}))
    assert found in ([(2.5, 6)], [])  # nothing if the whole line is invalid


def test_points_match_the_losses_of_the_network(run: Path) -> None:
    """If a batch has all samples, a step's loss is that of the network before the step."""
    network = TwoLayerNet(64, 5, 3, weight_init_std=0.1, rng=0)
    (x, t), losses = TRAIN, []
    training = Training(
        network, x, t, iterations=6, batch_size=len(x), test=(x, t), rng=0, optimizer=SGD(0.5)
    )
    training.mean_steps = 1
    before = network.evaluate(x / np.float32(255.0), t)[0]
    lines: list[dict[str, Any]] = []
    for metrics in training:
        lines += [{"event": "steps", **asdict(means)} for means in training.means(metrics.step - 1)]
        lines.append({"event": "epoch", **asdict(metrics)})
        losses.append(metrics.test_loss)
    record = record_of(run, *lines)
    found = {point.at: point.loss for point in points.training_points(record)}
    assert found == pytest.approx(dict(enumerate([before, *losses[:-1]])), rel=1e-5)
    assert {point.at: point.loss for point in points.evaluation_points(record, "test")} == dict(
        enumerate(losses, 1)
    )
