"""The layout of samples."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from backends import Backend, namespace_of
from backprop import (
    Affine,
    Convolution,
    Flatten,
    Layer,
    MaxPooling,
    Network,
    ReLU,
    Reshape,
    SimpleConvNet,
    TwoLayerNet,
    fit,
)
from backprop.inputs import Inputs, InputWarning

from .small import PIXELS, RNG, T, outputs, trained

pytestmark = pytest.mark.filterwarnings("ignore:.*float64 input is converted")


def conv() -> SimpleConvNet:
    return SimpleConvNet((3, 8, 8), {"filter_num": 4, "filter_size": 3, "pad": 1}, 8, 3, rng=0)


def test_images_with_channels_last_are_turned(backend: Backend) -> None:
    images = np.stack([PIXELS, 255 - PIXELS, PIXELS // 2], axis=1)
    network = conv()
    fit(network, images, T, epochs=1, batch_size=10, rng=0)
    network = network.to(device=backend)
    with pytest.warns(InputWarning, match=r"images \(8, 8, 3\) have their channels last"):
        turned = outputs(network, np.moveaxis(images, 1, -1))
    np.testing.assert_array_equal(turned, outputs(network, images))
    np.testing.assert_array_equal(outputs(network, images.reshape(90, -1)), outputs(network, images))
    other = conv()
    with pytest.warns(InputWarning, match="channels last"):
        fit(other, np.moveaxis(images, 1, -1), T, epochs=1, batch_size=10, rng=0)
    np.testing.assert_array_equal(other.predict(images), conv_after(images).predict(images))


def conv_after(images: np.ndarray) -> SimpleConvNet:
    network = conv()
    fit(network, images, T, epochs=1, batch_size=10, rng=0)
    return network


def test_as_many_numbers_in_another_order_are_refused() -> None:
    network = trained(PIXELS)
    np.testing.assert_array_equal(outputs(network, PIXELS[:, None]), outputs(network, PIXELS))
    np.testing.assert_array_equal(outputs(network, PIXELS.reshape(90, 64)), outputs(network, PIXELS))
    with pytest.raises(ValueError, match=r"expected samples of shape \(8, 8\).*, got \(4, 16\): as many"):
        outputs(network, PIXELS.reshape(90, 4, 16))


class MeanOfImage(Layer):
    """(N, C, H, W) to (N, C)."""

    def forward(self, x: Any, *, training: bool = False) -> Any:
        self.saved = x.shape if training else None
        return namespace_of(x).mean(x, axis=(2, 3))

    def backward(self, dout: Any) -> Any:
        _, _, height, width = self.saved
        xp = namespace_of(dout)
        each = dout[:, :, None, None] / (height * width)
        return xp.astype(xp.broadcast_to(each, self.saved), dout.dtype)


def of_any_size(*last: Layer) -> Network:
    W = np.random.default_rng(1).standard_normal((3, 2, 3, 3)).astype("float32")
    return Network([Convolution(W, np.zeros(3, "float32"), pad=1), ReLU(), MaxPooling(2), *last])


def test_a_network_for_any_size_takes_images_of_another_with_as_many_pixels(backend: Backend) -> None:
    images = RNG.random((90, 2, 8, 12)).astype("float32")
    network = of_any_size(MeanOfImage())
    fit(network, images, T, epochs=1, batch_size=10, rng=0, test=(images.reshape(90, 2, 6, 16), T))
    network = network.to(device=backend)
    for size in ((12, 8), (6, 16), (16, 16)):
        x = RNG.random((4, 2, *size)).astype("float32")
        y = network.forward(backend.asarray(x))
        np.testing.assert_array_equal(outputs(network, x), backend.to_numpy(y))
    for size in ((12, 8, 2), (96, 2), (4, 6, 8)):  # where the channels are is not certain
        with pytest.raises(ValueError, match=r"expected samples of shape \(2, 8, 12\)"):
            outputs(network, RNG.random((4, *size)).astype("float32"))


@pytest.mark.parametrize(
    "network",
    [
        of_any_size(Flatten(), Affine(np.ones((72, 3), "float32"), np.zeros(3, "float32"))),
        of_any_size(Reshape((72,))),
        TwoLayerNet(192, 4, 3),
    ],
    ids=["affine", "reshape", "mlp"],
)
def test_a_network_for_one_size_takes_no_other(network: Network) -> None:
    images = RNG.random((90, 2, 8, 12)).astype("float32")
    network.inputs = Inputs.of(images)
    network.predict(images)
    with pytest.raises(ValueError, match=r"expected samples of shape \(2, 8, 12\), .*, got \(2, 12, 8\)"):
        network.predict(images.reshape(90, 2, 12, 8))
