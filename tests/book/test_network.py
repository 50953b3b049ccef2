"""The book's networks: gradients, the book's own numbers, parameters by name, pickles."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import backprop
import backprop.book.optimizer
from backprop.book import (
    DeepConvNet,
    Dropout,
    MultiLayerNet,
    MultiLayerNetExtend,
    PickleError,
    SimpleConvNet,
    TwoLayerNet,
)
from backprop.book.ch04_two_layer_net import TwoLayerNet as Chapter4
from backprop.explain import explain

CONV = {"filter_num": 3, "filter_size": 3, "pad": 1, "stride": 1}

NETWORKS: dict[str, tuple[Callable[[], Any], tuple[int, ...], str, list[float]]] = {
    "chapter 4": (
        lambda: Chapter4(6, 5, 3, 0.5),
        (6,),
        "SGD",
        [1.1275873326721901, 1.1257907213371023, 1.1241250295799814, 1.1225781966671406],
    ),
    "chapter 5": (
        lambda: TwoLayerNet(6, 5, 3, 0.5),
        (6,),
        "Momentum",
        [1.199043715293954, 1.1863105155696054, 1.1708503235030459, 1.1550433822828763],
    ),
    "weight decay": (
        lambda: MultiLayerNet(6, [5, 4], 3, weight_decay_lambda=0.1),
        (6,),
        "AdaGrad",
        [2.3029219063310506, 2.218835879179606, 2.1409130048018303, 2.0807414483997997],
    ),
    "sigmoid": (
        lambda: MultiLayerNet(6, [5, 4], 3, activation="sigmoid", weight_init_std="xavier"),
        (6,),
        "RMSprop",
        [1.5755851719027092, 1.0953320983504633, 1.0818744847121808, 1.0802651237197969],
    ),
    "dropout and batch normalization": (
        lambda: MultiLayerNetExtend(6, [5, 4], 3, use_dropout=True, dropout_ration=0.3, use_batchnorm=True),
        (6,),
        "Adam",
        [2.5591913367435017, 1.504687344052131, 1.2159091792601395, 1.0841891237081491],
    ),
    "simple convnet": (
        lambda: SimpleConvNet((2, 6, 6), CONV, 5, 3, 0.3),
        (2, 6, 6),
        "Nesterov",
        [1.0744777262055716, 1.0486139025453771, 1.040586323107988, 1.0329693115984346],
    ),
    "deep convnet": (
        lambda: DeepConvNet(hidden_size=5, output_size=3),
        (1, 28, 28),
        "Adam",
        [1.2904586836159995, 1.1528684353843346, 1.098306624257527, 1.0980871514480293],
    ),
}
"""A network, the shape of a sample, an optimizer, and the losses that the book's own code gives."""

T = np.eye(3, dtype=int)[[0, 1, 2, 0, 1, 2, 0, 1]]


def made(name: str) -> tuple[Any, np.ndarray]:
    """A network and a batch, from one seed."""
    make, shape, _, _ = NETWORKS[name]
    np.random.seed(7)
    return make(), np.random.rand(8, *shape)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_book_s_losses_step_by_step(name: str) -> None:
    _, _, optimizer_name, expected = NETWORKS[name]
    network, x = made(name)
    lr = 0.001 if name == "deep convnet" else 0.05
    optimizer = getattr(backprop.book.optimizer, optimizer_name)(lr)
    losses = []
    for _ in expected:
        optimizer.update(network.params, network.gradient(x, T))
        losses.append(float(network.loss(x, T)))
    np.testing.assert_allclose(losses, expected, rtol=1e-9)


@pytest.mark.parametrize("name", [name for name in NETWORKS if name != "deep convnet"])
def test_gradients(name: str) -> None:
    network, x = made(name)
    np.random.seed(1)
    grads = network.gradient(x, T)
    np.random.seed(1)  # for the same masks of dropout
    numerical = network.numerical_gradient(x, T)
    assert list(grads) == list(numerical)
    assert set(grads) == set(network.params)
    for key in grads:
        np.testing.assert_allclose(grads[key], numerical[key], rtol=1e-4, atol=1e-6, err_msg=key)


