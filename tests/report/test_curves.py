"""The curves on a page."""

from __future__ import annotations

from pathlib import Path

import pytest

from backprop.report import write_report
from backprop.saving import history_file

from .pages import read
from .runs import epoch_line, steps_line


def test_page_explains_the_points(run: Path) -> None:
    pytest.importorskip("matplotlib")
    lines = [steps_line(1, 1), steps_line(4, 4), steps_line(8, 4), epoch_line(9, test_loss=1.0)]
    history_file.write_history(run, lines)
    text = read(write_report(run)).text
    assert "Each train point is the mean of 4 steps, at their middle." in text
    assert "The train point at step 0 is the first batch, before any update." in text
    assert "Each test point covers all test data at the end of an epoch." in text
    history_file.write_history(run, [steps_line(1), steps_line(2), epoch_line(9)])
    assert "Each train point is one step." in read(write_report(run)).text
    history_file.write_history(run, [steps_line(9), epoch_line(9), epoch_line(36)])
    text = read(write_report(run)).text
    assert "the mean of 9 to 27 steps" in text
    assert "step 0" not in text
