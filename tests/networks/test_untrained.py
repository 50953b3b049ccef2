"""Weights that a layer keeps where nobody trains them are said, and constants are not."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

from backends import namespace_of
from backprop import Affine, Layer, Network, Residual, check_gradients
from backprop.networks.untrained import UntrainedWarning

from ..cases import CASES
from ..training.capture_fuzz.cases import ALONE, ORDER, make

W, B = np.ones((3, 3), "float32"), np.zeros(3, "float32")


class Book(Layer):
    """The book's Affine, word for word."""

    def __init__(self) -> None:
        super().__init__()
        self.W = W.copy()
        self.b = B.copy()
        self.x = None
        self.dW = None
        self.db = None

    def forward(self, x: Any, *, training: bool = False) -> Any:
        self.x = x
        return np.dot(x, self.W) + self.b

    def backward(self, dout: Any) -> Any:
        dx = np.dot(dout, self.W.T)
        assert self.x is not None
        self.dW = np.dot(self.x.T, dout)
        self.db = np.sum(dout, axis=0)
        return dx


class NoPlaceBefore(Book):
    """Its gradients are there from backward on."""

    def __init__(self) -> None:
        super().__init__()
        del self.dW, self.db


class InGrads(Layer):
    """It gives gradients of parameters that it does not have."""

    def __init__(self) -> None:
        super().__init__()
        self.W, self.scale = W.copy(), np.ones(3, "float32")

    def forward(self, x: Any, *, training: bool = False) -> Any:
        self.saved = x if training else None
        return x @ self.W * self.scale

    def backward(self, dout: Any) -> Any:
        self.set_grad("W", namespace_of(dout).matmul, self.saved.T, dout * self.scale)
        return dout * self.scale @ self.W.T


class InOneDict(InGrads):
    def backward(self, dout: Any) -> Any:
        self.grads = {"W": self.saved.T @ dout, "scale": dout.sum(axis=0)}
        return dout @ self.W.T


class Right(Layer):
    """Parameters where they belong, and a constant."""

    def __init__(self) -> None:
        super().__init__()
        self.params["W"] = W.copy()
        self.mean = np.ones(3, "float32")

    def forward(self, x: Any, *, training: bool = False) -> Any:
        self.saved = self.x = x
        return (x - self.mean) @ self.params["W"]

    def backward(self, dout: Any) -> Any:
        dx, dW = dout @ self.params["W"].T, (self.x - self.mean).T @ dout
        self.grads["W"] = dW
        return dx


class Projection(Layer):
    """Fixed by its maker: no gradient, no weight."""

    def __init__(self) -> None:
        super().__init__()
        self.W = W.copy()

    def forward(self, x: Any, *, training: bool = False) -> Any:
        return x @ self.W

    def backward(self, dout: Any) -> Any:
        return dout @ self.W.T


@pytest.mark.parametrize(
    ("kind", "found"),
    [
        (Book, "self.W and self.b"),
        (NoPlaceBefore, "self.W and self.b"),
        (InGrads, "self.W"),
        (InOneDict, "self.W and self.scale"),
    ],
)
def test_weights_that_are_plain_attributes_are_said(kind: type[Layer], found: str) -> None:
    cure = (
        r'in __init__, after super\(\).__init__\(\), write self.params\["W"\] = W, and in backward self.grads'
    )
    with pytest.warns(UntrainedWarning, match=rf"^Own \({kind.__name__}\): {found} will not be .*: {cure}"):
        network = Network({"Own": kind(), "Out": Affine(W, B)})
    with pytest.warns(UntrainedWarning, match=rf"^Residual1\.{kind.__name__}1 \({kind.__name__}\): {found}"):
        Network([Residual([kind()])])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        network.to(dtype="float64")  # said once


class Misnamed:
    """In the book's style, but for the name of the gradient."""

    def __init__(self) -> None:
        self.w = W.copy()

    def forward(self, x: Any) -> Any:
        self.x = x
        return x @ self.w

    def backward(self, dout: Any) -> Any:
        self.gw = self.x.T @ dout
        return dout @ self.w.T


def test_layers_in_the_book_s_style_too() -> None:
    said = r"self\.w will be neither trained nor saved: .*\(self\.w\.flags\.writeable = False\)$"
    with pytest.warns(UntrainedWarning, match=rf"^Misnamed1 \(Misnamed\): {said}"):
        Network([Misnamed()])
    with pytest.warns(UntrainedWarning, match=rf"^Residual1\.Misnamed1 \(Misnamed\): {said}"):
        Network([Residual([Misnamed()])])
    constant = Misnamed()
    constant.w.flags.writeable = False
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Network([constant])


@pytest.mark.parametrize(("kind", "x"), [(Misnamed, W), (Book, W)])
def test_a_check_says_what_it_does_not_check(kind: type, x: Any) -> None:
    with pytest.warns(UntrainedWarning, match=rf"^{kind.__name__} \({kind.__name__}\): self\.[wW] .*will"):
        assert [entry.parameter for entry in check_gradients(kind(), x).entries] == ["x"]


@pytest.mark.parametrize("kind", [Right, Projection])
@pytest.mark.parametrize("used", [False, True])
def test_what_is_no_untrained_weight_is_silent(kind: type[Layer], used: bool) -> None:
    layer = kind()
    if used:
        layer.forward(W, training=True)
        layer.backward(W)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Network([layer])


@pytest.mark.filterwarnings("error::backprop.networks.untrained.UntrainedWarning")
def test_no_layer_of_ours_and_no_habit_of_users_is_taken_for_one() -> None:
    for case in CASES.values():
        layer = case(np.random.default_rng(0))[0]
        if isinstance(layer, Layer):
            Network([layer])
    for seed in [*range(100), *range(ALONE, ALONE + len(ORDER))]:
        make(seed)
