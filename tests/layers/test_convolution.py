"""Convolution: values, slabs and their memory, and errors."""

from __future__ import annotations

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
    MaxPooling,
    Network,
    ReLU,
    Training,
    check_gradients,
)

from ..cases import CASES
from .images import filters, run

CONVOLUTIONS = [name for name in CASES if name.startswith("Convolution")]


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
        size = layer.size(windows, backend.asarray(x))
        one = (windows.numbers_each(np.empty((2, 7, 6, 6))) + 2 * 3 * below * beside) * 8
        monkeypatch.setattr(type(backend), "slab_bytes", images * one)
        dout = np.random.default_rng(3).standard_normal((7, 3, *size))
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
