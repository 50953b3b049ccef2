"""What a node around an object in the book's style promises, whatever the object does."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from backends import Backend, get_backend
from backprop import Network
from backprop.layers.adapter import adapted

from ...book_layers import AddLayer, Affine, BatchNormalization, Dropout, Flatten, Relu, Sigmoid

W, B, X = np.ones((3, 2)), np.zeros(2), np.arange(12.0).reshape(4, 3)


def frozen(array: np.ndarray) -> np.ndarray:
    array = array.copy()
    array.flags.writeable = False
    return array


@pytest.mark.parametrize("layer", [Relu(), Sigmoid(), Flatten(), Affine(np.ones((3, 3)), np.zeros(3))])
def test_arguments_are_unchanged_and_results_are_the_callers(layer: Any) -> None:
    node = adapted(layer)
    x, dout = frozen(X - 5.0), frozen(X - 4.0)
    y = node.forward(x, training=True)
    expected = y.copy()
    dx = node.backward(dout)
    for result in (y, dx, *node.grads.values()):
        kept = [
            x,
            dout,
            *node.params.values(),
            *(value for value in vars(layer).values() if value is not None),
        ]
        assert not any(isinstance(value, np.ndarray) and np.shares_memory(result, value) for value in kept)
    y[...] = 99.0
    dx[...] = 99.0
    np.testing.assert_array_equal(node.forward(x, training=True), expected)


def test_backward_needs_forward_in_training() -> None:
    node = adapted(Affine(W, B))
    for prepare in (lambda: None, lambda: node.forward(X)):
        prepare()
        with pytest.raises(
            RuntimeError, match=r"Affine: backward needs Affine\.forward\(…, training=True\) first"
        ):
            node.backward(np.ones((4, 2)))
        node.forward(X, training=True)


def test_the_flag_is_passed_by_its_name() -> None:
    seen = []

    class Flagged(Relu):
        def forward(self, x: Any, train_flg: bool = True) -> Any:
            seen.append(train_flg)
            return super().forward(x)

    node = adapted(Flagged())
    node.forward(X, training=True)
    node.forward(X)
    assert seen == [True, False]


def test_results_have_the_dtype_of_the_input() -> None:
    class Double(Affine):
        """Everything is float64 within."""

        def forward(self, x: Any) -> Any:
            return super().forward(x) * np.ones(2)

        def backward(self, dout: Any) -> Any:
            return super().backward(dout * np.ones(2))

    node = adapted(Double(W.astype("float32"), B.astype("float32")))
    y = node.forward(X.astype("float32"), training=True)
    dx = node.backward(np.ones((4, 2), "float32"))
    assert {array.dtype for array in (y, dx, *node.grads.values())} == {np.dtype("float32")}


def test_numbers_gradients_to_add_to_begin_with_zeros() -> None:
    class Accumulating(Affine):
        def __init__(self) -> None:
            super().__init__(W.copy(), B.copy())
            self.dW, self.db = np.ones((3, 2)), np.ones(2)

        def backward(self, dout: Any) -> Any:
            self.dW += np.dot(self.x.T, dout)
            self.db[...] = dout.sum(axis=0)
            return np.dot(dout, self.W.T)

    node, plain = adapted(Accumulating()), adapted(Affine(W.copy(), B.copy()))
    for _ in range(2):
        for one in (node, plain):
            one.forward(X, training=True)
            one.backward(np.ones((4, 2)))
        for key in ("W", "b"):
            np.testing.assert_array_equal(node.grads[key], plain.grads[key])


class Forgetful(Affine):
    forgets = False

    def backward(self, dout: Any) -> Any:
        dx = np.dot(dout, self.W.T)
        if not self.forgets:
            self.dW, self.db = np.dot(self.x.T, dout), dout.sum(axis=0)
        return dx


def test_a_gradient_of_an_earlier_step_is_not_used_again() -> None:
    layer = Forgetful(W, B)
    node = adapted(layer)
    node.forward(X, training=True)
    node.backward(np.ones((4, 2)))
    layer.forgets = True
    with pytest.raises(
        RuntimeError, match=r"Forgetful: backward does not set self\.dW, the gradient of self\.W"
    ):
        node.backward(np.ones((4, 2)))


class Hidden(Relu):
    """Its gradient's name is nowhere in the code."""

    def __init__(self) -> None:
        super().__init__()
        self.kernel = np.ones(3)

    def backward(self, dout: Any) -> Any:
        setattr(self, "d" + "kernel", np.ones(3))
        return super().backward(dout)


class Swapping(Affine):
    def forward(self, x: Any) -> Any:
        setattr(self, "W", self.W * 2.0)  # noqa: B010 - where nobody sees it
        return super().forward(x)


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (
            Hidden,
            r"backward sets self\.dkernel, but self\.kernel was not known .*in __init__, set .* self\.dkernel = None",
        ),
        (
            lambda: Swapping(np.ones((3, 3)), np.zeros(3)),
            r"forward replaced self\.W; leave parameters to the optimizer",
        ),
    ],
)
def test_what_only_a_call_shows_is_said_then(make: Callable[[], Any], complaint: str) -> None:
    node = adapted(make(), "Own1")
    with pytest.raises(RuntimeError, match=rf"^Own1: {complaint}"):
        node.backward(node.forward(X, training=True))


def returning(forward: Any = None, backward: Any = None, dW: Any = None) -> Any:
    class Own(Affine):
        def forward(self, x: Any) -> Any:
            y = super().forward(x)
            return y if forward is None else forward(y)

        def backward(self, dout: Any) -> Any:
            dx = super().backward(dout)
            self.dW = self.dW if dW is None else dW
            return dx if backward is None else backward(dx)

    return adapted(Own(W.copy(), B.copy()))


