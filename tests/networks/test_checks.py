"""What a network refuses as a layer or loss."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from backends import get_backend
from backprop import Affine, Identity, MeanSquaredError, Network, ReLU, Residual, check_gradients, fit
from backprop.layers import Layer
from backprop.optimizers import SGD

from .small import net


def test_wrong_stacks() -> None:
    affine = Affine(np.ones((2, 2)), np.ones(2))
    with pytest.raises(ValueError, match="a layer occurs twice in this network"):
        Network([affine, affine])
    network = Network([affine])
    with pytest.raises(
        ValueError, match=r"Affine1: this layer is already in a network or block; give a copy, layer\.to\("
    ):
        Network([affine])
    affine = affine.to(network.backend)
    with pytest.raises(
        TypeError, match=r"Affine1: expected a layer, such as ReLU\(\), got the class Affine; give an inst"
    ):
        Network([Affine])  # type: ignore[list-item]
    with pytest.raises(
        TypeError, match=r"expected a loss, such as SoftmaxWithLoss\(\), as last_layer, got the class"
    ):
        Network([affine], MeanSquaredError)  # type: ignore[arg-type]
    assert Network([ReLU()]).gradient(np.ones((2, 3), np.float32), np.asarray([0, 1])) == {}
    with pytest.raises(ValueError, match=r"SoftmaxWithLoss: expected input \(N, C\), got \(2, 3, 1\)"):
        Network([ReLU()]).loss(np.ones((2, 3, 1), np.float32), np.asarray([0, 1]))
    with pytest.raises(
        TypeError, match="must have one dtype, got W1 float64, b1 float64, W2 float32, b2 float32"
    ):
        Network([affine, Affine(np.ones((2, 2), "float32"), np.ones(2, "float32"))])
    strict = get_backend("strict")
    with pytest.raises(
        TypeError, match=r"must be on one device, got W1 numpy \(cpu\), .* W2 strict \(device1\)"
    ):
        Network([affine, Affine(strict.asarray(np.ones((2, 2))), strict.asarray(np.ones(2)))])


def test_a_network_has_layers() -> None:
    with pytest.raises(ValueError, match="expected at least one layer, such as Affine"):
        Network([])


def test_what_leaves_out_the_constructor_of_its_base_is_told_so() -> None:
    """Wherever it is used first."""

    class Unmade:
        def __init__(self) -> None:
            self.k = 1

    x, t = np.ones((3, 4), "float32"), np.asarray([0, 1, 2])
    layer: Any = type("MyLayer", (Unmade, Affine), {})()
    loss: Any = type("MyLoss", (Unmade, MeanSquaredError), {})()
    network: Any = type("MyNet", (Unmade, Network), {})()
    optimizer: Any = type("MySGD", (Unmade, SGD), {})()
    uses = {
        r"MyLayer: its __init__ does not call super\(\)\.__init__\(\)": [
            lambda: Network([layer]),
            lambda: Residual([layer]),
            lambda: layer.forward(x),
            lambda: layer.params,
            lambda: repr(layer),
            lambda: check_gradients(layer, x),
        ],
        r"MyLoss: its __init__ does not call super\(\)\.__init__\(\)": [
            lambda: Network([Identity()], loss),
            lambda: check_gradients(loss, x, x),
        ],
        r"MyNet: its __init__ does not call super\(\)\.__init__\(layers\)": [
            lambda: network.predict(x),
            lambda: network.params,
            lambda: repr(network),
            lambda: fit(network, x, t, epochs=1, batch_size=1),
            lambda: check_gradients(network, x, t),
        ],
        r"MySGD: its __init__ does not call super\(\)\.__init__\(lr\)": [
            lambda: optimizer.update({"W": x.copy()}, {"W": x}),
            lambda: fit(net(get_backend("cpu")), x, t, epochs=1, batch_size=1, optimizer=optimizer),
        ],
    }
    for message, those in uses.items():
        for use in those:
            with pytest.raises(AttributeError, match=message):
                use()


def test_a_layer_that_lacks_something_is_told_what() -> None:
    class Half:
        def forward(self, x: Any) -> Any:
            return x

    class Derived(Layer):
        def forward(self, x: Any) -> Any:  # type: ignore[override]
            return x

    class WithFlag(Identity):
        def forward(self, x: Any, train_flg: bool = False) -> Any:  # type: ignore[override]
            return x

    with pytest.raises(
        TypeError, match=r"Half1: expected a layer, such as ReLU\(\), got a Half, which has no back"
    ):
        Network([Half()])  # type: ignore[list-item]
    with pytest.raises(TypeError, match=r"as last_layer, got a Half, which has no backward$"):
        Network([Identity()], Half())  # type: ignore[arg-type]
    for layer in (Derived(), WithFlag()):
        with pytest.raises(TypeError, match=r"write def forward\(self, x, \*, training=False\)$"):
            Network([layer])