def test_gradients_of_the_deep_network() -> None:
    """Some entries of every parameter, since there are too many."""
    network, x = made("deep convnet")
    np.random.seed(1)
    grads = network.gradient(x, T)
    rng = np.random.default_rng(0)
    for key, W in network.params.items():
        index = np.unravel_index(np.abs(grads[key] * rng.uniform(0.5, 1.0, W.shape)).argmax(), W.shape)
        values = []
        for step in (1e-6, -1e-6):
            W[index] += step
            np.random.seed(1)
            values.append(network.loss(x, T))
            W[index] -= step
        assert grads[key][index] == pytest.approx((values[0] - values[1]) / 2e-6, rel=1e-4), key


def test_weights_are_drawn_from_the_global_seed() -> None:
    np.random.seed(5)
    network = TwoLayerNet(4, 3, 2)
    draws = np.random.RandomState(5)
    np.testing.assert_allclose(network.params["W1"], 0.01 * draws.randn(4, 3))
    np.testing.assert_allclose(network.params["W2"], 0.01 * draws.randn(3, 2))
    assert network.params["b1"].tolist() == [0.0] * 3


@pytest.mark.parametrize(("init", "std"), [
    ("relu", np.sqrt(2 / 400)), ("He", np.sqrt(2 / 400)), ("sigmoid", 0.05), ("xavier", 0.05), (np.float64(0.3), 0.3)
])  # fmt: skip
def test_the_spread_of_initial_weights(init: Any, std: float) -> None:
    np.random.seed(0)
    W1 = MultiLayerNet(400, [200], 10, weight_init_std=init).params["W1"]
    assert W1.std() == pytest.approx(std, rel=0.02)


@pytest.mark.parametrize("name", NETWORKS)
def test_layers_share_their_arrays_with_params(name: str) -> None:
    network, x = made(name)
    before = network.predict(x)
    assert type(network.params) is dict
    for value in network.params.values():
        value[...] = 0.0
    assert np.ptp(network.predict(x)) == 0.0 < np.ptp(before)


def test_names_of_chapter_5() -> None:
    network, x = made("chapter 5")
    assert list(network.params) == ["W1", "b1", "W2", "b2"]
    assert list(network.layers) == ["Affine1", "Relu1", "Affine2"]
    grads = network.gradient(x, T)
    assert network.layers["Affine1"].dW is grads["W1"]
    assert network.lastLayer is network.last_layer
    loss = deepcopy(network.lastLayer)
    network.lastLayer = loss
    assert network.last_layer is loss


def test_names_of_the_other_networks() -> None:
    network = made("dropout and batch normalization")[0]
    assert list(network.params) == [
        *("W1", "b1", "W2", "b2", "W3", "b3"), "gamma1", "beta1", "gamma2", "beta2"
    ]  # fmt: skip
    assert (network.hidden_layer_num, network.hidden_size_list) == (2, [5, 4])
    plain = MultiLayerNetExtend(6, [5], 3)
    assert list(plain.layers) == ["Affine1", "Activation_function1", "Affine2"]
    deep = made("deep convnet")[0]
    assert [type(layer).__name__ for layer in deep.layers][-5:] == [
        "Affine", "Relu", "Dropout", "Affine", "Dropout"
    ]  # fmt: skip


def test_predictions_of_chapter_4_are_probabilities() -> None:
    network, x = made("chapter 4")
    np.testing.assert_allclose(network.predict(x).sum(axis=1), 1.0)
    assert network.predict(x[0]).shape == (3,)
    with pytest.raises(ValueError, match=r"^TwoLayerNet: expected x \(N, 6\), got \(8, 5\)"):
        network.predict(x[:, :5])


@pytest.mark.parametrize("name", NETWORKS)
def test_class_numbers_and_one_hot_rows_are_the_same_targets(name: str) -> None:
    found = []
    for t in (T, T.argmax(axis=1)):
        network, x = made(name)
        found.append((network.loss(x, t), network.accuracy(x, t), network.gradient(x, t)["W2"]))
    assert found[0][:2] == found[1][:2]
    np.testing.assert_array_equal(found[0][2], found[1][2])


