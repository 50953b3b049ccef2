"""Which attributes of a layer in the book's style are parameters and state, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from backprop import Affine, ReLU
from backprop.layers.book_style.attributes import Attributes

from ... import book_layers as book

W = np.ones((3, 3))
B = np.zeros(3)


class Base:
    """It passes x on."""

    def forward(self, x: Any) -> Any:
        self.x = x
        return x

    def backward(self, dout: Any) -> Any:
        return dout


def of(layer: Any) -> Attributes:
    return Attributes.of(layer, "Own1")


@pytest.mark.parametrize(
    ("layer", "params"),
    [
        (book.Affine(W, B), ("W", "b")),
        (book.BatchNormalization(B, B + 1.0), ("gamma", "beta")),
        (book.Relu(), ()),
        (book.Dropout(), ()),
        (book.Sigmoid(), ()),
    ],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize("used", [False, True])
def test_layers_of_the_book(layer: Any, params: tuple[str, ...], used: bool) -> None:
    if used:
        layer.forward(W)
        layer.backward(W.copy())
    found = of(layer)
    assert found.params == params
    assert found.draws == isinstance(layer, book.Dropout)


class Undeclared(Base):
    """Its gradients appear in backward alone."""

    def __init__(self) -> None:
        self.W, self.scale, self.constant = W.copy(), B + 1.0, B + 2.0

    def backward(self, dout: Any) -> Any:
        self.dW = self.dscale = dout
        return dout


class Conventional(Base):
    """The book's names are enough; that no gradient is set is said in backward."""

    def __init__(self) -> None:
        self.W1, self.b1, self.gamma = W.copy(), B.copy(), B.copy()


class Accumulating(Base):
    def __init__(self) -> None:
        self.W, self.b = W.copy(), B.copy()
        self.dW, self.db = np.zeros_like(W), np.zeros_like(B)

    def backward(self, dout: Any) -> Any:
        self.dW += dout
        self.db[...] = dout[0]
        return dout


class Traced(Base):
    """Signals with gradients, numbers, and names that only begin with a d."""

    def __init__(self) -> None:
        self.x, self.dx = W.copy(), None
        self.ropout, self.dropout, self.t, self.dt = B.copy(), 0.5, 3, 0.1
        self.params: list[Any] = []
        self.h = None

    def forward(self, x: Any) -> Any:
        self.h = x if self.h is None else self.h + x
        return self.h


class Statistics(Base):
    def __init__(self) -> None:
        self.mean, self.steps, self.total = np.zeros(3), np.zeros((), int), 0

    def forward(self, x: Any) -> Any:
        self.mean = 0.9 * self.mean + 0.1 * x.mean(axis=0)
        self.steps = self.steps + 1
        self.total += 1
        self.centred = x - self.mean
        return self.centred


def test_parameters_without_declaration() -> None:
    assert of(Undeclared()).params == ("W", "scale")
    assert of(Conventional()).params == ("W1", "b1", "gamma")
    found = of(Accumulating())
    assert (found.params, found.accumulated) == (("W", "b"), {"W", "b"})
    assert of(book.Affine(W, B)).accumulated == frozenset()
    found = of(Traced())
    assert (found.params, found.state, found.unsaved) == ((), (), ("h",))


def test_state() -> None:
    found = of(Statistics())
    assert (found.params, found.state, found.unsaved) == ((), ("mean", "steps"), ("total",))
    assert "centred" in found.saved


class ReplacedInForward(Base):
    def __init__(self) -> None:
        self.W, self.dW = W.copy(), None

    def forward(self, x: Any) -> Any:
        self.W = self.W / 2.0
        return x @ self.W


class UpdatedInBackward(Base):
    def __init__(self) -> None:
        self.W = W.copy()

    def backward(self, dout: Any) -> Any:
        self.dW = dout
        self.W -= 0.1 * self.dW
        return dout


class MadeInForward(Base):
    def __init__(self) -> None:
        self.W, self.dW = None, None

    def forward(self, x: Any) -> Any:
        if self.W is None:
            self.W = np.ones((x.shape[1], 3))
        return x @ self.W


class MadeUnderAnotherName(MadeInForward):
    """Without any trace of it in __init__."""

    def __init__(self) -> None:
        pass

    def forward(self, x: Any) -> Any:
        if not hasattr(self, "w"):
            self.w = np.ones((x.shape[1], 3))
        return x @ self.w

    def backward(self, dout: Any) -> Any:
        self.dw = dout
        return dout


def with_attributes(**attributes: Any) -> Any:
    layer = Base()
    vars(layer).update(attributes)
    return layer


class Slots:
    __slots__ = ("W",)
    forward, backward = Base.forward, Base.backward


