"""If a step cannot be recorded, the warning names the layer and the line responsible."""

from __future__ import annotations

import copy
import inspect
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backends import CaptureWarning
from backprop import SGD, Affine, Layer, MeanSquaredError, Network, Residual, fit
from backprop.training.origin import origin

HERE = re.escape(__file__)


class Same(Layer):
    def forward(self, x: Any, *, training: bool = False) -> Any:
        return x * 1.0

    def backward(self, dout: Any) -> Any:
        return dout * 1.0


class Reads(Same):
    def forward(self, x: Any, *, training: bool = False) -> Any:
        return x * float(x[0, 0])  # HERE


class Caught(Same):
    def forward(self, x: Any, *, training: bool = False) -> Any:
        try:
            return np.einsum("ij->ij", x)  # HERE
        except RuntimeError:
            return x * 1.0


def masked(x: Any) -> Any:
    return x[x > 0]  # HERE


class Calls(Same):
    def backward(self, dout: Any) -> Any:
        masked(dout)
        return dout * 1.0


class Counts(Same):
    calls = 0

    def forward(self, x: Any, *, training: bool = False) -> Any:
        self.calls += 1  # HERE
        return x * self.calls


class Mapped(Same):
    def forward(self, x: Any, *, training: bool = False) -> Any:
        return next(map(np.tanh, [np.copy(x)]))  # HERE


class ReadSquaredError(MeanSquaredError):
    def forward(self, x: Any, t: Any, *, training: bool = False) -> Any:
        value = super().forward(x, t, training=training)
        self.last = float(value)  # HERE
        return value


class Steps(SGD):
    def apply(self, params: Any, grads: Any, slots: Any, scalars: Any) -> None:
        for key in params:
            if grads[key].max() < 9e9:  # HERE
                params[key] -= 0.1 * grads[key]


def line(where: Any) -> int:
    """The line in this file with the mark, in the code of `where`."""
    lines, first = inspect.getsourcelines(where)
    return first + next(i for i, text in enumerate(lines) if "# HERE" in text)


def cause(*middle: Layer, **options: Any) -> str:
    """The warning from a training with these layers."""
    rng, eye = np.random.default_rng(0), np.eye(3, dtype="float32")
    x = rng.standard_normal((60, 3)).astype("float32")
    layers = {"In": Affine(eye, eye[0]), **{f"Own{i}": layer for i, layer in enumerate(middle)}}
    network = Network(layers, options.pop("last", None) or MeanSquaredError())
    with pytest.warns(CaptureWarning, match="is not captured but called each time") as said:
        fit(network, x, x, epochs=2, batch_size=10, rng=0, **options)
    return str(said[0].message)


@pytest.mark.parametrize(
    ("layer", "where"),
    [(Reads(), Reads), (Caught(), Caught), (Calls(), masked), (Counts(), Counts), (Mapped(), Mapped)],
    ids=["read", "caught", "a helper", "a count", "through built-ins"],
)
def test_the_layer_and_the_line_are_named(layer: Layer, where: Any) -> None:
    told = rf"\(in {{}} \({type(layer).__name__}\), {HERE}:{line(where)}\)$"
    assert re.search(told.format("Own1"), cause(Same(), copy.deepcopy(layer)))
    block = Residual([copy.deepcopy(layer)])
    assert re.search(told.format(rf"Own0\.{type(layer).__name__}1"), cause(block))


def test_a_loss_and_an_optimizer_are_named() -> None:
    assert cause(last=ReadSquaredError()).endswith(
        f"(in ReadSquaredError, {__file__}:{line(ReadSquaredError)})"
    )
    assert cause(optimizer=Steps(0.1)).endswith(f"(in Steps, {__file__}:{line(Steps)})")


def test_an_unknown_place_is_not_named() -> None:
    assert origin(ValueError("never raised")) == ""
    with pytest.raises(ValueError, match="nowhere") as caught:
        Path(__file__).relative_to("/nowhere/at/all")
    assert origin(caught.value).startswith(f"{__file__}:")  # not pathlib's line
