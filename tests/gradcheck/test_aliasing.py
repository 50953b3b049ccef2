"""Results that share memory with what is not the caller's are found."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from backends import Array, Backend, namespace_of
from backprop import Add, Affine, Layer, Network, Tanh, check_gradients
from backprop.gradcheck.check import subject_of

from ..cases import CASES
from .faults import stack


class KeepsResult(Tanh):
    def forward(self, x: Array, *, training: bool = False) -> Array:
        y = namespace_of(x).tanh(x)
        self.saved = y if training else None
        return y

    def backward(self, dout: Array) -> Array:
        return dout * (1.0 - self.saved * self.saved)


class ReturnsItsArgument(Layer):
    def forward(self, x: Array, *, training: bool = False) -> Array:
        self.saved = True if training else None
        return x if training else x * 1.0

    def backward(self, dout: Array) -> Array:
        assert self.saved
        return dout * 1.0


class ReturnsItsArgumentInInference(Layer):
    def forward(self, x: Array, *, training: bool = False) -> Array:
        self.saved = True if training else None
        return x * 1.0 if training else namespace_of(x).reshape(x, x.shape)

    def backward(self, dout: Array) -> Array:
        assert self.saved
        return dout * 1.0


class ReturnsDout(ReturnsItsArgument):
    def forward(self, x: Array, *, training: bool = False) -> Array:
        return super().forward(x, training=training) * 1.0

    def backward(self, dout: Array) -> Array:
        return namespace_of(dout).reshape(dout, dout.shape)


class OneMemoryTwice(Add):
    def forward(self, x: Array, y: Array, *, training: bool = False) -> Array:
        self.saved = True if training else None
        return x + y

    def backward(self, dout: Array) -> tuple[Array, Array]:
        assert self.saved
        dx = dout * 1.0
        return dx, dx


class DoutAsGradient(Layer):
    """y = x + b for a b of x's shape."""

    def forward(self, x: Array, *, training: bool = False) -> Array:
        self.saved = True if training else None
        return x + self.params["b"]

    def backward(self, dout: Array) -> Array:
        assert self.saved
        self.grads["b"] = dout
        return dout * 1.0


class ReturnsParameter(DoutAsGradient):
    """y = b: the parameter itself."""

    def forward(self, x: Array, *, training: bool = False) -> Array:
        self.saved = True if training else None
        return self.params["b"]

    def backward(self, dout: Array) -> Array:
        assert self.saved
        self.grads["b"] = dout * 1.0
        return dout * 0.0


class KeepsDx(Tanh):
    """Hands out a dx that it keeps for the next time."""

    def backward(self, dout: Array) -> Array:
        dx = super().backward(dout)
        if "dx" not in self.constants:
            self.constants["dx"] = dx
        return self.constants["dx"]


SHARED: dict[Any, str] = {
    KeepsResult: "overwriting y, which belongs to the caller, changes the gradient of x",
    ReturnsItsArgument: "overwriting y, which belongs to the caller, changes x",
    ReturnsItsArgumentInInference: "overwriting y of an inference, which belongs to the caller, changes x",
    ReturnsDout: "overwriting the gradient of x, which belongs to the caller, changes dout",
    OneMemoryTwice: "overwriting the gradient of x, which belongs to the caller, changes the gradient of y",
    DoutAsGradient: "overwriting the gradient of b, which belongs to the caller, changes dout",
    ReturnsParameter: "overwriting y, which belongs to the caller, changes b",
    KeepsDx: "overwriting results, which belongs to the caller, changes the gradient of x in the next run",
}


@pytest.mark.changes_arrays
@pytest.mark.parametrize("kind", SHARED, ids=lambda kind: kind.__name__)
def test_shared_memory_is_found(kind: Any, backend: Backend, rng: np.random.Generator) -> None:
    x = rng.standard_normal((3, 4))
    inputs = (x, rng.standard_normal((3, 4))) if kind is OneMemoryTwice else (x,)
    params = {"b": rng.standard_normal((3, 4))} if issubclass(kind, DoutAsGradient) else {}
    report = check_gradients(kind(**params), *inputs, device=backend)
    assert SHARED[kind] in report.problems, f"\n{report}"
    assert all(entry.passed for entry in report.entries)
    assert report.failed


@pytest.mark.changes_arrays
def test_shared_memory_in_a_network_is_found(backend: Backend, rng: np.random.Generator) -> None:
    report = check_gradients(*stack(rng, KeepsResult()), device=backend)
    assert f"KeepsResult1: {SHARED[KeepsResult]}" in report.problems


@pytest.mark.parametrize("name", CASES)
def test_results_belong_to_the_caller(name: str, backend: Backend) -> None:
    node, *inputs = CASES[name](np.random.default_rng(0))
    assert list(subject_of(node, inputs, backend, 0, "float64").shared_results()) == []


class ReturnsX(Network):
    def forward(self, x: Array, *, training: bool = False) -> Array:
        return super().forward(x, training=True) if training else namespace_of(x).reshape(x, x.shape)


class ReturnsXAsDx(Network):
    def forward(self, x: Array, *, training: bool = False) -> Array:
        self.kept = x
        return super().forward(x, training=training)

    def backward(self, dout: Any = 1.0) -> Array:
        super().backward(dout)
        return self.kept


class ReturnsParameterAsDx(Network):
    def backward(self, dout: Any = 1.0) -> Array:
        super().backward(dout)
        return self.params["b1"]


@pytest.mark.changes_arrays
@pytest.mark.parametrize(
    ("kind", "problem"),
    [
        (ReturnsX, "overwriting y of an inference, which belongs to the caller, changes x"),
        (ReturnsXAsDx, "overwriting dx, which belongs to the caller, changes x"),
        (ReturnsParameterAsDx, "overwriting dx, which belongs to the caller, changes b1"),
        (Network, None),
    ],
)
def test_results_of_a_network_are_the_callers(
    kind: Any, problem: str | None, backend: Backend, rng: np.random.Generator
) -> None:
    inputs = [rng.standard_normal((5, 3)), rng.integers(0, 3, 5)]
    network = kind([Affine(rng.standard_normal((3, 3)), np.ones(3))])
    subject = subject_of(network, inputs, backend, 0, "float64")
    assert list(subject.shared_results()) == ([problem] if problem else [])
