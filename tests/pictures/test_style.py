"""The style of training pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from backprop.datasets import mnist
from backprop.pictures import MNIST, Style, image_shape, learn_style
from backprop.saving.checkpoint import read_checkpoint


def test_checkpoint_has_the_style(run: str) -> None:
    path = next(Path(run).glob("checkpoint-*"))
    assert Style.from_dict(read_checkpoint(path).description["data"]["pictures"]) == MNIST


def test_learn_style() -> None:
    x = mnist().x_train[:300]
    for data in (x, x.reshape(-1, 784), x[:, None], x / 255.0, x.astype("int64"), x > 127):
        assert learn_style(data) == MNIST
    assert learn_style((x - 33.0) / 78.0) == MNIST
    assert learn_style(255 - x) == Style("dark", 20)
    rolled = np.stack([np.roll(picture, k % 7 - 3, axis=1) for k, picture in enumerate(x)])
    assert learn_style(rolled) == Style("bright")  # in the box, but not in the middle
    bars = np.zeros((50, 28, 28))
    bars[:, 14] = 1.0
    assert learn_style(bars) == Style("bright")  # no paper around it
    assert learn_style(x[:, ::2, ::2]) == Style("bright", 10)
    rng = np.random.default_rng(0)
    assert learn_style(rng.integers(0, 256, (300, 28, 28), "uint8")) == Style()
    assert learn_style(rng.integers(0, 256, (300, 3, 32, 32), "uint8")) == Style()
    assert learn_style(np.zeros((9, 28, 28))) == Style()
    assert learn_style(np.where(x, np.nan, 0.0)) == Style()
    assert learn_style(rng.random((300, 5))) is None


@pytest.mark.parametrize(
    ("sample", "shape"),
    [
        ((28, 28), (1, 28, 28)), ((3, 8, 9), (3, 8, 9)), ((784,), (1, 28, 28)), ((64,), (1, 8, 8)),
        ((49,), None), ((65,), None), ((2, 8, 8), None), ((), None), ((1, 1, 8, 8), None),
    ],
)  # fmt: skip
def test_image_shape(sample: tuple[int, ...], shape: tuple[int, ...] | None) -> None:
    assert image_shape(sample) == shape
