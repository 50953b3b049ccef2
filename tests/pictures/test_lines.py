"""Ruled lines are removed, strokes are not."""

from __future__ import annotations

import numpy as np
import pytest

from backprop.pictures.lines import without_lines


@pytest.mark.parametrize("turned", [False, True])
def test_lines_run_across_the_whole_picture(turned: bool) -> None:
    paper = np.ones((200, 300), "float32")
    paper[50:53, 60:290] = paper[100:102, :200] = 0.2  # strokes
    plain = paper.copy()
    paper[150:152] = 0.4
    found, ruled = without_lines(paper.T if turned else paper)
    assert ruled
    assert (found == (plain.T if turned else plain)).all()
    assert not without_lines(plain)[1]
