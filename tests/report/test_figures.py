"""Curves and histograms as SVG."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from backprop.diagnosis.batch import Histogram
from backprop.report import figures, write_report
from backprop.saving import history_file

from .pages import read
from .runs import steps_line


def test_step_axis_has_whole_numbers() -> None:
    pytest.importorskip("matplotlib")
    for steps in ([0.0], [1], [0.0, 0.5, 2.0], [0, 3], [0, 36], [600, 1200]):
        svg = figures.curves([figures.Line("a", steps, [1.0] * len(steps), "#123456")], "loss", "a")
        axis = re.findall(r'id="a-xtick_.*?<text.*?>(.*?)</text>', svg, re.DOTALL)
        ticks = [int(tick.replace(",", "")) for tick in axis]
        assert ticks == sorted(set(ticks))
        assert ticks[0] == 0
        assert ticks[-1] <= max(1, *steps)


def ticks(svg: str, axis: str) -> list[float]:
    """The labelled ticks of an axis."""
    parts = svg.partition(f'id="a-{axis}tick_')[2].split(f'id="a-{axis}tick_')
    texts = [text for part in parts for text in re.findall(r"<text.*?>([^<]*\d[^<]*)</text>", part)[:1]]
    return [float(text.replace(",", "").replace("\N{MINUS SIGN}", "-")) for text in texts]


@pytest.mark.parametrize(
    "values",
    [
        [1.0, 1.1],
        [0.3, 3.4],
        [2e16, 1e3, 0.5],
        [2e16, 2.3, 1.1, 0.5],
        [9e18, 1e-30, 1.0],
        [3.1e4, 2.9],
        [float(10 ** (16 - i)) for i in range(17)],
        [2e16, 1.0],
        [2e16, *[0.0] * 4],
        [3e-9, 4e-9],
    ],
)
def test_loss_axis_has_numbers(values: list[float]) -> None:
    pytest.importorskip("matplotlib")
    line = figures.Line("a", list(range(len(values))), values, "#123456")
    found = ticks(figures.curves([line], "loss", "a", allow_log=True), "y")
    assert len(set(found)) >= 2
    assert found == sorted(found)
    top = figures.limit_without_outliers([line]) or max(values)
    assert any(0.1 * min(values) <= tick <= 1.1 * top for tick in found)
    assert max(found) <= 10.0 * top


def test_outlier_does_not_flatten_a_curve(run: Path) -> None:
    pytest.importorskip("matplotlib")

    def top(*values: list[float]) -> float | None:
        return figures.limit_without_outliers(
            [figures.Line("a", range(len(own)), own, "#123456") for own in values]
        )

    assert top([2e16, 2.3, 1.1, 0.5]) == 2.3
    assert top([2e16, 2.3, 1.1, 0.5], [9.0, 8.0, 7.0]) == 9.0
    assert top([2e16, 1e15, *np.linspace(2.0, 1.0, 40)]) == 2.0
    for values in ([900.0, 1.0, 0.5], [2e16, 1.0], [2e16, 1e15, 1.0, 0.5], [1.0], [0.0] * 5):
        assert top(values) is None
    steps = [steps_line(step) for step in range(1, 37)]
    for i, line in enumerate(steps):
        line["loss"] = 2.35e16 if i == 0 else 1.0
    history_file.write_history(run, [*history_file.read_history(run), *steps])
    text = read(write_report(run)).text
    assert "Loss (cut off at the top; the largest value is 2.4e+16)" in text
    assert "Accuracy (cut off" not in text


@pytest.mark.parametrize("scale", [1e-30, 1e-7, 1e-3, 0.4, 2.0, 3e4, 7e9])
def test_histogram_axis_has_complete_numbers(scale: float) -> None:
    pytest.importorskip("matplotlib")
    edges = np.linspace(-scale, scale, 11)
    svg = figures.bars(Histogram(np.arange(10), edges), "a")
    found = ticks(svg, "x")
    assert len(found) >= 3
    assert 0.4 * scale <= max(found) <= 1.1 * scale
    assert len(re.findall("<text", svg)) == len(found) + len(ticks(svg, "y"))