@pytest.mark.parametrize("name", NETWORKS)
def test_accuracy_is_the_share_of_correct_samples(name: str) -> None:
    network, x = made(name)
    right = network.predict(x).argmax(axis=1)
    t = right.copy()
    t[:2] = (t[:2] + 1) % 3
    assert network.accuracy(x, t) == 0.75
    assert network.accuracy(x, t, batch_size=3) == 0.75  # with a last batch of 2
    with pytest.raises(
        ValueError, match=r"^accuracy: expected x \(N, …\) and t \(N,\), got \(8, .*\) and \(7,\)$"
    ):
        network.accuracy(x, t[:7])


def test_labels_in_a_column_are_labels() -> None:
    network, x = made("chapter 5")
    right = network.predict(x).argmax(axis=1)
    assert network.accuracy(x, right[:, None]) == 1.0
    assert network.accuracy(x, (right[:, None] + 1) % 3) == 0.0


@pytest.mark.parametrize(("change", "message"), [
    (lambda x, t: (x[0], t[0]), r"expected x \(N, …\) and t \(N,\), got .*; give a single sample as x\[None"),
    (lambda x, t: (x[:0], t[:0]), r"expected x \(N, …\) and t \(N,\), got \(0, 6\)"),
    (lambda x, t: (x, t.argmax(axis=1) + 1), "expected labels 0 to 2, got 3"),
    (lambda x, t: (x, np.eye(4)[t.argmax(axis=1)]), r"expected labels \(8,\) or one-hot \(8, 3\), got \(8, 4\)"),
    (lambda x, t: (x, t, 0), "expected batch_size to be a whole number of at least 1, got 0"),
    (lambda x, t: (x, t, -1), "expected batch_size to be a whole number of at least 1, got -1"),
])  # fmt: skip
def test_accuracy_of_what_does_not_fit(change: Any, message: str) -> None:
    network, x = made("chapter 5")
    with pytest.raises(ValueError, match=f"^accuracy: {message}"):
        network.accuracy(*change(x, T))


@pytest.mark.parametrize("name", [name for name in NETWORKS if name != "chapter 4"])
def test_another_array_in_params_is_an_error(name: str) -> None:
    network, x = made(name)
    for call in (network.predict, lambda x: network.loss(x, T), lambda x: network.gradient(x, T)):
        for key, array in network.params.items():
            network.params[key] = array - 0.1
            with pytest.raises(
                ValueError, match=rf'params\["{key}"\] is not the array .* change it in place'
            ):
                call(x)
            network.params[key] = array
        call(x)


def test_layers_that_backprop_has_taken_over_are_an_error() -> None:
    """A Network computes with arrays of its own, which it gives to the layers."""
    network, x = made("chapter 5")
    backprop.Network(network.layers)
    with pytest.raises(ValueError, match=r'params\["W1"\] is not the array'):
        network.loss(x, T)


def test_chapter_4_takes_a_single_sample() -> None:
    network, x = made("chapter 4")
    for t in (T[0], 0, [0]):
        single, batch = network.gradient(x[0], t), network.gradient(x[:1], T[:1])
        for key in batch:
            np.testing.assert_array_equal(single[key], batch[key])


@pytest.mark.parametrize("name", ["chapter 4", "chapter 5"])
def test_weights_as_targets(name: str, rng: np.random.Generator) -> None:
    network, x = made(name)
    t = rng.random((8, 3))
    grads, numerical = network.gradient(x, t), network.numerical_gradient(x, t)
    for key in grads:
        np.testing.assert_allclose(grads[key], numerical[key], atol=2e-6)


