"""Layers in the book's style give what ours give, alone, in a network, in a block and in training."""

from __future__ import annotations

import copy
import pickle
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import backprop
from backends import CaptureWarning, get_backend
from backprop import Layer, Network, Residual, RunRecorder, check_gradients, fit, load_network, save_network
from backprop.inputs import PrecisionWarning
from backprop.layers.adapter import BookOperation, adapted
from backprop.saving import CheckpointError, read_checkpoint, restore_network
from backprop.saving.checkpoint import ResumeWarning

from .. import book_layers as book

X = np.random.default_rng(1).standard_normal((60, 8)).astype("float32")
T = (X[:, 0] > 0.0).astype("int64") + (X[:, 1] > 0.5)
IMAGES = np.random.default_rng(2).standard_normal((40, 1, 6, 6)).astype("float32")
CALLED = pytest.mark.filterwarnings("ignore::backprop.backends.CaptureWarning")
"""A layer with NumPy's functions is called in every step, with a warning."""


def normal(*shape: int, dtype: str = "float32", seed: int = 0) -> np.ndarray:
    return (0.5 * np.random.default_rng(seed).standard_normal(shape)).astype(dtype)


def dense(kinds: Any, **options: Any) -> Network:
    """Two affine layers with a Relu and a Sigmoid, of the book's style or of ours."""
    relu = kinds.Relu if kinds is book else backprop.ReLU
    layers = [
        kinds.Affine(normal(8, 7), normal(7, seed=1)),
        relu(),
        kinds.Affine(normal(7, 5, seed=2), normal(5, seed=3)),
        kinds.Sigmoid(),
        kinds.Affine(normal(5, 3, seed=4), normal(3, seed=5)),
    ]
    return Network(layers, **options)


def convolutional(kinds: Any) -> Network:
    relu, pooling = (book.Relu, book.Pooling) if kinds is book else (backprop.ReLU, backprop.MaxPooling)
    layers = [
        kinds.Convolution(normal(2, 1, 3, 3), normal(2, seed=1)),
        relu(),
        pooling(*(() if kinds is book else (2, 2))),
        kinds.Flatten(),
        kinds.Affine(normal(8, 3, seed=2), normal(3, seed=3)),
    ]
    return Network(layers)


def normalized() -> Network:
    """All that carries something from step to step."""
    layers = [
        book.Affine(normal(8, 6), normal(6, seed=1)),
        book.BatchNormalization(np.ones(6, "float32"), np.zeros(6, "float32")),
        book.Relu(),
        book.Dropout(0.3),
        book.OwnGenerator(0.2),
        book.Affine(normal(6, 3, seed=2), normal(3, seed=3)),
    ]
    return Network(layers)


def close(found: Any, expected: Any) -> None:
    assert found.dtype == expected.dtype
    np.testing.assert_allclose(found, expected, rtol=2e-5, atol=2e-6)


def same(one: Network, other: Network) -> None:
    for mine, its in ((one.params, other.params), (one.state, other.state)):
        assert list(mine) == list(its)
        for key in mine:
            np.testing.assert_array_equal(mine[key], its[key])


@pytest.mark.parametrize(("make", "x"), [(dense, X), (convolutional, IMAGES)], ids=["dense", "convolutional"])
def test_a_network_of_them_computes_what_ours_does(make: Callable[[Any], Network], x: np.ndarray) -> None:
    mine, ours, t = make(book), make(backprop), T[: len(x)]
    close(mine.predict(x), ours.predict(x))
    assert mine.accuracy(x, t) == ours.accuracy(x, t)
    expected = ours.gradient(x, t)
    for key, gradient in mine.gradient(x, t).items():
        close(gradient, expected[key])
    close(mine.backward(), ours.backward())


