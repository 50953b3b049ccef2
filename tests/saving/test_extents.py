"""Padding in a file is bounded by its kernels."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backprop import (
    AveragePooling,
    Convolution,
    ConvolutionReLUPooling,
    MaxPooling,
    Network,
    Reshape,
    Residual,
)
from backprop.saving.checkpoint import (
    CheckpointError,
)
from backprop.saving.network import load_network, save_network
from backprop.saving.network_config import network_config


def filters(rows: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
    return np.ones((1, 1, rows, columns), "float32"), np.zeros(1, "float32")


HUGE: dict[str, list[Any]] = {
    "padding": [Convolution(*filters(1, 1), pad=30_000)],
    "a little padding many times": [Convolution(*filters(1, 1), pad=20) for _ in range(50)],
    "a padded window": [MaxPooling(10**6, pad=500_000, stride=1)],
    "a window over a mean": [AveragePooling(10**6, pad=500_000)],
    "one side alone": [Convolution(*filters(400, 1), pad=200) for _ in range(20)],
    "padding in a block": [Residual([Convolution(*filters(1, 1), pad=30_000)])],
    "padding of a merged layer": [ConvolutionReLUPooling(*filters(1, 1), pad=30_000)],
    "padding of a reshaped image": [Reshape((1, 1, 10**5)), Convolution(*filters(1, 1), pad=100)],
}


@pytest.mark.parametrize("layers", HUGE.values(), ids=HUGE)
def test_padding_out_of_proportion_is_refused(layers: list[Any], tmp_path: Path) -> None:
    """A few bytes cannot demand all of the memory."""
    save_network(tmp_path / "a.safetensors", Network(layers))
    assert os.path.getsize(tmp_path / "a.safetensors") < 50_000
    with pytest.raises(CheckpointError, match=r"a\.safetensors: .*: pads images by .*, out of proportion"):
        load_network(tmp_path / "a.safetensors")


USUAL: dict[str, list[Any]] = {
    "deep and of one size": [Convolution(*filters(3, 3), pad=1) for _ in range(200)],
    "growing, as a decoder": [Convolution(*filters(3, 3), pad=2) for _ in range(40)],
    "as much padding as kernel": [Convolution(*filters(101, 101), pad=100)],
    "a pixel's kernel": [Convolution(*filters(1, 1), pad=2)],
    "large windows": [MaxPooling(1000), AveragePooling(64, pad=32, stride=1)],
    "large images": [Reshape((1, 1024, 1024)), Convolution(*filters(3, 3), pad=1)],
}


@pytest.mark.parametrize("layers", USUAL.values(), ids=USUAL)
def test_usual_padding_is_loaded(layers: list[Any], tmp_path: Path) -> None:
    network = Network(layers)
    save_network(tmp_path / "a.safetensors", network)
    assert network_config(load_network(tmp_path / "a.safetensors")) == network_config(network)