def test_methods_of_a_subclass_need_not_take_the_flag() -> None:
    class Own(TwoLayerNet):
        def predict(self, x: Any) -> Any:  # type: ignore[override]
            for layer in self.layers.values():
                x = layer.forward(x)
            return 2.0 * x

        def loss(self, x: Any, t: Any) -> Any:  # type: ignore[override]
            return self.lastLayer.forward(self.predict(x), t)

    x = made("chapter 5")[1]
    network, base = Own(6, 5, 3, 0.5), TwoLayerNet(6, 5, 3, 0.5)
    base.params["W1"][...], base.params["W2"][...] = network.params["W1"], 2.0 * network.params["W2"]
    assert network.loss(x, T) == pytest.approx(base.loss(x, T))
    assert network.accuracy(x, T) == base.accuracy(x, T)
    assert network.numerical_gradient(x, T).keys() == network.gradient(x, T).keys()


def test_layers_of_backprop_without_parameters() -> None:
    network, x = made("chapter 5")
    network.layers["Relu1"], network.lastLayer = backprop.Sigmoid(), backprop.SoftmaxWithLoss()
    grads, numerical = network.gradient(x, T), network.numerical_gradient(x, T)
    for key in grads:
        np.testing.assert_allclose(grads[key], numerical[key], atol=1e-6)


@pytest.mark.parametrize("name", [name for name in NETWORKS if name != "chapter 4"])
def test_trace(name: str) -> None:
    network, x = made(name)
    before, state = deepcopy(network), np.random.get_state()[2]
    trace = network.trace(x, T)
    assert np.random.get_state()[2] == state
    assert len(trace.layers) == len(network.layers)
    if name not in ("dropout and batch normalization", "deep convnet"):
        assert trace.value == pytest.approx(float(network.loss(x, T)))
    for key, array in network.params.items():
        np.testing.assert_array_equal(array, before.params[key])
    assert network.predict(x).shape == (8, 3)


def test_what_the_book_s_networks_are_not_made_for(tmp_path: Path) -> None:
    network, x = made("chapter 5")
    for call in (
        lambda: backprop.fit(network, x, T.argmax(axis=1), epochs=1),
        lambda: network.summary(),
        lambda: network.to("cpu"),
        lambda: explain(network, x, T),
    ):
        with pytest.raises(
            AttributeError, match=r"^the book's TwoLayerNet has no .* backprop\.Network\(copy"
        ):
            call()
    with pytest.raises(
        TypeError, match=r"^save_network: expected a backprop\.Network, got TwoLayerNet; give"
    ):
        backprop.save_network(tmp_path / "net.safetensors", network)
    hint = r"got (a )?TwoLayerNet.*; give backprop\.Network\(copy\.deepcopy\(network\.layers\)\)$"
    with pytest.raises(TypeError, match=f"^check_gradients: expected .* {hint}"):
        backprop.check_gradients(network, x, T)
    with pytest.raises(AttributeError, match="^the book's TwoLayerNet has no lastlayer$"):
        network.lastlayer  # noqa: B018
    own = backprop.Network(deepcopy(network.layers))
    backprop.fit(own, x, T.argmax(axis=1), epochs=1, batch_size=4)
    backprop.save_network(tmp_path / "net.safetensors", own)
    assert backprop.check_gradients(own, x, T).passed
    assert explain(own, x, T).title == "Network"
    network.loss(x, T)


def test_chapter_4_has_no_layers(tmp_path: Path) -> None:
    network, x = made("chapter 4")
    hint = r"chapter 4 has no layers; that of chapter 5, backprop\.book\.TwoLayerNet, has$"
    with pytest.raises(TypeError, match=rf"^TwoLayerNet\.trace: the network of {hint}"):
        network.trace(x, T)
    for call in (lambda: explain(network, x, T), lambda: backprop.fit(network, x, T, epochs=1)):
        with pytest.raises(AttributeError, match=f"^the book's TwoLayerNet has no .*: the network of {hint}"):
            call()
    for other in (
        lambda: backprop.check_gradients(network, x, T),
        lambda: backprop.save_network(tmp_path / "net.safetensors", network),
    ):
        with pytest.raises(TypeError, match=r"got (a )?TwoLayerNet.*, which has no layers$"):
            other()


def test_every_kind_of_layer_passes_the_check() -> None:
    network, x = made("dropout and batch normalization")
    report = backprop.check_gradients(backprop.Network(deepcopy(network.layers)), x, T)
    assert not report.failed, report