def test_it_is_shown_and_found_by_its_own_class() -> None:
    network = dense(book)
    assert list(network.layers) == ["Affine1", "Relu1", "Affine2", "Sigmoid1", "Affine3"]
    assert repr(network).startswith(
        "Network(Affine1 · Relu1 · Affine2 · Sigmoid1 · Affine3 · SoftmaxWithLoss;"
    )
    layer = network.layers["Affine1"]
    assert repr(layer) == "Affine(W=(8, 7), b=(7,))"
    assert isinstance(layer, Layer)
    assert isinstance(layer, book.Affine)
    assert not isinstance(layer, backprop.Affine)


def test_the_user_s_object_has_the_live_parameters() -> None:
    affine = book.Affine(normal(8, 3), normal(3, seed=1))
    network = Network([affine])
    assert affine.W is network.params["W1"]
    network.params["W1"] -= 1.0
    np.testing.assert_array_equal(affine.W, normal(8, 3) - 1.0)
    affine.W[...] = 2.0
    assert (network.params["W1"] == 2.0).all()
    affine.W = np.full((8, 3), 3.0)  # float64, another array
    network.predict(X)
    assert (network.params["W1"] == 3.0).all()
    assert affine.W is network.params["W1"]
    affine.W = np.zeros((2, 2))
    with pytest.raises(ValueError, match=r"Affine1\.W: expected an array of shape \(8, 3\), got \(2, 2\)"):
        network.predict(X)


def test_other_attributes_are_those_of_the_object() -> None:
    dropout = book.Dropout(0.25)
    network = Network([book.Affine(normal(8, 3), normal(3, seed=1)), dropout])
    layer: Any = network.layers["Dropout1"]
    assert layer.dropout_ratio == 0.25
    layer.dropout_ratio = 0.0
    assert dropout.dropout_ratio == 0.0
    with pytest.raises(AttributeError, match="'Dropout' object has no attribute 'ratio'"):
        _ = layer.ratio
    gradient = network.gradient(X, T)["W1"]
    layer = network.layers["Affine1"]
    np.testing.assert_array_equal(layer.dW, gradient)  # as the book reads it


@CALLED
@pytest.mark.parametrize("make", [dense, convolutional])
def test_training_gives_the_same_weights_as_ours(make: Callable[[Any], Network]) -> None:
    x = X if make is dense else IMAGES
    trained = []
    for kinds in (book, backprop):
        network = make(kinds)
        training = fit(network, x, T[: len(x)], epochs=8, batch_size=7, rng=0)
        trained.append((network, training.history[-1]))
    (mine, its), (ours, expected) = trained
    for key in ours.params:
        np.testing.assert_allclose(mine.params[key], ours.params[key], rtol=1e-4, atol=1e-5)
    assert (its.loss, its.accuracy) == (pytest.approx(expected.loss, rel=1e-5), expected.accuracy)


@CALLED
@pytest.mark.parametrize("make", [lambda: dense(book), lambda: convolutional(book), normalized])
def test_a_training_that_tries_to_record_steps_ends_like_one_that_calls_them(make: Any) -> None:
    trained = []
    for capture in (True, False):
        np.random.seed(7)
        network = make()
        x = X if "Convolution1" not in network.layers else IMAGES
        fit(network, x, T[: len(x)], epochs=6, batch_size=6, rng=0, capture=capture)
        trained.append(network)
    same(*trained)


def test_the_warning_names_the_layer_the_function_and_the_line() -> None:
    with pytest.warns(
        CaptureWarning, match=r"numpy\.dot is NumPy's own: use the namespace's function.*"
    ) as found:
        fit(dense(book), X, T, epochs=1, batch_size=6, rng=0)
    assert "(in Affine1 (Affine), " in str(found[0].message)
    assert "book_layers.py:" in str(found[0].message)


class Scale:
    """Operators alone, which can be recorded."""

    def __init__(self, W: Any) -> None:
        self.W, self.dW = W, None

    def forward(self, x: Any) -> Any:
        self.x = x
        return x * self.W

    def backward(self, dout: Any) -> Any:
        self.dW = (dout * self.x)[0] * 1.0
        return dout * self.W


