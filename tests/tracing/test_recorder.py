"""What is recorded of a batch, and what the network keeps."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from backends import Array, Backend, get_backend
from backprop import (
    SGD,
    Affine,
    DeepConvNet,
    Dropout,
    Flatten,
    MeanSquaredError,
    MultiLayerNet,
    Network,
    ReLU,
    Residual,
    SigmoidWithLoss,
    SimpleConvNet,
    TwoLayerNet,
)
from backprop.layers import Layer
from backprop.networks.parameters import named_parameters
from backprop.tracing import NodeTrace, Trace, recorder

from ..networks.small import data, mlp, net
from ..networks.stateful import stateful


def host(backend: Backend, array: Array) -> np.ndarray:
    return np.array(backend.to_numpy(array))


def all_arrays(trace: Trace) -> list[np.ndarray]:
    return [trace.x, trace.t, *(array for node in trace.nodes() for array in node.arrays.values())]


def assert_gradients(trace: Trace, backend: Backend, network: Network, grads: dict[str, Array]) -> None:
    for name, (layer, key) in named_parameters(network.layers).items():
        assert backend.agree(backend.asarray(trace[layer.name].grads[key]), grads[name]), name


def test_every_layer_gets_what_the_one_before_gives(backend: Backend) -> None:
    network, (x, t) = mlp(backend), data(backend, dtype="float64")
    trace = network.trace(x, t)
    assert list(trace.layers) == list(network.layers)
    passed = trace.x
    for layer in trace.layers.values():
        np.testing.assert_array_equal(layer.inputs[0], passed)
        passed = layer.output
    np.testing.assert_array_equal(passed, host(backend, network.forward(x, training=True)))
    np.testing.assert_array_equal(passed, trace.loss.inputs[0])
    gradient = trace.loss.dinputs[0]
    for layer in reversed(trace.layers.values()):
        np.testing.assert_array_equal(layer.dout, gradient)
        gradient = layer.dinputs[0]
    assert trace.value == float(trace.loss.output) == float(backend.to_numpy(network.loss(x, t)))
    assert trace.loss.dout == 1.0
    assert trace.loss.dinputs[1] is None


def test_the_network_keeps_what_it_has(backend: Backend) -> None:
    network, (x, t) = stateful(backend), data(backend)
    network.gradient(x, t)
    network.forward(x, training=True)

    def kept() -> list[Any]:
        arrays = [*network.params.values(), network.flat_grads["flat"], *network.state.values()]
        return [host(backend, array) for array in arrays]

    layers = [*network.layers.values(), network.last_layer]
    before, saved, attributes = kept(), [layer.saved for layer in layers], [dict(vars(one)) for one in layers]
    given = host(backend, x)
    network.trace(x, t)
    for one, other in zip(kept(), before, strict=True):
        np.testing.assert_array_equal(one, other)
    assert all(layer.saved is one for layer, one in zip(layers, saved, strict=True))
    assert all(vars(layer).keys() == own.keys() for layer, own in zip(layers, attributes, strict=True))
    np.testing.assert_array_equal(host(backend, x), given)


class Failing(ReLU):
    def backward(self, dout: Array) -> Array:
        raise ArithmeticError("on purpose")


def test_the_network_keeps_what_it_has_after_an_error(backend: Backend) -> None:
    inner = Failing()

    class Sharing(Layer):
        """A block whose copies have the same layers."""

        def __init__(self) -> None:
            super().__init__()
            self.layers = {"inner": inner}

        def forward(self, x: Array, *, training: bool = False) -> Array:
            return inner.forward(x, training=training)

        def backward(self, dout: Array) -> Array:
            return inner.backward(dout)

    dropout = Dropout(0.5, 1)
    network = Network([dropout, Sharing()]).to(device=backend)
    x, t = data(backend)
    with pytest.raises(ArithmeticError, match="on purpose"):
        network.trace(x, t)
    assert "forward" not in vars(inner)
    assert "backward" not in vars(inner)
    assert [int(backend.to_numpy(drawn)) for drawn in network.state.values()] == [0]
    with pytest.raises(ValueError, match="expected labels 0 to 3"):
        network.trace(x, backend.asarray(np.full(6, 9)))


@pytest.mark.parametrize("order", ["gtn", "tgn", "tng", "gnt", "ngt", "ntg"])
def test_gradient_trace_and_numerical_gradient_use_the_same_masks(backend: Backend, order: str) -> None:
    rng = np.random.default_rng(0)
    stack = [
        Affine(rng.standard_normal((4, 6)), np.ones(6)),
        Dropout(0.5, 3),
        Affine(np.eye(6)[:, :3], np.ones(3)),
    ]
    network, (x, t) = Network(stack).to(device=backend), data(backend, dtype="float64")
    found = {}
    for letter in order:
        method = {"g": network.gradient, "t": network.trace, "n": network.numerical_gradient}[letter]
        found[letter] = method(x, t)
    assert_gradients(found["t"], backend, network, found["g"])
    for name, gradient in found["g"].items():
        np.testing.assert_allclose(host(backend, gradient), host(backend, found["n"][name]), atol=1e-6)


def test_after_a_training_step_the_masks_are_the_next_ones(backend: Backend) -> None:
    network, (x, t) = stateful(backend), data(backend)
    network.gradient(x, t)
    network.forward(x, training=True)
    trace = network.trace(x, t)
    assert_gradients(trace, backend, network, network.gradient(x, t))


def test_arrays_are_copies(backend: Backend) -> None:
    class InPlace(Layer):
        """y = x; it writes over the results of others, which their receiver may."""

        def forward(self, x: Array, *, training: bool = False) -> Array:
            y = x + 0.0
            x *= 0.0
            return y

        def backward(self, dout: Array) -> Array:
            dx = dout + 0.0
            dout *= 0.0
            return dx

    layers = net(backend).layers
    network = Network([layers["Affine1"].to(backend), ReLU(), InPlace(), layers["Affine2"].to(backend)])
    x, t = data(backend)
    trace = network.trace(x, t)
    assert np.any(trace["ReLU1"].output)
    np.testing.assert_array_equal(trace["ReLU1"].output, trace["InPlace1"].output)
    np.testing.assert_array_equal(trace["InPlace1"].dout, trace["InPlace1"].dinputs[0])
    assert np.any(trace["InPlace1"].dout)

    arrays = all_arrays(trace)
    before = [array.copy() for array in arrays]
    network.gradient(x, t)
    SGD(1.0).update(network.flat_params, network.flat_grads)
    for array, copied in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(array, copied)
        assert array.flags.owndata


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_dtype_is_that_of_the_computation(backend: Backend, dtype: str) -> None:
    x, t = data(backend, dtype=dtype)
    network = net(backend, dtype)
    trace = network.trace(x, t)
    assert trace.dtype == dtype
    arrays = [trace.x, *(a for node in trace.nodes() for name, a in node.arrays.items() if name != "t")]
    assert {array.dtype.name for array in arrays} == {dtype}


def test_pixels_and_a_batch_of_one(backend: Backend) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (1, 4)).astype("uint8")
    network, t = net(backend), backend.asarray(np.asarray([2]))
    trace = network.trace(backend.asarray(pixels), t)
    np.testing.assert_allclose(trace.x, pixels / 255.0, rtol=1e-6)
    assert_gradients(trace, backend, network, network.gradient(backend.asarray(pixels), t))


@pytest.mark.only("numpy")
def test_arrays_that_cannot_be_written_to(backend: Backend) -> None:
    network, (x, t) = stateful(backend), data(backend)
    x.flags.writeable = t.flags.writeable = False
    assert_gradients(network.trace(x, t), backend, network, network.gradient(x, t))


TARGETS: list[tuple[Callable[[], Any] | None, np.ndarray]] = [
    (None, np.asarray([0, 2, 1])),
    (None, np.asarray([[0], [2], [1]])),
    (None, np.eye(3)[[0, 2, 1]]),
    (None, np.full((3, 3), 1.0 / 3.0)),
    (MeanSquaredError, np.arange(9.0).reshape(3, 3)),
    (SigmoidWithLoss, np.eye(3)),
]


@pytest.mark.parametrize(("loss", "t"), TARGETS)
def test_targets_of_all_kinds(backend: Backend, loss: Callable[[], Any] | None, t: np.ndarray) -> None:
    rng = np.random.default_rng(0)
    layer = Affine(rng.standard_normal((4, 3)), np.zeros(3))
    network = Network([layer], None if loss is None else loss()).to(device=backend)
    x, target = backend.asarray(rng.standard_normal((3, 4))), backend.asarray(t)
    trace = network.trace(x, target)
    assert_gradients(trace, backend, network, network.gradient(x, target))
    assert len(trace.t) == 3
    assert trace.value == pytest.approx(float(backend.to_numpy(network.loss(x, target))))


MODELS: dict[str, Callable[[Backend], Network]] = {
    "TwoLayerNet": lambda backend: TwoLayerNet(49, 5, 3, rng=0, device=backend),
    "MultiLayerNet": lambda backend: MultiLayerNet(
        49, [6, 5], 3, use_batchnorm=True, dropout_ratio=0.3, weight_decay_lambda=0.1, rng=0, device=backend
    ),
    "SimpleConvNet": lambda backend: SimpleConvNet(
        (1, 7, 7), {"filter_num": 2, "filter_size": 3}, 4, 3, rng=0, device=backend
    ),
    "SimpleConvNet, not merged": lambda backend: SimpleConvNet(
        (1, 7, 7), {"filter_num": 2, "filter_size": 3}, 4, 3, merged=False, rng=0, device=backend
    ),
    "DeepConvNet": lambda backend: DeepConvNet(
        (1, 7, 7), (2, 2, 3, 3), (1, 1, 1, 2), 4, 3, rng=0, device=backend
    ),
}


@pytest.mark.parametrize("model", MODELS)
def test_the_books_networks(backend: Backend, model: str) -> None:
    network, rng = MODELS[model](backend), np.random.default_rng(0)
    shape = network.input_shape or (49,)
    x = backend.asarray(rng.standard_normal((4, *shape)), dtype="float32")
    t = backend.asarray(rng.integers(0, 3, 4))
    trace = network.trace(x, t)
    assert list(trace.layers) == list(network.layers.shown.values())
    assert_gradients(trace, backend, network, network.gradient(x, t))
    for name, shown in network.layers.shown.items():
        assert trace[name] is trace[shown] is trace.layers[shown]
        assert trace[name].node is network.layers[name]


def test_weight_decay_is_in_the_gradients_and_in_the_value(backend: Backend) -> None:
    rng = np.random.default_rng(0)
    inner = [Affine(rng.standard_normal((4, 4)), np.zeros(4)), ReLU()]
    stack = [Residual([*inner, Residual([Affine(rng.standard_normal((4, 4)), np.ones(4))])])]
    network = Network(stack, MeanSquaredError(), weight_decay=0.5).to(device=backend)
    x = backend.asarray(rng.standard_normal((3, 4)))
    trace, plain = network.trace(x, x), Network([stack[0].to(backend)], MeanSquaredError()).trace(x, x)
    assert_gradients(trace, backend, network, network.gradient(x, x))
    for name in ("Residual1.Affine1", "Residual1.Residual1.Affine1"):
        W = trace[name].params["W"]
        np.testing.assert_allclose(trace[name].grads["W"], plain[name].grads["W"] + 0.5 * W)
        np.testing.assert_array_equal(trace[name].grads["b"], plain[name].grads["b"])
    penalty = 0.25 * sum(
        float((host(backend, W) ** 2).sum()) for name, W in network.params.items() if name[-1] == "W"
    )
    assert trace.value == pytest.approx(float(trace.loss.output) + penalty)
    assert float(trace.loss.output) == float(plain.loss.output) == plain.value


def test_blocks_have_their_layers_as_parts(backend: Backend) -> None:
    network, (x, t) = stateful(backend), data(backend)
    trace = network.trace(x, t)
    block = trace["Residual1"]
    names = ["Affine1", "BatchNormalization1", "ReLU1", "Dropout1"]
    assert [part.name for part in block.parts] == [f"Residual1.{name}" for name in names]
    first, *_, last = block.parts
    np.testing.assert_array_equal(first.inputs[0], block.inputs[0])
    np.testing.assert_allclose(block.output, block.inputs[0] + last.output, rtol=1e-6)
    np.testing.assert_array_equal(last.dout, block.dout)
    np.testing.assert_allclose(block.dinputs[0], block.dout + first.dinputs[0], rtol=1e-5)
    np.testing.assert_array_equal(first.grads["W"], block.grads["Affine1.W"])
    np.testing.assert_array_equal(first.params["W"], block.params["Affine1.W"])
    assert first.node is network.layers["Residual1"].layers["Affine1"]
    assert trace["Residual1.Dropout1"].state["drawn"] == block.state["Dropout1.drawn"] == 0


def test_the_state_is_that_before_the_batch(backend: Backend) -> None:
    network, (x, t) = stateful(backend), data(backend)
    trace = network.trace(x, t)
    np.testing.assert_array_equal(trace["BatchNormalization1"].state["running_mean"], np.zeros(8))


def test_a_network_without_parameters(backend: Backend) -> None:
    network = Network([Flatten(), ReLU()], MeanSquaredError()).to(device=backend, dtype="float64")
    x = backend.asarray(np.asarray([[[1.0, -2.0]], [[3.0, 4.0]]]))
    t = backend.asarray(np.asarray([[1.0, 1.0], [3.0, 0.0]]))
    trace = network.trace(x, t)
    assert trace.value == (0.0 + 1.0 + 0.0 + 16.0) / 4.0
    np.testing.assert_array_equal(trace["Flatten1"].dinputs[0], [[[0.0, 0.0]], [[0.0, 2.0]]])


def test_float16_is_refused() -> None:
    network = TwoLayerNet(4, 5, 3, rng=0).to(dtype="float16")
    with pytest.raises(TypeError, match="TwoLayerNet: float16 cannot be trained"):
        network.trace(np.zeros((2, 4), "float16"), np.asarray([0, 1]))


class Square(Layer):
    """y = a x², in which the gradient for a is set by hand."""

    def forward(self, x: Array, *, training: bool = False) -> Array:
        self.saved = x if training else None
        return self.a * x * x

    def backward(self, dout: Array) -> Array:
        xp = get_backend("cpu").xp
        self.grads["a"] = xp.reshape(xp.sum(dout * self.saved * self.saved), (1,))
        return 2.0 * self.a * self.saved * dout


def test_own_layers() -> None:
    network = Network([Square(a=np.asarray([2.0]))], MeanSquaredError())
    x = np.asarray([[1.0, 2.0]])
    trace = network.trace(x, np.zeros((1, 2)))
    assert isinstance(trace["Square1"], NodeTrace)
    np.testing.assert_array_equal(trace["Square1"].output, [[2.0, 8.0]])
    np.testing.assert_array_equal(trace["Square1"].grads["a"], network.gradient(x, np.zeros((1, 2)))["a1"])


@pytest.mark.parametrize("change", ["forward", "backward"])
def test_a_layer_that_runs_twice_is_refused(change: str) -> None:
    class Twice(Network):
        def forward(self, x: Array, *, training: bool = False) -> Array:
            x = super().forward(x, training=training)
            return super().forward(x, training=training) if change == "forward" else x

        def backward(self, dout: Any = 1.0) -> Array:
            return (
                self.layers["ReLU1"].backward(super().backward(dout))
                if change == "backward"
                else super().backward(dout)
            )

    x = np.ones((1, 2))
    counts = "forward 2 and backward 1" if change == "forward" else "forward 1 and backward 2"
    with pytest.raises(
        ValueError, match=rf"Twice\.trace: expected every layer to .*; ReLU1 ran {counts} times"
    ):
        Twice([ReLU()], MeanSquaredError()).to(dtype="float64").trace(x, x)


NOT_FINITE: list[tuple[str, Callable[[dict[str, Any]], None], str]] = [
    ("input", lambda arrays: arrays["x"].__setitem__((0, 0), np.nan), "x"),
    ("weight", lambda arrays: arrays["W2"].__setitem__((0, 0), np.inf), "W of Affine2"),
    ("overflow", lambda arrays: arrays["W1"].__setitem__(..., 1e308), "y of Affine1"),
]


@pytest.mark.parametrize(
    ("change", "where"), [row[1:] for row in NOT_FINITE], ids=[row[0] for row in NOT_FINITE]
)
def test_what_is_not_finite_is_shown_and_found(change: Callable[[dict[str, Any]], None], where: str) -> None:
    network, x = TwoLayerNet(4, 5, 3, rng=0, dtype="float64"), 3.0 * np.ones((2, 4))
    assert network.trace(x, np.asarray([0, 1])).first_nonfinite is None
    change({"x": x, **network.params})
    trace = network.trace(x, np.asarray([0, 1]))
    assert trace.first_nonfinite == where
    assert not math.isfinite(trace.value)


def test_what_is_not_finite_only_going_back() -> None:
    class Wrong(ReLU):
        def backward(self, dout: Array) -> Array:
            return super().backward(dout) / np.float64(0.0)

    rng = np.random.default_rng(0)
    block = Residual([Affine(rng.standard_normal((4, 4)), np.ones(4)), Wrong()])
    trace = Network([ReLU(), block], MeanSquaredError()).trace(rng.standard_normal((2, 4)), np.zeros((2, 4)))
    assert trace.first_nonfinite == "∂L/∂x of Residual1.Wrong1"


def test_time_is_without_that_of_copies(monkeypatch: pytest.MonkeyPatch) -> None:
    backend, clock = get_backend("cpu"), [0.0]
    to_numpy = type(backend).to_numpy

    def slow(self: Backend, array: Array) -> np.ndarray:
        clock[0] += 1000.0
        return to_numpy(self, array)

    class Slow(ReLU):
        def forward(self, x: Array, *, training: bool = False) -> Array:
            clock[0] += 3.0
            return super().forward(x, training=training)

        def backward(self, dout: Array) -> Array:
            clock[0] += 5.0
            return super().backward(dout)

    network, x = Network([Residual([Slow(), Slow()]), ReLU()], MeanSquaredError()), np.ones((1, 2), "float32")
    monkeypatch.setattr(type(backend), "to_numpy", slow)
    monkeypatch.setattr(recorder, "perf_counter", lambda: clock[0])
    trace = network.trace(x, x)
    times = {node.name: (node.forward_seconds, node.backward_seconds) for node in trace.nodes()}
    assert times == {
        "Residual1.Slow1": (3.0, 5.0),
        "Residual1.Slow2": (3.0, 5.0),
        "Residual1": (6.0, 10.0),
        "ReLU1": (0.0, 0.0),
        "MeanSquaredError": (0.0, 0.0),
    }


def test_threads_are_limited_as_for_a_gradient(monkeypatch: pytest.MonkeyPatch) -> None:
    network, (x, t), samples = net(get_backend("cpu")), data(get_backend("cpu")), []
    computing = Network.computing

    def noted(self: Network, number: int) -> Any:
        samples.append(number)
        return computing(self, number)

    monkeypatch.setattr(Network, "computing", noted)
    network.gradient(x, t)
    network.trace(x, t)
    assert samples == [6, 6]


class BookDropout:
    """Dropout as in the book, with masks from NumPy's generator."""

    def forward(self, x: np.ndarray, train_flg: bool = True) -> np.ndarray:
        self.mask = np.random.rand(*x.shape) > 0.5
        return x * self.mask if train_flg else x * 0.5

    def backward(self, dout: np.ndarray) -> np.ndarray:
        return dout * self.mask


class BookScale:
    """y = x W, with the gradient as an attribute."""

    def __init__(self, W: np.ndarray) -> None:
        self.W, self.dW = W, None

    def forward(self, x: np.ndarray) -> np.ndarray:
        self.x = x
        return x * self.W

    def backward(self, dout: np.ndarray) -> np.ndarray:
        self.dW = np.sum(dout * self.x, axis=0)
        return dout * self.W


@pytest.mark.parametrize("order", ["gt", "tg", "tng", "ngt"])
def test_layers_in_the_books_style(order: str) -> None:
    stack: list[Any] = [BookScale(np.asarray([2.0, 3.0, 4.0])), BookDropout()]
    network, x = Network(stack, MeanSquaredError(), weight_decay=0.1), np.ones((2, 3))
    found = {}
    for letter in order:
        method = {"g": network.gradient, "t": network.trace, "n": network.numerical_gradient}[letter]
        state = np.random.get_state(legacy=False)
        found[letter] = method(x, x)
        if letter == "t":
            np.testing.assert_equal(np.random.get_state(legacy=False), state)
    assert_gradients(found["t"], get_backend("cpu"), network, found["g"])
    assert found["t"].graph().nodes[1].detail == "BookScale"