def test_repr() -> None:
    assert repr(TwoLayerNet(4, 3, 2)) == "TwoLayerNet(Affine1 · Relu1 · Affine2; 23 parameters)"
    assert repr(Chapter4(4, 3, 2)) == "TwoLayerNet(23 parameters)"
    assert repr(DeepConvNet()).startswith("DeepConvNet(Convolution · Relu · Convolution · Relu · Pooling · ")


def test_weight_decay_counts_weights_only() -> None:
    network, x = made("weight decay")
    for key in ("b1", "b2", "b3"):
        network.params[key] += 1.0
    with_decay, grads = network.loss(x, T), network.gradient(x, T)
    network.weight_decay_lambda = 0
    penalty = 0.05 * sum(np.sum(network.params[key] ** 2) for key in ("W1", "W2", "W3"))
    assert with_decay == pytest.approx(network.loss(x, T) + penalty, rel=1e-12)
    without = network.gradient(x, T)
    np.testing.assert_allclose(grads["W1"] - without["W1"], 0.1 * network.params["W1"])
    np.testing.assert_array_equal(grads["b1"], without["b1"])


def test_dropout_acts_in_training_only() -> None:
    network, x = made("dropout and batch normalization")
    np.testing.assert_array_equal(network.predict(x), network.predict(x))
    assert np.any(network.predict(x, train_flg=True) != network.predict(x, train_flg=True))
    deep, x = made("deep convnet")
    assert deep.loss(x, T) != deep.loss(x, T)
    assert deep.loss(x, T, train_flg=False) == deep.loss(x, T, train_flg=False)


def test_a_layer_of_one_s_own_may_take_the_flag_or_not() -> None:
    class Doubled:
        def forward(self, x: np.ndarray) -> np.ndarray:
            return 2.0 * x

        def backward(self, dout: np.ndarray) -> np.ndarray:
            return 2.0 * dout

    class Noted(Doubled):
        flags: list[bool] = []  # noqa: RUF012

        def forward(self, x: np.ndarray, train_flg: bool = True) -> np.ndarray:
            self.flags.append(train_flg)
            return super().forward(x)

    network, x = made("chapter 5")
    network.layers["Relu1"], network.layers["Extra"] = Doubled(), Noted()
    grads, numerical = network.gradient(x, T), network.numerical_gradient(x, T)
    np.testing.assert_allclose(grads["W1"], numerical["W1"], rtol=1e-4, atol=1e-6)
    network.loss(x, T)
    assert Noted.flags[0] is True
    assert Noted.flags[-1] is False


@pytest.mark.parametrize("name", NETWORKS)
def test_saved_parameters_are_read_again(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    network, x = made(name)
    network.save_params()
    assert pickle.loads(Path("params.pkl").read_bytes()).keys() == network.params.keys()
    other = NETWORKS[name][0]()
    assert np.any(other.predict(x) != network.predict(x))
    other.load_params("params.pkl")
    assert list(other.params) == list(network.params)
    np.random.seed(0)
    grads = network.gradient(x, T)
    np.random.seed(0)
    for key, grad in other.gradient(x, T).items():
        np.testing.assert_array_equal(grad, grads[key])
    other.params["W1"][...] = 0.0  # the layers have the arrays that were read
    assert not any(np.any(layer.W) for layer in list(other._stack())[:1])


@pytest.mark.parametrize(("change", "message"), [
    (lambda p: p.pop("b2"), "expected an array (2,) of floats for b2, got nothing"),
    (lambda p: p.update(W3=p["W1"]), "expected nothing for W3, got an array (4, 3) of floats"),
    (lambda p: p.update(W1=p["W1"].T), "expected an array (4, 3) of floats for W1, got an array (3, 4) of floats"),
    (lambda p: p.update(W1=p["W1"].astype(int)), "expected an array (4, 3) of floats for W1, got an array (4, 3) of int64"),
    (lambda p: p.update(W1=[1.0, 2.0]), "expected a NumPy array for W1, got list"),
])  # fmt: skip
def test_parameters_of_another_network_change_nothing(
    change: Callable[[dict[str, Any]], Any], message: str, tmp_path: Path
) -> None:
    network = TwoLayerNet(4, 3, 2)
    values = {key: value + 1.0 for key, value in network.params.items()}
    change(values)
    (tmp_path / "params.pkl").write_bytes(pickle.dumps(values))
    before = deepcopy(network.params)
    with pytest.raises(ValueError) as caught:
        network.load_params(tmp_path / "params.pkl")
    assert str(caught.value).endswith(f"params.pkl: {message}")
    for key, value in before.items():
        np.testing.assert_array_equal(network.params[key], value)


def test_a_pickle_with_code_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "params.pkl").write_bytes(pickle.dumps({"W1": print}))
    network = TwoLayerNet(4, 3, 2)
    with pytest.raises(PickleError, match=r"params\.pkl: it names builtins\.print, which was not run"):
        network.load_params(tmp_path / "params.pkl")


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_are_copied_and_pickled(name: str) -> None:
    network, x = made(name)
    for other in (deepcopy(network), pickle.loads(pickle.dumps(network))):
        np.testing.assert_array_equal(other.predict(x), network.predict(x))