def test_a_layer_of_operators_is_recorded() -> None:
    trained = []
    for capture in (True, False):
        network = Network([Scale(normal(8)), backprop.Affine(normal(8, 3), normal(3, seed=1))])
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            training = fit(network, X, T, epochs=6, batch_size=6, rng=0, capture=capture)
        assert not training._step.capture.why or not capture
        trained.append(network)
    same(*trained)


def test_what_an_operator_layer_carries_is_noticed_and_its_steps_are_called() -> None:
    trained = []
    for capture in (True, False):
        network = Network([backprop.Affine(normal(8, 3), normal(3, seed=1)), Counter()])
        with warnings.catch_warnings(record=True) as found:
            warnings.simplefilter("always")
            fit(network, X, T, epochs=4, batch_size=6, rng=0, capture=capture)
        messages = [str(one.message) for one in found if one.category is CaptureWarning]
        assert len(messages) == capture
        assert (
            not messages or "Counter1.count changes from step to step and is not in the state" in messages[0]
        )
        trained.append(network)
    same(*trained)


@CALLED
def test_a_block_of_them() -> None:
    def make(affine: Any, relu: Any) -> Network:
        block = Residual([affine(normal(8, 8), normal(8, seed=1)), relu()])
        return Network([block, affine(normal(8, 3, seed=2), normal(3, seed=3))])

    mine, ours = make(book.Affine, book.Relu), make(backprop.Affine, backprop.ReLU)
    for network in (mine, ours):
        fit(network, X, T, epochs=4, batch_size=10, rng=0)
    for key, value in zip(mine.params, ours.params.values(), strict=True):
        close(mine.params[key], value)
    assert check_gradients(mine.to(dtype="float64"), X[:5].astype("float64"), T[:5]).passed


def test_copies_share_nothing() -> None:
    network = normalized()
    network.gradient(X, T)
    before = network.params["W1"].copy()
    copies = [
        copy.deepcopy(network),
        pickle.loads(pickle.dumps(network)),
        network.to(),
        network.to(dtype="float64"),
    ]
    for copied in copies:
        layer: Any = copied.layers["Affine1"]
        original: Any = network.layers["Affine1"]
        assert layer.inner is not original.inner
        assert layer.inner.W is copied.params["W1"]
        np.testing.assert_array_equal(
            copied.state["running_mean1"], network.state["running_mean1"].astype("float64")
        )
        np.testing.assert_allclose(copied.predict(X), network.predict(X), rtol=1e-4, atol=1e-5)
        copied.params["W1"] += 1.0
        copied.gradient(X, T)
        np.testing.assert_array_equal(network.params["W1"], before)
    assert copies[-1].gradient(X, T)["W1"].dtype == "float64"


def test_parameters_of_float64_make_a_network_of_float64() -> None:
    network = Network([book.Affine(0.01 * np.ones((8, 3)), np.zeros(3))])
    assert network.dtype == "float64"
    assert network.predict(X).dtype == "float64"
    single = Network([book.Affine(normal(8, 3), normal(3, seed=1))])
    with pytest.warns(PrecisionWarning):
        assert single.predict(X.astype("float64")).dtype == "float32"
    with pytest.raises(
        TypeError, match="a network's parameters must have one dtype, got W1 float64, b1 float32"
    ):
        Network([book.Affine(np.ones((8, 3)), np.zeros(3, "float32"))])


def test_an_object_has_one_place() -> None:
    affine = book.Affine(normal(8, 8), normal(8, seed=1))
    with pytest.raises(ValueError, match="a layer occurs twice in this network"):
        Network([affine, affine])
    network = Network([affine])
    for use in (Network, Residual):
        with pytest.raises(
            ValueError, match=r"already in a network or block; give a copy, copy\.deepcopy\(layer\)"
        ):
            use([affine])
    Network([copy.deepcopy(affine)])
    del network
    Network([affine])  # the first one is gone