@pytest.mark.parametrize(
    ("options", "error", "complaint"),
    [
        (
            {"forward": lambda y: [y]},
            TypeError,
            r"expected the result of forward as a numpy\.ndarray, got a list",
        ),
        (
            {"backward": lambda dx: (dx,)},
            TypeError,
            r"expected the gradient of x from backward as a .*got a tuple",
        ),
        (
            {"backward": lambda dx: dx.T},
            ValueError,
            r"the gradient of x from backward in shape \(4, 3\), got \(3, 4\)",
        ),
        (
            {"dW": W.T},
            ValueError,
            r"expected self\.dW, the gradient of self\.W in shape \(3, 2\), got \(2, 3\)",
        ),
        (
            {"dW": [1.0]},
            TypeError,
            r"expected self\.dW, the gradient of self\.W as a numpy\.ndarray, got a list",
        ),
    ],
)
def test_what_is_no_result_is_refused(options: Any, error: type[Exception], complaint: str) -> None:
    node = returning(**options)
    with pytest.raises(error, match=rf"^Own: .*{complaint}"):
        node.backward(node.forward(X, training=True) * 1.0)


def test_no_result_at_all() -> None:
    class Nothing(Relu):
        def forward(self, x: Any) -> None:
            super().forward(x)

    with pytest.raises(
        TypeError, match="Nothing: expected the result of forward as a numpy.ndarray, got None"
    ):
        adapted(Nothing()).forward(X)


def test_an_error_within_says_in_which_layer() -> None:
    network = Network([Affine(W, B), Affine(np.ones((5, 2)), B)])
    with pytest.raises(ValueError, match="shapes") as error:
        network.predict(X)
    assert error.value.__notes__ == ["in forward of Affine2 (Affine)"]


def test_after_a_forward_that_failed_there_is_no_backward() -> None:
    node = adapted(Affine(W, B))
    node.forward(X, training=True)
    with pytest.raises(ValueError, match="shapes"):
        node.forward(X[:, :2], training=True)
    with pytest.raises(RuntimeError, match="backward needs"):
        node.backward(np.ones((4, 2)))


def test_a_copy_has_what_the_object_was_given_last() -> None:
    layer = Affine(W, B)
    node = adapted(layer)
    layer.W = W + 1.0
    assert node.to(get_backend("cpu")).params["W"].tolist() == (W + 1.0).tolist()


def test_what_cannot_be_copied_is_said() -> None:
    layer = Affine(W, B)
    layer.lock = threading.Lock()  # type: ignore[attr-defined]
    with pytest.raises(
        TypeError, match="Affine: this layer cannot be copied: cannot pickle '_thread.lock' object"
    ):
        adapted(layer).to(get_backend("cpu"))


def test_running_statistics_do_not_overflow_in_float16() -> None:
    layer = BatchNormalization(np.ones(3), np.zeros(3), mean=np.zeros(3), var=np.full(3, 1e6))
    half = adapted(layer).to(get_backend("cpu"), "float16")
    assert half.params["gamma"].dtype == "float16"
    assert half.state["running_var"].tolist() == [1e6] * 3


def test_an_object_that_no_network_owns_is_adapted_anew() -> None:
    layer = Affine(W, B)
    first = adapted(layer)
    layer.W = np.ones((5, 2))
    assert adapted(layer) is not first
    assert Network([layer]).params["W1"].shape == (5, 2)


def test_input_of_another_dtype_is_refused() -> None:
    with pytest.raises(TypeError, match="Affine: x and W differ in dtype, float32 and float64"):
        adapted(Affine(W, B)).forward(X.astype("float32"))
    with pytest.raises(TypeError, match="expected an array"):
        adapted(Affine(W, B)).forward([[1.0]])


def test_pieces_are_told_from_masks_and_indices() -> None:
    node = adapted(Relu())
    assert node.region(np.asarray([1.0, -1.0])).tolist() == [0, 1]
    assert adapted(Sigmoid()).region(X) is None
    dropout: Any = adapted(Dropout())
    draws = np.random.get_state()[2]  # type: ignore[index]
    dropout.region(X)
    assert np.random.get_state()[2] == draws  # type: ignore[index]


def test_running_statistics_are_the_node_s_state() -> None:
    layer = BatchNormalization(np.ones(3), np.zeros(3), mean=np.zeros(3), var=np.zeros(3))
    node = adapted(layer)
    node.forward(X, training=True)
    np.testing.assert_allclose(node.state["running_mean"], 0.1 * X.mean(axis=0))
    assert layer.running_mean is node.state["running_mean"]
    before = node.state["running_mean"].copy()
    node.forward(X)
    np.testing.assert_array_equal(node.state["running_mean"], before)
    node.state = {key: value * 0.0 for key, value in node.state.items()}
    assert (layer.running_mean == 0.0).all()


def test_constants_move_with_the_layer(backend: Backend) -> None:
    class Shift:
        """Operators alone: it runs on every library."""

        def __init__(self) -> None:
            self.by = np.asarray([1.0, 2.0, 3.0])

        def forward(self, x: Any) -> Any:
            return x + self.by

        def backward(self, dout: Any) -> Any:
            return dout * 1.0

    moved = adapted(Shift()).to(backend, "float32")
    y = moved.forward(backend.asarray(X, dtype="float32"), training=True)
    np.testing.assert_array_equal(backend.to_numpy(y), (X + np.asarray([1.0, 2.0, 3.0])).astype("float32"))
    assert backend.owns(moved.backward(y))


def test_an_operation_needs_no_saved_arrays() -> None:
    from backprop.layers.adapter import BookOperation

    node = BookOperation(AddLayer())
    assert node.forward(X, X, training=True).tolist() == (X + X).tolist()
    dx, dy = node.backward(X)
    assert not np.shares_memory(dx, dy)
