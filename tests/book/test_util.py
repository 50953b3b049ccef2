"""The book's tools."""

from __future__ import annotations

import numpy as np
import pytest

from backprop.book import col2im, conv_output_size, im2col, shuffle_dataset, smooth_curve

PLACES = pytest.mark.parametrize(("height", "width", "stride", "pad"), [
    (1, 1, 1, 0), (2, 3, 1, 0), (3, 3, 1, 1), (2, 2, 2, 0), (3, 2, 2, 1), (1, 2, 3, 2)
])  # fmt: skip


def places(h: int, w: int, height: int, width: int, stride: int, pad: int) -> list[tuple[int, int]]:
    rows = range(0, h + 2 * pad - height + 1, stride)
    return [(top, left) for top in rows for left in range(0, w + 2 * pad - width + 1, stride)]


@PLACES
@pytest.mark.parametrize("samples", [1, 2])
def test_im2col_has_a_row_for_every_place(
    samples: int, height: int, width: int, stride: int, pad: int, rng: np.random.Generator
) -> None:
    x = rng.standard_normal((samples, 3, 5, 6))
    around = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    expected = [
        image[:, top : top + height, left : left + width].ravel()
        for image in around
        for top, left in places(5, 6, height, width, stride, pad)
    ]
    col = im2col(x.astype(np.float32), height, width, stride, pad)
    assert col.dtype == np.float64
    np.testing.assert_array_equal(col, np.asarray(expected).astype(np.float32))


@PLACES
def test_col2im_is_the_transpose_of_im2col(
    height: int, width: int, stride: int, pad: int, rng: np.random.Generator
) -> None:
    x = rng.standard_normal((2, 3, 5, 6))
    col = im2col(x, height, width, stride, pad)
    other = rng.standard_normal(col.shape)
    back = col2im(other, x.shape, height, width, stride, pad)
    assert back.shape == x.shape
    assert np.vdot(col, other) == pytest.approx(np.vdot(x, back))


def test_im2col_copies() -> None:
    x = np.ones((1, 1, 2, 2))
    im2col(x, 1, 1)[...] = 0.0
    assert x.all()


@pytest.mark.parametrize(("arguments", "message"), [
    ((np.ones((3, 3)), 2, 2), r"expected images \(N, C, H, W\), got \(3, 3\)"),
    ((np.ones((1, 1, 3, 3)), 4, 2), "the kernel 4×2 is larger than the image 3×3 with pad 0"),
    ((np.ones((1, 1, 3, 3)), 2, 2, 0), "expected a kernel and a stride of at least 1"),
])  # fmt: skip
def test_im2col_of_wrong_arguments(arguments: tuple[object, ...], message: str) -> None:
    with pytest.raises(ValueError, match=f"^im2col: {message}"):
        im2col(*arguments)  # type: ignore[arg-type]


def test_col2im_of_a_wrong_matrix() -> None:
    with pytest.raises(ValueError, match=r"^col2im: expected a matrix \(4, 4\), got \(4, 3\)"):
        col2im(np.ones((4, 3)), (1, 1, 3, 3), 2, 2)


def test_output_size() -> None:
    assert conv_output_size(28, 5) == 24
    assert conv_output_size(7, 3, stride=2, pad=1) == 4
    assert conv_output_size(8, 3, stride=2) == 3.5


def test_a_smoothed_curve_is_a_weighted_mean_of_11_points(rng: np.random.Generator) -> None:
    x = rng.standard_normal(30)
    smooth, weights = smooth_curve(list(x)), np.kaiser(11, 2)
    assert len(smooth) == 30
    for i in range(5, 25):
        assert smooth[i] == pytest.approx(np.average(x[i - 5 : i + 6], weights=weights))
    assert smooth[0] == pytest.approx(np.average([*x[5:0:-1], *x[:6]], weights=weights))
    assert smooth[-1] == pytest.approx(np.average([*x[-6:], *x[:-6:-1]], weights=weights))
    np.testing.assert_allclose(smooth_curve(np.ones(11)), np.ones(11))


def test_a_curve_too_short_to_smooth() -> None:
    with pytest.raises(ValueError, match=r"^smooth_curve: expected at least 11 points \(N,\), got \(10,\)"):
        smooth_curve(np.ones(10))


@pytest.mark.parametrize("shape", [(20, 3), (20, 1, 2, 2)])
def test_samples_and_labels_are_shuffled_alike_by_the_global_seed(shape: tuple[int, ...]) -> None:
    x, t = np.arange(np.prod(shape)).reshape(shape), np.arange(20)
    np.random.seed(3)
    shuffled, labels = shuffle_dataset(x, t)
    np.testing.assert_array_equal(labels, np.random.RandomState(3).permutation(20))
    np.testing.assert_array_equal(shuffled, x[labels])


def test_samples_without_labels() -> None:
    with pytest.raises(ValueError, match="expected as many labels as samples, got 3 and 4"):
        shuffle_dataset(np.ones((4, 2)), np.ones(3))
