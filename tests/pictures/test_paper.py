"""The edge of the paper in a photograph."""

from __future__ import annotations

import numpy as np
import pytest

from backprop.pictures import MNIST, RefusedError, prepare_picture

from .photographs import photograph_on_a_desk


def test_ink_across_the_edge_of_the_paper_is_refused() -> None:
    made = photograph_on_a_desk(np.zeros((28, 28), "uint8"), np.random.default_rng(0), sides="ltr", level=25)
    made[250:270, 20:300] = 0.1
    with pytest.raises(RefusedError, match="crop the picture to the paper around one sign") as refused:
        prepare_picture(made[None], (28, 28), MNIST)
    assert refused.value.pixels.shape == (1, 28, 28)
    assert refused.value.pixels.any()