@pytest.mark.parametrize(
    ("layer", "complaint"),
    [
        (ReplacedInForward(), r"forward sets self\.W; leave a parameter to the optimizer"),
        (UpdatedInBackward(), r"backward sets self\.W; leave a parameter to the optimizer"),
        (MadeInForward(), r"forward makes self\.W; make a parameter in __init__"),
        (MadeUnderAnotherName(), r"forward makes self\.w; make a parameter in __init__, and .* and self\.dw by oth"),
        (with_attributes(W=None, dW=None), r"expected a floating-point array in self\.W, .*self\.dW; got None"),
        (with_attributes(W=[[1.0]], dW=None), r"expected .*array in self\.W, since .*self\.dW; got a list"),
        (with_attributes(W=np.ones(2, int), dW=None), r"expected .*array in self\.W, .*; got an array of int64"),
        (with_attributes(alpha=0.25, dalpha=None), r"expected .*array in self\.alpha, .*self\.dalpha; got a float"),
        (with_attributes(K=W, grad_K=None), r"expected the gradient of self\.K in self\.dK, not self\.grad_K"),
        (with_attributes(K=W, K_grad=None), r"expected the gradient of self\.K in self\.dK, not self\.K_grad"),
        (with_attributes(params=[W], grads=[W]), r"expected parameters as attributes, .*derive it from backprop\.L"),
        (with_attributes(inner=book.Affine(W, B)), r"self\.inner holds a layer, Affine, whose parameters would not"),
        (with_attributes(inner=[Affine(W, B)]), r"self\.inner holds a layer, Affine, .*or a Residual of them"),
        (with_attributes(inner={"a": book.Affine(W, B)}), r"self\.inner holds a layer, Affine"),
        (with_attributes(inner=[{"a": (book.Relu(), book.Affine(W, B))}]), r"self\.inner holds a layer, Affine"),
        (with_attributes(inner=with_attributes(K=W)), r"self\.inner holds a layer, Base, whose parameters"),
        (with_attributes(W=(A := W.copy()), dW=None, WT=A.T), r"self\.WT shares the memory of self\.W, which"),
        (Slots(), r"a Slots has __slots__, .*: leave them out, or derive it from backprop\.Layer"),
    ],
)  # fmt: skip
def test_a_doubtful_layer_is_refused_with_what_to_write(layer: Any, complaint: str) -> None:
    with pytest.raises(TypeError, match=rf"^Own1: {complaint}"):
        of(layer)


def test_layers_within_that_have_no_parameters_are_fine() -> None:
    assert of(with_attributes(activation=book.Relu(), others=[ReLU(), book.Sigmoid()], text="W")).params == ()


class OfTheClass(Base):
    kernel = W.copy()


class AsAProperty(Base):
    def __init__(self) -> None:
        self._kernel = W.copy()

    @property
    def kernel(self) -> Any:
        return self._kernel

    def backward(self, dout: Any) -> Any:
        self.dkernel = dout
        return dout


class InPlace(Base):
    """Running statistics that no attribute is set to."""

    def __init__(self) -> None:
        self.mean = np.zeros(3)

    def forward(self, x: Any) -> Any:
        self.mean[...] = x.mean(axis=0)
        return x - self.mean


def read_only(array: Any) -> Any:
    array = array.copy()
    array.flags.writeable = False
    return array


@pytest.mark.parametrize(
    ("layer", "untrained"),
    [
        (Undeclared(), ("constant",)),
        (OfTheClass(), ("kernel",)),
        (AsAProperty(), ("_kernel",)),
        (InPlace(), ("mean",)),
        (with_attributes(K=W, gK=W, x=W), ("K", "gK")),  # Base.forward sets x
        (with_attributes(weights={"K": [(W,)]}), ("weights",)),
        (with_attributes(W=W, dW=W.copy()), ()),
        (with_attributes(indices=np.arange(3), ratio=0.5, shape=(3, 3)), ()),
        (with_attributes(constant=read_only(W), more=[read_only(B)]), ()),
        (Statistics(), ()),
        (Accumulating(), ()),
        (book.BatchNormalization(B, B + 1.0), ()),
    ],
)
def test_arrays_that_are_neither_parameters_nor_state(layer: Any, untrained: tuple[str, ...]) -> None:
    assert of(layer).untrained == untrained


def test_an_unknown_parameter_after_backward() -> None:
    layer = with_attributes(kernel=W.copy())
    found = of(layer)
    assert found.unknown_parameter(layer) is None
    setattr(layer, "dkernel", np.ones(3))  # noqa: B010 - of another shape: no gradient of the kernel
    assert found.unknown_parameter(layer) is None
    setattr(layer, "dkernel", W.copy())  # noqa: B010 - as code that hides the name does
    assert found.unknown_parameter(layer) == "kernel"
