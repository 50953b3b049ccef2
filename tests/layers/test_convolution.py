"""Convolution and pooling: values, slabs and their memory, the merged layer, and errors."""

from __future__ import annotations

import math
import re
import tracemalloc
from typing import Any

import numpy as np
import pytest

from backends import Backend, get_backend
from backprop import (
    SGD,
    Affine,
    AveragePooling,
    Convolution,
    ConvolutionReLUPooling,
    Layer,
    MaxPooling,
    Network,
    Pooling,
    ReLU,
    Training,
    check_gradients,
)

from ..cases import CASES

CONVOLUTIONS = [name for name in CASES if name.startswith("Convolution")]


def filters(backend: Backend, *shape: int, dtype: str = "float32") -> tuple[Any, Any]:
    rng = np.random.default_rng(1)
    W, b = rng.standard_normal(shape), rng.standard_normal(shape[0])
    return backend.asarray(W, dtype=dtype), backend.asarray(b, dtype=dtype)


def whole(*shape: int, most: int = 2) -> np.ndarray:
    """Whole numbers, whose sums and products are exact and often equal."""
    return np.random.default_rng(2).integers(-most, most + 1, shape).astype("float32")


def run(layer: Layer, x: np.ndarray, dout: np.ndarray, backend: Backend) -> list[np.ndarray]:
    """Output, input gradient and parameter gradients."""
    y = layer.forward(backend.asarray(x), training=True)
    dx = layer.backward(backend.asarray(dout))
    return [backend.to_numpy(value).copy() for value in (y, dx, *layer.grads.values())]


def test_the_books_spelling(backend: Backend) -> None:
    assert Pooling is MaxPooling
    y = Pooling(2, 2, 2, 0).forward(backend.asarray(np.arange(16.0).reshape(1, 1, 4, 4)))
    np.testing.assert_array_equal(backend.to_numpy(y), [[[[5.0, 7.0], [13.0, 15.0]]]])


def test_against_the_definition(backend: Backend, rng: np.random.Generator) -> None:
    x, stride, pad = rng.standard_normal((2, 3, 5, 6)), 2, 1
    W, b = rng.standard_normal((4, 3, 3, 2)), rng.standard_normal(4)
    padded = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    expected = np.empty((2, 4, 3, 4))
    for n, f, i, j in np.ndindex(expected.shape):
        window = padded[n, :, i * stride : i * stride + 3, j * stride : j * stride + 2]
        expected[n, f, i, j] = (window * W[f]).sum() + b[f]
    layer = Convolution(backend.asarray(W), backend.asarray(b), stride, pad)
    np.testing.assert_allclose(backend.to_numpy(layer.forward(backend.asarray(x))), expected, rtol=1e-12)


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_gradients_image_by_image(name: str, backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(backend), "slab_bytes", 1)
    layer, x = CASES[name](np.random.default_rng(0))
    report = check_gradients(layer, x, device=backend, elements=20)
    assert report.passed, f"\n{report}"