def test_wrong_options() -> None:
    with pytest.raises(
        TypeError, match=r"^MultiLayerNet: expected hidden_size_list such as \[100, 100\], got 5"
    ):
        MultiLayerNet(4, 5, 3)
    with pytest.raises(
        ValueError, match="^TwoLayerNet: expected hidden size 1 to be a whole number of at least 1, got 2.5"
    ):
        TwoLayerNet(4, 2.5, 3)
    for kind, argument in ((SimpleConvNet, "conv_param"), (DeepConvNet, "conv_param_3")):
        name = kind.__name__
        with pytest.raises(
            ValueError, match=f"^{name}: expected filter_num, filter_size, pad and stride, got"
        ):
            kind(**{argument: {"filter_num": 3}})
        with pytest.raises(
            ValueError, match=f"^{name}: expected stride to be a whole number of at least 1, got 0"
        ):
            kind(**{argument: {**CONV, "stride": 0}})
    with pytest.raises(ValueError, match="unknown activation 'rleu': .* did you mean relu"):
        MultiLayerNet(4, [3], 2, activation="rleu")
    with pytest.raises(ValueError, match="unknown initial values 'hee'"):
        MultiLayerNet(4, [3], 2, weight_init_std="hee")


@pytest.mark.parametrize("kind", [SimpleConvNet, DeepConvNet])
def test_images_of_wrong_sizes(kind: Any) -> None:
    name = kind.__name__
    for input_dim in ((28, 28), (1, 28, 20), (1, 1, 28, 28)):
        with pytest.raises(
            ValueError, match=rf"^{name}: expected input_dim \(channels, height, width\) of squ"
        ):
            kind(input_dim)
    with pytest.raises(ValueError, match=f"^{name}: the images in input_dim are too small"):
        kind((1, 3, 3))
    with pytest.raises(
        ValueError, match=f"^{name}: expected channels to be a whole number of at least 1, got 0"
    ):
        kind((0, 28, 28))
    with pytest.raises(ValueError, match=f"^{name}: expected hidden_size to be a whole number of at least 1"):
        kind(hidden_size=0)


def test_convolutions_of_other_sizes() -> None:
    network = SimpleConvNet((1, 9, 9), {**CONV, "pad": 0, "stride": 2}, 5, 3)  # 4×4, pooled 2×2
    assert network.params["W2"].shape == (3 * 2 * 2, 5)
    deep = DeepConvNet((3, 16, 16), conv_param_6={**CONV, "filter_num": 7}, hidden_size=4, output_size=2)
    assert deep.params["W7"].shape == (7 * 2 * 2, 4)
    assert deep.predict(np.zeros((2, 3, 16, 16))).shape == (2, 2)
    assert [layer.dropout_ratio for layer in deep.layers if isinstance(layer, Dropout)] == [0.5, 0.5]
