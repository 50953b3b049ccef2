"""What `forward` and `backward` return belongs to the caller: changing it changes nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import backends
from backends import Array, Backend
from backprop import (
    Affine,
    BatchNormalization,
    Identity,
    Loss,
    MeanSquaredError,
    Network,
    Tanh,
    check_gradients,
)
from backprop.gradcheck.network_subject import NetworkSubject
from backprop.layers import Node

from ..cases import CASES

pytestmark = pytest.mark.changes_arrays


def moved(name: str, backend: Backend, rng: np.random.Generator) -> tuple[Node, list[Array]]:
    node, *inputs = CASES[name](rng)
    return node.to(backend), [backend.asarray(x.copy()) for x in inputs]


def scribble(*arrays: Array) -> None:
    """Change all numbers in place, where they can be."""
    for array in filter(changeable, arrays):
        array[...] = 77.0


def changeable(array: Any) -> bool:
    """Not labels, and no 0-d array: NumPy's may be a number."""
    return bool(array.shape) and backends.dtype_name(array.dtype).startswith("float")


def dout_like(y: Array, node: Node, backend: Backend, rng: np.random.Generator) -> Any:
    return 1.0 if isinstance(node, Loss) else backend.asarray(rng.uniform(0.5, 1.5, tuple(y.shape)))


def results(node: Any, dout: Any) -> list[Array]:
    """dx, or the dx of two inputs."""
    dx = node.backward(dout)
    return list(dx) if isinstance(dx, tuple) else [dx]


def host(backend: Backend, arrays: Any) -> list[np.ndarray]:
    return [backend.to_numpy(array).copy() for array in arrays]


def same(found: Any, expected: Any) -> None:
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


def separate(backend: Backend, arrays: list[Array]) -> None:
    """Changing one of the arrays changes none of the others."""
    filled = list(filter(changeable, arrays))
    before = host(backend, filled)
    for i, array in enumerate(filled):
        scribble(array)
        same(host(backend, filled[i + 1 :]), before[i + 1 :])


@pytest.mark.parametrize("name", CASES)
def test_a_result_of_forward_is_the_callers(name: str, backend: Backend) -> None:
    """Changing y before backward changes no gradient and no argument."""
    found = []
    for changed in (False, True):
        rng = np.random.default_rng(0)
        node, inputs = moved(name, backend, rng)
        before = host(backend, inputs)
        y = node.forward(*inputs, training=True)  # type: ignore[attr-defined]
        dout = dout_like(y, node, backend, rng)
        if changed:
            scribble(y)
        same(host(backend, inputs), before)
        dx = results(node, dout)
        found.append(host(backend, [*dx, *node.grads.values()]))
        same(host(backend, inputs), before)
    same(*found)


@pytest.mark.parametrize("name", CASES)
def test_results_of_backward_are_the_callers(name: str, backend: Backend) -> None:
    """Changing y and dx changes no argument, no parameter, no gradient, no other result, no later run."""
    rng = np.random.default_rng(0)
    node, inputs = moved(name, backend, rng)
    start = {key: backend.to_numpy(value).copy() for key, value in node.state.items()}
    y = node.forward(*inputs, training=True)  # type: ignore[attr-defined]
    dout = dout_like(y, node, backend, rng)
    dx = results(node, dout)
    expected = host(backend, [*dx, *node.grads.values()])
    arguments = [*inputs, *node.params.values(), *([] if isinstance(node, Loss) else [dout])]
    before = host(backend, arguments)
    scribble(y, *dx)
    same(host(backend, arguments), before)
    same(host(backend, node.grads.values()), expected[len(dx) :])
    same(host(backend, [*results(node, dout), *node.grads.values()]), expected)  # a second backward
    node.state.update({key: backend.asarray(value) for key, value in start.items()})
    node.forward(*inputs, training=True)  # type: ignore[attr-defined]
    same(host(backend, [*results(node, dout), *node.grads.values()]), expected)
    separate(backend, [*results(node, dout), *node.grads.values(), *arguments])


@pytest.mark.parametrize("name", CASES)
def test_a_result_of_inference_is_the_callers(name: str, backend: Backend) -> None:
    node, inputs = moved(name, backend, np.random.default_rng(0))
    arguments = [*inputs, *node.params.values(), *node.state.values()]
    before = host(backend, arguments)
    y = node.forward(*inputs)  # type: ignore[attr-defined]
    expected = host(backend, [y])
    scribble(y)
    same(host(backend, arguments), before)
    again = node.forward(*inputs)  # type: ignore[attr-defined]
    same(host(backend, [again]), expected)
    separate(backend, [again, *arguments])


def test_gradients_of_a_network_are_the_callers(backend: Backend, rng: np.random.Generator) -> None:
    stack = [Affine(rng.standard_normal((4, 3)), np.zeros(3)), Tanh(), Identity(),
             BatchNormalization(np.ones(3), np.zeros(3))]  # fmt: skip
    network = Network(stack).to(device=backend)
    x, t = backend.asarray(rng.standard_normal((5, 4))), backend.asarray(np.asarray([0, 1, 2, 0, 1]))

    def gradients() -> Iterator[Array]:
        yield from network.gradient(x, t).values()

    first = list(gradients())
    expected = host(backend, first)
    scribble(*first, network.predict(x), network.forward(x, training=True))
    same(host(backend, gradients()), expected)


def test_a_network_that_hands_out_a_gradient_is_named() -> None:
    class Shared(Network):
        def backward(self, dout: Any = 1.0) -> Any:
            super().backward(dout)
            return self.layers["Affine1"].grads["W"]

    rng = np.random.default_rng(0)
    network = Shared([Affine(rng.standard_normal((4, 4)), np.zeros(4))], MeanSquaredError())
    report = check_gradients(network, rng.standard_normal((4, 4)), rng.standard_normal((4, 4)))
    assert report.failed
    subject = NetworkSubject(network, [rng.standard_normal((4, 4)), rng.standard_normal((4, 4))])
    complaints = list(subject.shared_results())
    assert "overwriting dx, which belongs to the caller, changes the gradient of Affine1.W" in complaints
