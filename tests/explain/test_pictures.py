"""Arrays as pictures: images where they are images, feature maps, strips and small matrices."""

from __future__ import annotations

import re

import numpy as np

from backprop import Affine, Convolution, Network, ReLU
from backprop.explain import explain, pictures
from backprop.explain.steps import Step
from tests.pages.test_images import pixels

from .small import colours, simple_conv, two_layer


def captions(step: Step, image: tuple[int, ...], sample: int = 0) -> list[str]:
    return re.findall(r"<p>(.*?)</p>", pictures.of_step(step, sample, image))


def sources(step: Step, image: tuple[int, ...], sample: int = 0) -> list[str]:
    return re.findall(r'src="(.*?)"', pictures.of_step(step, sample, image))


def test_digits_and_weights_are_images() -> None:
    network, x, t = two_layer()
    found = explain(network, x, t)
    assert [caption.partition(":")[0] for caption in captions(found.steps[0], (784,))] == [
        "x, the sample",
        "y, a cell for each of its 50 numbers",
        "W, a picture for each output (the first 32 of 50)",
        "b",
    ]
    digit, outputs, *weights = sources(found.steps[0], (784,))
    np.testing.assert_array_equal(pixels(digit)[:, :].reshape(28, 28), x[0].reshape(28, 28))
    y = np.asarray(found.trace["Affine1"].output[0])
    strip = pixels(outputs)[0]
    assert (strip[:, 0] > strip[:, 2]).tolist() == (y > 0).tolist()  # red above 0
    assert strip[:, 3].argmax() == np.abs(y).argmax()
    W = np.asarray(network.params["W1"])
    np.testing.assert_array_equal(
        pixels(weights[7])[:, :, 3],
        (255 * np.abs(W[:, 7].reshape(28, 28).astype(float)) / np.abs(W.astype(float)).max()).round(),
    )


def test_the_gradient_is_an_image_of_the_same_shape() -> None:
    found = explain(*two_layer())
    last = found.steps[-1]
    assert last.title == "Affine1, backward"
    assert pixels(sources(last, (784,))[1]).shape == (28, 28, 4)


def test_other_samples_of_the_batch() -> None:
    network, x, t = two_layer()
    found = explain(network, x, t, sample=2)
    digit = sources(found.steps[0], (784,), 2)[0]
    np.testing.assert_array_equal(pixels(digit).reshape(28, 28), x[2].reshape(28, 28))


def test_feature_maps_and_filters() -> None:
    found = explain(*simple_conv())
    first, second = captions(found.steps[0], (1, 28, 28)), captions(found.steps[1], (1, 28, 28))
    assert first[1].startswith("y of the sample: red above 0")
    assert first[2].startswith("W, a picture for each filter: ")
    assert second[0].startswith("x of the sample: red above 0")  # 30 maps of 12×12
    assert not any(caption.startswith("W") for caption in second)  # a matrix that is too large


def test_colours() -> None:
    found = explain(*colours())
    digit, *others = sources(found.steps[0], (3, 8, 8))
    assert pixels(digit).shape == (8, 8, 3)
    assert pixels(others[-1]).shape == (2, 2, 3)


def test_a_small_matrix_has_a_row_for_each_output() -> None:
    step = explain(*two_layer()).steps[2]
    assert captions(step, (784,))[2].startswith("W, transposed: a row for each output")
    assert pixels(sources(step, (784,))[2]).shape == (10, 50, 4)


def test_filters_of_many_channels() -> None:
    rng = np.random.default_rng(0)
    network = Network(
        [Convolution(rng.random((3, 2, 3, 3)), np.zeros(3)), ReLU(), Affine(rng.random((12, 2)), np.zeros(2))]
    )
    step = explain(network, rng.random((2, 2, 4, 4)), np.asarray([0, 1])).steps[0]
    assert any(
        caption.startswith("W, a picture for each filter and channel")
        for caption in captions(step, (2, 4, 4))
    )


def test_hidden_units_are_no_image() -> None:
    rng = np.random.default_rng(0)
    network = Network([Affine(rng.random((9, 64)), np.zeros(64)), Affine(rng.random((64, 2)), np.zeros(2))])
    step = explain(network, rng.random((2, 9)), np.asarray([0, 1])).steps[1]
    assert captions(step, (9,))[0].startswith("x, a cell for each of its 64 numbers")
    assert captions(step, (9,))[2].startswith("W, transposed")


def test_nan_is_drawn_as_0() -> None:
    network, x, t = two_layer()
    network.params["W1"][:, 0] = np.nan
    assert len(sources(explain(network, x, t).steps[0], (784,))) == 34
