"""Ink on plain paper."""

from __future__ import annotations

import numpy as np
import pytest

from backprop.pictures import MNIST, PictureError, prepare_picture
from backprop.pictures.ink import ink_on_plain_paper

from .photographs import photograph


def test_grain_is_not_ink() -> None:
    ink = np.zeros((280, 280))
    ink[60:220, 130:150] = 1.0
    light = 200.0 - 100.0 * ink + np.random.default_rng(0).normal(0.0, 15.0, ink.shape)
    found = ink_on_plain_paper(light.astype(np.float32) / 255.0)
    assert found is not None
    assert found[0][ink == 0.0].mean() < 0.01
    assert found[0][65:215, 135:145].mean() > 0.8


@pytest.mark.parametrize("grain", [1.0, 8.0, 25.0])
@pytest.mark.parametrize("shadow", [0.0, 60.0])
def test_blank_paper_has_no_ink(grain: float, shadow: float) -> None:
    paper = photograph(np.zeros((28, 28), "uint8"), paper=190.0, shadow=shadow, grain=grain)
    assert ink_on_plain_paper(paper.astype(np.float32) / 255.0) is None
    with pytest.raises(PictureError, match="no ink stands out from the paper"):
        prepare_picture(paper[None].astype(np.float32) / 255.0, (28, 28), MNIST)