@pytest.mark.parametrize("kind", [Convolution, ConvolutionReLUPooling])
def test_the_size_of_slabs_does_not_matter(
    kind: type[Convolution], backend: Backend, monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator
) -> None:
    results = []
    x = rng.standard_normal((7, 2, 6, 6))
    seen = []
    product = kind.product
    monkeypatch.setattr(kind, "product", lambda self, *a: seen.append(a[2].shape[4]) or product(self, *a))
    for images in (1, 2, 3, 4, 7):
        layer = kind(*filters(backend, 3, 2, 3, 3, dtype="float64"), pad=1)
        windows = layer.windows(backend.asarray(x))
        below, beside = windows.blocks(x)
        one = (windows.numbers_each(np.empty((2, 7, 6, 6))) + 2 * 3 * below * beside) * 8
        monkeypatch.setattr(type(backend), "slab_bytes", images * one)
        dout = np.random.default_rng(3).standard_normal((7, 3, below, beside))
        results.append(run(layer, x, dout, backend))
    assert seen == [1] * 7 + [2, 2, 2, 1] + [3, 3, 1] + [4, 3] + [7]
    for others in results[1:]:
        for ours, first in zip(others, results[0], strict=True):
            np.testing.assert_allclose(ours, first, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("kind", [Convolution, ConvolutionReLUPooling])
def test_memory_is_bounded(kind: type[Convolution]) -> None:
    backend = get_backend("cpu")
    layer = kind(*filters(backend, 8, 8, 3, 3), pad=1)
    x = np.zeros((500, 8, 28, 28), "float32")
    dout = np.zeros(layer.forward(x[:1]).shape, "float32").repeat(500, axis=0)
    columns = 9 * x.nbytes
    tracemalloc.start()
    try:
        layer.forward(x, training=True)
        layer.backward(dout)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    masks = dout.size * 4 if kind is ConvolutionReLUPooling else 0
    assert peak < dout.nbytes + x.nbytes + masks + 4 * backend.slab_bytes < columns / 2


def three(W: Any, b: Any, stride: int, pad: int, pool_h: int, pool_w: int) -> list[Layer]:
    return [Convolution(W, b, stride, pad), ReLU(), MaxPooling(pool_h, pool_w)]


def run_three(layers: list[Layer], x: np.ndarray, dout: np.ndarray, backend: Backend) -> list[np.ndarray]:
    y = backend.asarray(x)
    for layer in layers:
        y = layer.forward(y, training=True)
    dx = backend.asarray(dout)
    for layer in reversed(layers):
        dx = layer.backward(dx)
    return [backend.to_numpy(value).copy() for value in (y, dx, *layers[0].grads.values())]


SETTINGS = [(1, 0, 2, 2), (1, 1, 2, 2), (2, 1, 2, 3), (1, 2, 3, 1), (3, 0, 1, 2), (1, 0, 1, 1), (2, 2, 3, 2)]


@pytest.mark.parametrize("slab_bytes", [1, 2**26])
@pytest.mark.parametrize("setting", SETTINGS)
def test_merged_is_the_three_layers_bit_by_bit_where_sums_are_exact(
    setting: tuple[int, ...], slab_bytes: int, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Small whole numbers: many windows have several largest entries, many outputs are 0."""
    monkeypatch.setattr(type(backend), "slab_bytes", slab_bytes)
    W, b = (backend.asarray(whole(*shape)) for shape in ((4, 2, 3, 2), (4,)))
    x = whole(3, 2, 11, 12, most=1)
    merged, layers = ConvolutionReLUPooling(W, b, *setting), three(W, b, *setting)
    dout = whole(*merged.forward(backend.asarray(x)).shape, most=5)
    for ours, theirs in zip(run(merged, x, dout, backend), run_three(layers, x, dout, backend), strict=True):
        np.testing.assert_array_equal(ours, theirs)
        assert ours.dtype == "float32"
        assert np.any(ours != 0)


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 2e-6), ("float64", 1e-14)])
@pytest.mark.parametrize("setting", SETTINGS)
def test_merged_is_the_three_layers(
    setting: tuple[int, ...], dtype: str, tolerance: float, backend: Backend, rng: np.random.Generator
) -> None:
    W, b = filters(backend, 4, 2, 3, 2, dtype=dtype)
    x = rng.standard_normal((3, 2, 11, 12)).astype(dtype)
    merged, layers = ConvolutionReLUPooling(W, b, *setting), three(W, b, *setting)
    dout = rng.standard_normal(merged.forward(backend.asarray(x)).shape).astype(dtype)
    for ours, theirs in zip(run(merged, x, dout, backend), run_three(layers, x, dout, backend), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=tolerance * np.abs(theirs).max())


@pytest.mark.only("torch")
@pytest.mark.parametrize("setting", [(2, 2, 2, 0), (3, 3, 1, 1), (3, 2, 2, 1), (2, 3, 4, 0)])
def test_ties_go_where_pytorch_sends_them(setting: tuple[int, ...], backend: Backend) -> None:
    import torch

    pool_h, pool_w, stride, pad = setting
    x = torch.from_numpy(whole(2, 3, 9, 8, most=1)).requires_grad_()
    expected = torch.nn.functional.max_pool2d(x, (pool_h, pool_w), stride, pad)
    dout = torch.from_numpy(whole(*expected.shape, most=5))
    expected.backward(dout)
    y, dx = run(MaxPooling(*setting), x.detach().numpy(), dout.numpy(), backend)
    np.testing.assert_array_equal(y, expected.detach().numpy())
    np.testing.assert_array_equal(dx, x.grad.numpy())


def test_padding_counts_as_minus_infinity_or_as_zeros(backend: Backend) -> None:
    x = backend.asarray(np.full((1, 1, 2, 2), -4.0))
    np.testing.assert_array_equal(
        backend.to_numpy(MaxPooling(2, pad=1).forward(x)), np.full((1, 1, 2, 2), -4)
    )
    mean = AveragePooling(2, pad=1).forward(x)
    np.testing.assert_array_equal(backend.to_numpy(mean), np.full((1, 1, 2, 2), -1))


def test_ties_and_kinks_are_seen(backend: Backend) -> None:
    report = check_gradients(MaxPooling(2), np.zeros((1, 1, 2, 2)), device=backend)
    assert [entry.kinks for entry in report.entries] == [4]
    one = np.ones((1, 1, 1, 1))
    layer = ConvolutionReLUPooling(one, np.zeros(1), pool_h=1, pool_w=2)
    for x, kinks in [([0.0, -1.0], 1), ([2.0, 2.0], 2), ([-2.0, -2.0], 0), ([1.0, 2.0], 0)]:
        report = check_gradients(layer, np.asarray(x).reshape(1, 1, 1, 2), device=backend)
        assert report.entries[-1].kinks == kinks
        assert report.passed is (kinks == 0)


def images(n: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(4).integers(0, 256, (n, *shape)).astype(np.uint8)


def deep(backend: Backend, head: str) -> Network:
    draw = np.random.default_rng(1)

    def array(*shape: int) -> Any:
        return backend.asarray(0.3 * draw.standard_normal(shape), dtype="float32")

    heads = {
        "merged": lambda: [
            ConvolutionReLUPooling(array(5, 1, 3, 3), array(5), pad=1),
            ConvolutionReLUPooling(array(4, 5, 3, 3), array(4)),
        ],
        "plain": lambda: [
            Convolution(array(5, 1, 3, 3), array(5), pad=1),
            ReLU(),
            MaxPooling(3, stride=2, pad=1),
            Convolution(array(4, 5, 3, 3), array(4)),
            AveragePooling(2),
        ],
    }
    return Network([*heads[head](), Affine(array(4, 3), array(3))])


@pytest.mark.parametrize("slab_bytes", [3000, 2**26])
@pytest.mark.parametrize("head", ["merged", "plain"])
def test_recorded_training_is_training(
    head: str, slab_bytes: int, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last batch of an epoch is smaller; with small slabs it has slabs of its own."""
    monkeypatch.setattr(type(backend), "slab_bytes", slab_bytes)
    x, t = images(50, 1, 8, 9), np.random.default_rng(5).integers(0, 3, 50)
    results = []
    for capture in (True, False):
        net = deep(backend, head)
        metrics = list(
            Training(net, x, t, epochs=4, batch_size=12, rng=0, optimizer=SGD(0.05), capture=capture)
        )
        flat = backend.to_numpy(net.flat_params["flat"]).copy()
        results.append((flat, [m.loss for m in metrics]))
    (ours, losses), (theirs, expected) = results
    exactly = backend.device == "cpu"
    np.testing.assert_allclose(ours, theirs, rtol=0 if exactly else 1e-5, atol=0 if exactly else 1e-6)
    np.testing.assert_allclose(losses, expected, rtol=0 if exactly else 1e-5)
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("head", ["merged", "plain"])
def test_networks(head: str, backend: Backend, rng: np.random.Generator) -> None:
    report = check_gradients(
        deep(backend, head), rng.standard_normal((2, 1, 8, 9)), np.asarray([0, 2]), rng=3, elements=15
    )
    assert report.passed, f"\n{report}"


BAD_PARAMETERS = [
    (((2, 3), (2,)), {}, r"expected W \(FN, C, FH, FW\) and b \(FN,\), got \(2, 3\) and \(2,\)"),
    (((2, 1, 3, 3), (3,)), {}, r"expected W .*, got \(2, 1, 3, 3\) and \(3,\)"),
    (((2, 1, 0, 3), (2,)), {}, r"expected W .*, got \(2, 1, 0, 3\) and \(2,\)"),
    (((2, 1, 3, 3), (2,)), {"stride": 0}, "expected stride to be a whole number of at least 1, got 0"),
    (((2, 1, 3, 3), (2,)), {"stride": 1.5}, "expected stride to be a whole number of at least 1, got 1.5"),
    (((2, 1, 3, 3), (2,)), {"pad": -1}, "expected pad to be a whole number of at least 0, got -1"),
]  # fmt: skip


@pytest.mark.parametrize("kind", [Convolution, ConvolutionReLUPooling])
@pytest.mark.parametrize(("shapes", "options", "message"), BAD_PARAMETERS)
def test_wrong_parameters(kind: Any, shapes: Any, options: Any, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{kind.__name__}: {message}"):
        kind(*(np.ones(shape) for shape in shapes), **options)


@pytest.mark.parametrize(("args", "message"), [
    ((0,), "expected pool_h to be a whole number of at least 1, got 0"),
    ((2, -1), "expected pool_w to be a whole number of at least 1, got -1"),
    ((2, 2, 0), "expected stride to be a whole number of at least 1, got 0"),
    ((2, 2, 2, -1), "expected pad to be a whole number of at least 0, got -1"),
    ((3, 2, 2, 2), "expected pad of at most half the window 3×2, got 2"),
])  # fmt: skip
@pytest.mark.parametrize("kind", [MaxPooling, AveragePooling])
def test_wrong_windows(kind: Any, args: Any, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{kind.__name__}: {message}$"):
        kind(*args)
    if len(args) < 3:
        with pytest.raises(ValueError, match=f"^ConvolutionReLUPooling: {message}$"):
            ConvolutionReLUPooling(np.ones((2, 1, 3, 3)), np.ones(2), 1, 0, *args)


@pytest.mark.parametrize("kind", [Convolution, ConvolutionReLUPooling])
def test_wrong_input(kind: Any, backend: Backend) -> None:
    def zeros(*shape: int, dtype: str = "float32") -> Any:
        return backend.asarray(np.zeros(shape), dtype=dtype)

    layer = kind(*filters(backend, 2, 3, 4, 4), pad=1)
    layer.name = "Convolution7"
    for shape in [(5, 48), (5, 2, 8, 8), (5, 3, 8), ()]:
        with pytest.raises(ValueError, match=r"^Convolution7: expected input \(N, 3, H, W\), got \("):
            layer.forward(zeros(*shape))
    with pytest.raises(ValueError, match=r"got \(3, 8, 8\); give a single image as x\[None, \.\.\.\]$"):
        layer.forward(zeros(3, 8, 8))
    with pytest.raises(
        ValueError, match="^Convolution7: the kernel 4×4 is larger than the image 1×8 with pad 1$"
    ):
        layer.forward(zeros(5, 3, 1, 8))
    with pytest.raises(TypeError, match="^Convolution7: x and W differ in dtype, float64 and float32"):
        layer.forward(zeros(5, 3, 8, 8, dtype="float64"))
    y = layer.forward(zeros(5, 3, 6, 8), training=True)
    with pytest.raises(ValueError, match=rf"^Convolution7: expected dout \(5, 2, .*\), got \(5, {8}\)$"):
        layer.backward(zeros(5, 8))
    with pytest.raises(TypeError, match="^Convolution7: dout and W differ in dtype, float64 and float32"):
        layer.backward(zeros(*y.shape, dtype="float64"))


def test_nothing_to_pool(backend: Backend) -> None:
    layer = ConvolutionReLUPooling(*filters(backend, 2, 1, 3, 3), pool_h=2, pool_w=3)
    x = backend.asarray(np.zeros((5, 1, 4, 4)), dtype="float32")
    with pytest.raises(
        ValueError, match="pooled, 2×3, is larger than the 2×2 that the convolution makes of an image 4×4$"
    ):
        layer.forward(x)


@pytest.mark.parametrize("kind", [MaxPooling, AveragePooling])
def test_wrong_pooling_input(kind: Any, backend: Backend) -> None:
    layer = kind(3, 2, pad=1)
    with pytest.raises(ValueError, match=rf"^{layer.name}: expected input \(N, C, H, W\), got \(2, 3, 4\)$"):
        layer.forward(backend.asarray(np.zeros((2, 3, 4))))
    with pytest.raises(ValueError, match="a window 3×2 is larger than the image 0×4 with pad 1$"):
        layer.forward(backend.asarray(np.zeros((2, 3, 0, 4))))
    with pytest.raises(TypeError, match="expected floating-point input, got int64"):
        layer.forward(backend.asarray(np.zeros((2, 3, 4, 4), np.int64)))
    layer.forward(backend.asarray(np.zeros((2, 3, 4, 4))), training=True)
    with pytest.raises(ValueError, match=r"expected dout \(2, 3, 2, 3\), got \(2, 3, 2, 2\)"):
        layer.backward(backend.asarray(np.zeros((2, 3, 2, 2))))


@pytest.mark.parametrize("kind", [Convolution, ConvolutionReLUPooling])
def test_no_images(kind: Any, backend: Backend) -> None:
    layer = kind(*filters(backend, 2, 1, 3, 3))
    y = layer.forward(backend.asarray(np.zeros((0, 1, 6, 6)), dtype="float32"), training=True)
    assert tuple(layer.backward(y).shape) == (0, 1, 6, 6)
    assert not np.any(backend.to_numpy(layer.grads["W"]))


def test_the_message_about_a_wrong_bias_names_it(backend: Backend) -> None:
    W, b = filters(backend, 2, 1, 3, 3)
    with pytest.raises(TypeError, match="^Convolution: b and W differ in dtype, float64 and float32"):
        Convolution(W, backend.asarray(np.zeros(2), dtype="float64"))
    layer = Convolution(W, b)
    for shape, hint in (((1, 5, 5), r"; give a single image as x\[None, \.\.\.\]"), ((4, 2, 5, 5), "")):
        with pytest.raises(
            ValueError, match=rf"^Convolution: expected input \(N, 1, H, W\), got \(.*\){hint}$"
        ):
            layer.forward(backend.asarray(np.zeros(shape), dtype="float32"))


def test_a_window_wider_than_the_padded_image_is_refused(backend: Backend) -> None:
    x = backend.asarray(np.zeros((1, 1, 9, 2)), dtype="float32")
    with pytest.raises(ValueError, match="a window 2×5 is larger than the image 9×2 with pad 1"):
        MaxPooling(2, 5, pad=1).forward(x)


def test_the_regions_of_padded_windows(backend: Backend) -> None:
    x = -1.0 - np.arange(9.0).reshape(1, 1, 3, 3)  # below 0, and so below a pad of zeros
    found = MaxPooling(2, pad=1).region(backend.asarray(x))
    assert backend.to_numpy(found).tolist() == [[[[3, 2], [1, 0]]]]


def test_the_regions_of_the_merged_layer(backend: Backend) -> None:
    W, b = backend.asarray([[[[1.0]]]]), backend.asarray([0.0])
    x = np.zeros((1, 1, 6, 6))
    x[0, 0, 1, 1], x[0, 0, 3, 3] = 5.0, -5.0  # with stride 2 from the pad on: these are what is looked at
    x[0, 0, 1, 5] = 2.0
    found = ConvolutionReLUPooling(W, b, stride=2, pad=1).region(backend.asarray(x))
    assert backend.to_numpy(found).tolist() == [[[[3, 3], [-1, -1]]]]


@pytest.mark.parametrize("shape", [(2, 1, 0, 4), (2, 1, 4, 0), (2, 1, 0, 0)])
def test_images_without_pixels(shape: tuple[int, ...], backend: Backend) -> None:
    """Padding alone is no image."""
    x = backend.asarray(np.zeros(shape), dtype="float32")
    W, b = filters(backend, 2, 1, 2, 2)
    for layer in (
        Convolution(W, b, pad=1), ConvolutionReLUPooling(W, b, pad=2), MaxPooling(2, pad=1), AveragePooling(2, pad=1),
    ):  # fmt: skip
        message = f"^{layer.name}: expected images with pixels, got input {re.escape(str(shape))}"
        with pytest.raises(ValueError, match=message):
            layer.forward(x)
    with pytest.raises(
        ValueError, match=r"MaxPooling: expected images with pixels, got input \(2, 0, 4, 4\)"
    ):
        MaxPooling(2).forward(backend.asarray(np.zeros((2, 0, 4, 4))))


POOLINGS = [
    (2,),
    (3, 2, 2, 1),
    (2, 3, 1, 1),
    (3, 3, 2, 1),
    (4, 4, 3, 2),
    (5, 5, 1, 2),
    (4, 4, 1, 2),
    (2, 2, 3, 1),
]


@pytest.mark.parametrize("settings", POOLINGS)
def test_a_window_of_minus_infinity_has_its_gradient_inside(
    settings: tuple[int, ...], backend: Backend, rng: np.random.Generator
) -> None:
    """At its first pixel, not in the padding around it."""
    pooling = MaxPooling(*settings)
    x = rng.standard_normal((2, 3, 6, 5))
    x[rng.random(x.shape) < 0.7] = -math.inf
    x[0, 0] = -math.inf
    y = pooling.forward(backend.asarray(x), training=True)
    dout = rng.uniform(0.5, 1.5, tuple(y.shape))
    dx = backend.to_numpy(pooling.backward(backend.asarray(dout)))
    expected, values = by_windows(pooling, x, dout)
    np.testing.assert_array_equal(backend.to_numpy(y), values)
    np.testing.assert_allclose(dx, expected, rtol=1e-12)
    assert dx.sum() == pytest.approx(dout.sum())


def by_windows(pooling: MaxPooling, x: np.ndarray, dout: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """dx and y, window by window, from the pixels of the image alone."""
    dx, y, pad = np.zeros_like(x), np.empty_like(dout), pooling.pad
    for n, c, a, b in np.ndindex(dout.shape):
        top, left = a * pooling.stride_h - pad, b * pooling.stride_w - pad
        rows, columns = slice(max(top, 0), top + pooling.pool_h), slice(max(left, 0), left + pooling.pool_w)
        window = x[n, c, rows, columns]
        nan = np.flatnonzero(np.isnan(window))
        place = nan[-1] if nan.size else window.argmax()
        i, j = np.unravel_index(place, window.shape)
        dx[n, c, rows.start + i, columns.start + j] += dout[n, c, a, b]
        y[n, c, a, b] = window[i, j]
    return dx, y


@pytest.mark.parametrize("settings", POOLINGS)
def test_nan_is_the_largest(settings: tuple[int, ...], backend: Backend, rng: np.random.Generator) -> None:
    pooling = MaxPooling(*settings)
    x = rng.standard_normal((2, 3, 6, 5))
    x[rng.random(x.shape) < 0.15] = math.nan
    y = pooling.forward(backend.asarray(x), training=True)
    dout = rng.uniform(0.5, 1.5, tuple(y.shape))
    dx = backend.to_numpy(pooling.backward(backend.asarray(dout)))
    expected, values = by_windows(pooling, x, dout)
    np.testing.assert_array_equal(backend.to_numpy(y), values)
    np.testing.assert_array_equal(backend.to_numpy(pooling.forward(backend.asarray(x))), values)
    np.testing.assert_allclose(dx, expected, rtol=1e-12)


@pytest.mark.only("torch")
@pytest.mark.parametrize("settings", POOLINGS)
def test_special_values_are_pooled_as_in_pytorch(settings: tuple[int, ...], backend: Backend) -> None:
    import torch

    generator = torch.Generator().manual_seed(0)
    x = torch.randn((3, 2, 6, 5), generator=generator, dtype=torch.float64)
    kinds = torch.rand(x.shape, generator=generator)
    x[kinds < 0.1], x[kinds > 0.6] = math.nan, -math.inf
    x.requires_grad_()
    pooling = MaxPooling(*settings)
    stride = (pooling.stride_h, pooling.stride_w)
    expected = torch.nn.functional.max_pool2d(x, (pooling.pool_h, pooling.pool_w), stride, pooling.pad)
    dout = torch.rand(expected.shape, generator=generator, dtype=torch.float64)
    expected.backward(dout)
    y = pooling.forward(x.detach(), training=True)
    torch.testing.assert_close(y, expected.detach(), equal_nan=True)
    torch.testing.assert_close(pooling.backward(dout), x.grad)


@pytest.mark.filterwarnings("ignore:invalid value")
@pytest.mark.parametrize("special", [math.nan, -math.inf])
def test_special_values_in_merged_layers(special: float, backend: Backend, rng: np.random.Generator) -> None:
    """As in the three layers it stands for."""
    W, b = np.abs(rng.standard_normal((2, 1, 2, 2))) + 0.1, rng.standard_normal(2)
    x = rng.standard_normal((3, 1, 7, 7))
    x[0, 0, 2, 3] = x[1, 0, :4, :4] = special
    merged = ConvolutionReLUPooling(backend.asarray(W), backend.asarray(b))
    apart = [Convolution(backend.asarray(W), backend.asarray(b)), ReLU(), MaxPooling(2)]
    y, z = merged.forward(backend.asarray(x), training=True), backend.asarray(x)
    for layer in apart:
        z = layer.forward(z, training=True)
    np.testing.assert_allclose(backend.to_numpy(y), backend.to_numpy(z), rtol=1e-10, atol=1e-12)
    assert np.isnan(backend.to_numpy(y)).any() == math.isnan(special)
    dout = backend.asarray(rng.uniform(0.5, 1.5, tuple(y.shape)))
    dx, d = merged.backward(dout), dout
    for layer in reversed(apart):
        d = layer.backward(d)
    if special == -math.inf:
        np.testing.assert_allclose(backend.to_numpy(dx), backend.to_numpy(d), rtol=1e-10, atol=1e-12)