def test_a_layer_without_parameters_can_be_replaced() -> None:
    network = Network([book.Affine(normal(8, 3), normal(3, seed=1)), book.Relu()])
    network.layers["Relu1"] = book.Sigmoid()  # type: ignore[assignment]
    assert isinstance(network.layers["Relu1"], book.Sigmoid)


@pytest.mark.parametrize(
    ("layer", "x"),
    [
        (book.Affine(normal(4, 3), normal(3, seed=1)), normal(5, 4, seed=2)),
        (book.Relu(), normal(5, 4)),
        (book.Sigmoid(), normal(5, 4)),
        (book.Dropout(0.4), normal(5, 4)),
        (book.OwnGenerator(0.4), normal(5, 4)),
        (book.BatchNormalization(normal(4) + 1.0, normal(4, seed=1)), normal(6, 4, seed=2)),
        (book.Convolution(normal(2, 2, 3, 2), normal(2, seed=1)), normal(2, 2, 4, 4, seed=2)),
        (book.Pooling(), normal(2, 2, 4, 4)),
        (book.Flatten(), normal(2, 2, 4, 4)),
        (Scale(normal(4)), normal(1, 4, seed=1)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_the_check_takes_them_and_finds_no_fault(layer: Any, x: np.ndarray) -> None:
    before, draws = dict(vars(layer)), np.random.get_state()[1].copy()  # type: ignore[index]
    report = check_gradients(layer, x)
    assert report.passed, str(report)
    assert report.subject == type(layer).__name__
    assert all(entry.unresolved == 0 for entry in report.entries)
    np.testing.assert_array_equal(np.random.get_state()[1], draws)  # type: ignore[index]
    assert vars(layer).keys() == before.keys()
    assert all(vars(layer)[key] is value for key, value in before.items())  # not even what it saved


def test_the_check_of_a_network_of_them(rng: np.random.Generator) -> None:
    report = check_gradients(normalized(), X[:7], T[:7])
    assert report.passed, str(report)
    report = check_gradients(convolutional(book), IMAGES[:3], T[:3])
    unresolved = [entry.layer for entry in report.entries if not entry.passed]
    assert (report.failed, unresolved) == (False, ["Pooling1"])  # Relu gives it equal entries, all 0


@pytest.mark.parametrize("kind", [book.MulLayer, book.AddLayer])
def test_the_check_of_operations(kind: Any, rng: np.random.Generator) -> None:
    assert check_gradients(kind(), rng.standard_normal((3, 4)), rng.standard_normal((3, 4))).passed
    assert check_gradients(kind(), 100.0, 2.0).passed  # the book's apples


class NoTranspose(book.Affine):
    def backward(self, dout: Any) -> Any:
        super().backward(dout)
        return np.dot(dout, self.W)  # of a square W: no error


class WrongSign(book.Affine):
    def backward(self, dout: Any) -> Any:
        dx = super().backward(dout)
        self.db = -self.db
        return dx


class NoGradient(book.Affine):
    def backward(self, dout: Any) -> Any:
        self.db = dout.sum(axis=0)
        return np.dot(dout, self.W.T)


class OneOverN(book.Affine):
    def backward(self, dout: Any) -> Any:
        dx = super().backward(dout)
        self.dW = self.dW / len(dout)
        return dx


class Stale(book.Sigmoid):
    """It computes its gradient from the first output alone."""

    def forward(self, x: Any) -> Any:
        y = 1 / (1 + np.exp(-x))
        if self.out is None:
            self.out = y
        return y


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [(NoTranspose, "x"), (WrongSign, "b"), (OneOverN, "W"), (NoGradient, "does not set self.dW")],
)
def test_the_check_finds_and_names_a_wrong_one(kind: Any, wrong: str, rng: np.random.Generator) -> None:
    layer = kind(rng.standard_normal((4, 4)), rng.standard_normal(4))
    report = check_gradients(layer, rng.standard_normal((5, 4)))
    assert report.failed
    failed = [entry.parameter for entry in report.entries if not entry.passed]
    assert failed == [wrong] or (not failed and wrong in report.problems[0])
    network = Network(
        [
            book.Affine(rng.standard_normal((4, 4)), rng.standard_normal(4)),
            kind(rng.standard_normal((4, 4)), rng.standard_normal(4)),
            book.Sigmoid(),
            book.Affine(rng.standard_normal((4, 3)), rng.standard_normal(3)),
        ]
    )
    report = check_gradients(network, rng.standard_normal((5, 4)), [0, 1, 2, 0, 1])
    assert report.failed
    assert report.culprit == f"{kind.__name__}1" or wrong in report.problems[0]


def test_the_check_finds_a_gradient_of_an_earlier_batch(rng: np.random.Generator) -> None:
    assert check_gradients(Stale(), rng.standard_normal((5, 4))).failed


def test_the_numerical_gradient_has_the_same_masks() -> None:
    network = normalized().to(dtype="float64")
    for first, second in (("gradient", "numerical_gradient"), ("numerical_gradient", "gradient")):
        one, other = getattr(network, first)(X, T), getattr(network, second)(X, T)
        for key, value in one.items():
            np.testing.assert_allclose(value, other[key], rtol=1e-5, atol=1e-7)


@CALLED
def test_running_statistics_are_saved_though_they_are_none_at_first(tmp_path: Path) -> None:
    network = normalized()
    assert list(network.state) == ["running_mean1", "running_var1"]
    training = fit(network, X, T, epochs=3, batch_size=10, rng=0, validation=0.3)
    assert training.best is not None
    save_network(tmp_path / "a.safetensors", network)
    again = normalized()
    restore_network(again, read_checkpoint(tmp_path / "a.safetensors"))
    same(again, network)
    np.testing.assert_array_equal(again.predict(X), network.predict(X))
    with pytest.raises(
        CheckpointError, match=r"Affine is not a layer of backprop; build the network yourself"
    ):
        load_network(tmp_path / "a.safetensors")


class Counter:
    """It carries a number from step to step."""

    def __init__(self) -> None:
        self.count = 0

    def forward(self, x: Any, train_flg: bool = False) -> Any:
        self.count += 1
        return x * (1.0 + 1.0 / self.count)

    def backward(self, dout: Any) -> Any:
        return dout * (1.0 + 1.0 / self.count)


@CALLED
def test_what_would_not_be_saved_is_said_before_anything_is_lost(tmp_path: Path) -> None:
    network = Network([book.Affine(normal(8, 3), normal(3, seed=1)), Counter()])
    fit(network, X, T, epochs=1, batch_size=20, rng=0)
    before = network.params["W1"].copy()
    complaint = (
        r"Counter1 \(Counter\): forward changes self\.count, which would not be saved.*self\.count = numpy"
    )
    for save in (
        lambda: save_network(tmp_path / "a.safetensors", network),
        lambda: fit(network, X, T, epochs=1, batch_size=20, rng=0, validation=0.3),
        lambda: fit(network, X, T, epochs=1, batch_size=20, rng=0, recorder=RunRecorder(tmp_path / "run")),
    ):
        with pytest.raises(TypeError, match=complaint):
            save()
        np.testing.assert_array_equal(network.params["W1"], before)  # not a step was taken
        assert list(tmp_path.iterdir()) == []
    with pytest.raises(TypeError, match=complaint):
        fit(network, X, T, epochs=1, batch_size=20, rng=0).checkpoint()
    assert check_gradients(Counter(), X[:3]).passed  # every run begins with the same count


@CALLED
def test_a_resumed_training_says_that_masks_will_differ() -> None:
    def train(epochs: int, **options: Any) -> Any:
        layers = [book.Affine(normal(8, 3), normal(3, seed=1)), book.Dropout(0.1)]
        return fit(Network(layers), X, T, epochs=epochs, batch_size=20, rng=0, **options)

    with pytest.warns(
        ResumeWarning, match="Dropout1 draws random numbers by itself, and their generator is not"
    ):
        train(2, resume=train(1).checkpoint())


@pytest.mark.parametrize("name", ["strict", "torch"])
def test_on_another_library_numpy_s_functions_are_named(name: str) -> None:
    try:
        backend = get_backend(name)
    except backprop.backends.BackendUnavailableError as error:
        pytest.skip(str(error))
    network = dense(book).to(device=backend)
    with pytest.raises(
        TypeError, match=r"^Affine1: .*NumPy's functions and methods are for NumPy's arrays; for any lib"
    ):
        network.predict(backend.asarray(X))

    class Copy(Scale):  # without NumPy's functions
        def forward(self, x: Any) -> Any:
            return super().forward(x.copy())

    with pytest.raises(TypeError, match=r"^Copy1: .*NumPy's functions and methods are for NumPy's arrays"):
        Network([Copy(normal(8))]).to(device=backend).predict(backend.asarray(X))
    operators = Network([Scale(normal(8))]).to(device=backend)
    assert backend.owns(operators.predict(backend.asarray(X)))


def test_anything_else_is_returned_as_it_is() -> None:
    for value in (backprop.ReLU(), 3, book.Relu, None):
        assert adapted(value) is value


def test_what_goes_elsewhere_is_sent_there() -> None:
    with pytest.raises(
        TypeError, match=r"MulLayer1: expected forward\(self, x\) .*, got forward\(self, x, y\)$"
    ):
        Network([book.MulLayer()])
    with pytest.raises(TypeError, match=r"got forward\(self, x, t\); a loss is the network's last_layer"):
        Network([book.SoftmaxWithLoss()])


def test_what_was_set_in_the_object_is_saved(tmp_path: Path) -> None:
    affine = book.Affine(normal(8, 3), normal(3, seed=1))
    network = Network([affine])
    affine.W = np.full((8, 3), 2.0)
    save_network(tmp_path / "a.safetensors", network)
    assert (read_checkpoint(tmp_path / "a.safetensors").arrays["params.W1"] == 2.0).all()


def test_a_flag_by_another_name_is_refused() -> None:
    class Noise(book.Relu):
        def forward(self, x: Any, test: bool = False) -> Any:
            return super().forward(x) if test else x

    with pytest.raises(
        TypeError, match=r"^Noise1: forward is never given test; call it train_flg if it tells"
    ):
        Network([Noise()])


class Twice:
    """A layer in the book's style without parameters."""

    def forward(self, x: Any) -> Any:
        return 2.0 * x

    def backward(self, dout: Any) -> Any:
        return 2.0 * dout


def test_a_backward_without_dout_is_refused() -> None:
    class NoGradient(Twice):
        def backward(self) -> Any:  # type: ignore[override]
            return 2.0

    class WithDefault(Twice):
        def backward(self, dout: Any = 1) -> Any:
            return 2.0 * dout

    with pytest.raises(TypeError, match=r"^NoGradient1: expected backward\(self, dout\), which returns dx"):
        Network([NoGradient()])
    assert list(Network([WithDefault()]).layers) == ["WithDefault1"]


class Plus:
    """An operation in the book's style."""

    def forward(self, x: Any, y: Any) -> Any:
        return x + y

    def backward(self, dout: Any) -> Any:
        return dout, dout


@pytest.mark.parametrize(("node", "inputs"), [(adapted(Twice()), 1), (BookOperation(Plus()), 2)])
def test_a_dout_that_does_not_fit_is_refused_by_name(node: Any, inputs: int) -> None:
    node.forward(*[np.ones((2, 3))] * inputs, training=True)
    with pytest.raises(ValueError, match=rf"^{type(node.inner).__name__}: expected dout"):
        node.backward(np.ones((3, 2)))
