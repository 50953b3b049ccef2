"""Samples and weights as images."""

from __future__ import annotations

import base64

import numpy as np
import pytest

from backprop.pages.images import png, sample_image, weight_image, weights_as_images
from tests.report.runs import TEST


def pixels(source: str) -> np.ndarray:
    image = pytest.importorskip("PIL.Image")
    import io

    return np.asarray(image.open(io.BytesIO(base64.b64decode(source.partition(",")[2]))))


def test_png_contains_the_pixels() -> None:
    rng = np.random.default_rng(0)
    for channels in (1, 3):
        values = rng.integers(0, 256, (5, 7, channels)).astype(np.uint8)
        np.testing.assert_array_equal(pixels(png(values)).reshape(5, 7, channels), values)


def test_samples_as_images() -> None:
    bytes_, floats = TEST[0][0], np.linspace(-1.0, 3.0, 64)
    assert sample_image(np.zeros(5)) is None
    np.testing.assert_array_equal(pixels(sample_image(bytes_) or ""), bytes_)
    np.testing.assert_array_equal(
        pixels(sample_image(floats) or "").ravel(), (np.arange(64) * 255 / 63).round()
    )
    assert pixels(sample_image(np.zeros((3, 200, 300), np.uint8)) or "").shape == (50, 75, 3)
    assert pixels(sample_image(np.ones((8, 8))) or "").max() == 0


def test_weights_as_images() -> None:
    found = pixels(weight_image(np.asarray([[[-2.0, 0.0, 1.0, 0.5]]]), 1.0))[0]
    assert found[:, 3].tolist() == [255, 0, 255, 128]  # transparent at 0
    assert found[0, :3].argmax() == 2  # blue
    assert found[2, :3].argmax() == 0  # red
    assert found[3, :3].tolist() == found[2, :3].tolist()
    rgb = pixels(weight_image(np.asarray([[[-1.0]], [[0.0]], [[1.0]]]), 1.0))
    assert rgb.tolist() == [[[0, 128, 255]]]


def test_which_weights_are_images() -> None:
    W = np.arange(64.0 * 3).reshape(64, 3)
    found = weights_as_images(W, (8, 8))
    assert found is not None
    assert found.shape == (3, 1, 8, 8)
    np.testing.assert_array_equal(found[2].ravel(), W[:, 2])
    assert weights_as_images(W, (64,)) is not None
    assert weights_as_images(W, (9, 9)) is None
    assert weights_as_images(W, ()) is None
    assert weights_as_images(np.zeros(64), (8, 8)) is None
    filters = np.arange(2.0 * 5 * 3 * 3).reshape(2, 5, 3, 3)
    for channels, shape in ((1, (2, 1, 3, 3)), (3, (2, 3, 3, 3)), (5, (10, 1, 3, 3))):
        images = weights_as_images(filters[:, :channels], (8, 8))
        assert images is not None
        assert images.shape == shape
