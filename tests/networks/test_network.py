"""Networks: live parameters, the flat vector, and the border where data comes in."""

from __future__ import annotations

import copy
import pickle
import warnings
from typing import Any

import numpy as np
import pytest

from backends import Array, Backend, get_backend, namespace_of
from backends.numpy.backend import NumpyBackend
from backprop import (
    Affine,
    Identity,
    MeanSquaredError,
    Network,
    ReLU,
    Residual,
    SigmoidWithLoss,
    SoftmaxWithLoss,
    Training,
    TwoLayerNet,
    check_gradients,
    fit,
)
from backprop.inputs import PrecisionWarning
from backprop.layers import Layer
from backprop.layers.base import Views
from backprop.losses import Loss
from backprop.optimizers import SGD


def net(backend: Backend, dtype: str = "float32") -> TwoLayerNet:
    return TwoLayerNet(4, 5, 3, weight_init_std=1.0, dtype=dtype, device=backend, rng=0)


def data(backend: Backend, n: int = 6, dtype: str = "float32") -> tuple[Array, Array]:
    rng = np.random.default_rng(1)
    return backend.asarray(rng.standard_normal((n, 4)), dtype=dtype), backend.asarray(rng.integers(0, 3, n))


def test_the_books_surface(backend: Backend) -> None:
    network, (x, t) = net(backend), data(backend)
    assert list(network.params) == ["W1", "b1", "W2", "b2"]
    assert list(network.layers) == ["Affine1", "Relu1", "Affine2"]
    assert network.lastLayer is network.last_layer
    assert tuple(network.predict(x).shape) == (6, 3)
    assert network.loss(x, t).shape == ()
    assert isinstance(network.accuracy(x, t), float)
    assert [tuple(g.shape) for g in network.gradient(x, t).values()] == [(4, 5), (5,), (5, 3), (3,)]


def test_same_seed_same_weights_everywhere(backend: Backend) -> None:
    ours, reference = net(backend), net(get_backend("cpu"))
    for name in reference.params:
        np.testing.assert_array_equal(backend.to_numpy(ours.params[name]), reference.params[name])


def test_params_are_live(backend: Backend) -> None:
    network, (x, t) = net(backend), data(backend)
    before = float(backend.to_numpy(network.loss(x, t)))
    for name, grad in network.gradient(x, t).items():
        network.params[name] -= 0.1 * grad
    assert float(backend.to_numpy(network.loss(x, t))) < before
    network.params["W2"] = backend.asarray(np.zeros((5, 3)))  # float64 is converted
    network.params["b2"] = backend.asarray([0.0, 0.0, 5.0], dtype="float32")
    assert network.params["W2"].dtype == backend.dtype("float32")
    assert backend.to_numpy(network.predict(x)).tolist() == [[0.0, 0.0, 5.0]] * 6
    assert backend.to_numpy(network.flat_params["flat"])[-3:].tolist() == [0.0, 0.0, 5.0]


def test_wrong_parameters(backend: Backend) -> None:
    network = net(backend)
    with pytest.raises(ValueError, match=r"W1: expected an array of shape \(4, 5\), got \(5, 4\)"):
        network.params["W1"] = backend.asarray(np.zeros((5, 4)))
    with pytest.raises(KeyError, match="no parameter 'W3': this network has W1, b1, W2, b2"):
        network.params["W3"] = network.params["W1"]
    with pytest.raises(TypeError, match="cannot be deleted"):
        del network.params["W1"]
    other = get_backend("strict" if backend.name == "numpy" else "numpy")
    with pytest.raises(TypeError, match=r"W1: expected an array of .*; convert it with backend\.asarray"):
        network.params["W1"] = other.asarray(np.zeros((4, 5)))
    with pytest.raises(ValueError, match=r"W: expected shape \(4, 5\), got \(1, 1\)"):
        network.layers["Affine1"].params["W"] = backend.asarray([[1.0]])
    with pytest.raises(TypeError, match="flat vector cannot be deleted"):
        del network.flat_params["flat"]
    assert len(network.params) == 4
    assert "W1=(4, 5)" in repr(network.params)


def test_flat_vector_is_all_parameters(backend: Backend) -> None:
    network, (x, t) = net(backend), data(backend)
    grads = network.gradient(x, t)
    flat = np.concatenate([backend.to_numpy(g).reshape(-1) for g in grads.values()])
    np.testing.assert_array_equal(backend.to_numpy(network.flat_grads["flat"]), flat)
    expected = {
        name: backend.to_numpy(p) - 0.5 * backend.to_numpy(grads[name]) for name, p in network.params.items()
    }
    SGD(0.5).update(network.flat_params, network.flat_grads)
    for name, values in expected.items():
        np.testing.assert_allclose(backend.to_numpy(network.params[name]), values, rtol=1e-6)


def test_gradients_are_arrays_of_their_own(backend: Backend) -> None:
    network, (x, t) = net(backend), data(backend)
    first = network.gradient(x, t)
    kept = {name: backend.to_numpy(g).copy() for name, g in first.items()}
    network.gradient(x[0:1, ...] * 3.0, t[0:1])
    for name, values in kept.items():
        np.testing.assert_array_equal(backend.to_numpy(first[name]), values)


def test_library_without_views_trains_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    x, t = data(get_backend("cpu"), 20)
    flat = []
    for has_views in (True, False):
        monkeypatch.setattr(NumpyBackend, "has_views", has_views)
        network = net(get_backend("cpu"))
        assert isinstance(network.layers["Affine1"].params, Views) is has_views
        list(Training(network, x, t, epochs=3, batch_size=5, rng=0))
        report = check_gradients(network, x.astype(float), t)
        assert report.passed, f"\n{report}"
        flat.append(network.flat_params["flat"].copy())
    np.testing.assert_array_equal(*flat)


class Scale(Layer):
    """A layer that sets all its gradients at once."""

    def forward(self, x: Array, *, training: bool = False) -> Array:
        self.saved = x if training else None
        return x * self.params["a"]

    def backward(self, dout: Array) -> Array:
        self.grads = {"a": namespace_of(dout).sum(dout * self.saved, axis=0)}
        return dout * self.params["a"]


def test_layer_that_replaces_its_dicts_stays_in_the_network(backend: Backend) -> None:
    x, t = data(backend)
    network = Network([Scale(a=backend.asarray(np.ones(4), dtype="float32"))])
    grads = network.gradient(x, t)
    assert np.abs(backend.to_numpy(grads["a1"])).max() > 0.0
    SGD(0.5).update(network.flat_params, network.flat_grads)
    assert np.abs(backend.to_numpy(network.params["a1"]) - 1.0).max() > 0.0
    layer = network.layers["Scale1"]
    layer.params.update(a=backend.asarray(np.full(4, 3.0), dtype="float32"))
    assert backend.to_numpy(network.flat_params["flat"]).tolist() == [3.0] * 4
    layer.params |= {"a": backend.asarray(np.full(4, 4.0), dtype="float32")}
    layer.params = {"a": layer.params["a"] + 1.0}
    assert backend.to_numpy(network.flat_params["flat"]).tolist() == [5.0] * 4
    with pytest.raises(KeyError, match="no parameter 'b': a layer in a network keeps its a"):
        layer.params["b"] = layer.params["a"]
    for delete in (layer.params.clear, lambda: layer.params.pop("a"), lambda: layer.params.__delitem__("a")):
        with pytest.raises(TypeError, match="cannot be deleted"):
            delete()


def test_setting_the_parameters_is_loading_them(backend: Backend) -> None:
    network = net(backend)
    network.params = {name: np.full(tuple(value.shape), 0.5) for name, value in network.params.items()}
    assert set(backend.to_numpy(network.flat_params["flat"]).tolist()) == {0.5}
    network.params = network.params
    with pytest.raises(ValueError, match="W1: missing"):
        network.params = {}


def test_copies_are_whole_networks(backend: Backend) -> None:
    network, (x, t) = net(backend), data(backend)
    before = backend.to_numpy(network.predict(x)).copy()
    for clone in (copy.deepcopy(network), pickle.loads(pickle.dumps(network))):
        np.testing.assert_array_equal(backend.to_numpy(clone.predict(x)), before)
        clone.gradient(x, t)
        SGD(1.0).update(clone.flat_params, clone.flat_grads)
        assert np.abs(backend.to_numpy(clone.predict(x)) - before).max() > 0.0
        np.testing.assert_array_equal(backend.to_numpy(network.predict(x)), before)


def test_input_gradient_only_when_asked_for(backend: Backend) -> None:
    called = []

    class Spy(Affine):
        def backward(self, dout: Array) -> Array:
            called.append(self.name)
            return super().backward(dout)

    first, second = (net(backend).layers[name] for name in ("Affine1", "Affine2"))
    network = Network([Identity(), Spy(**first.params), ReLU(), Spy(**second.params)])
    x, t = data(backend)
    network.gradient(x, t)
    assert called == ["Spy2"]
    assert tuple(network.backward().shape) == (6, 4)
    assert called == ["Spy2", "Spy2", "Spy1"]


def test_float64_data_is_converted_and_said_once(backend: Backend) -> None:
    network, (x, t) = net(backend), data(backend, dtype="float64")
    with pytest.warns(
        PrecisionWarning, match="float64 input is converted to the network's float32; give float32, or build"
    ):
        network.loss(x, t)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert network.loss(x, t).dtype == backend.dtype("float32")


def test_float32_into_float64_and_integers_are_silent(backend: Backend) -> None:
    network, (x, t) = net(backend, "float64"), data(backend)
    assert network.loss(x, t).dtype == backend.dtype("float64")
    assert network.predict(backend.asarray([[1, 2, 3, 4]])).dtype == backend.dtype("float64")


def test_bytes_are_divided_by_255(backend: Backend) -> None:
    network = net(backend)
    pixels = np.asarray([[0, 51, 102, 255]], dtype=np.uint8)
    as_bytes = network.predict(backend.asarray(pixels))
    as_floats = network.predict(backend.asarray(pixels.astype(np.float32) * np.float32(1 / 255)))
    np.testing.assert_array_equal(backend.to_numpy(as_bytes), backend.to_numpy(as_floats))


BAD_TARGETS: list[tuple[Any, str]] = [
    ([0, 1, 3], "SoftmaxWithLoss: expected labels 0 to 2, got 3"),
    ([0, -1, 1], "expected labels 0 to 2, got -1"),
    ([0, 1], r"expected labels \(3,\) or one-hot \(3, 3\), got \(2,\)|3 samples but 2 targets"),
    ([1, 3, 2], "expected labels 0 to 2, got 3; count them from 0: t - 1"),
    ([0.0, 1.0, 2.5], "expected integer class numbers, got float64"),
    ([[1, 0], [0, 1], [0, 1]], r"expected labels \(3,\) or one-hot \(3, 3\), got \(3, 2\)"),
    (
        [[1, 0, 0], [0, 0, 0], [0, 1, 0]],
        r"expected one-hot rows \(a single 1, else 0\), or probabilities of sum 1, in t \(3, 3\)",
    ),
    ([[1, 0, 0], [0.5, 0.4, 0], [0, 1, 0]], "expected one-hot rows"),
    ([[1, 0, 0], [1.5, -0.5, 0], [0, 1, 0]], "expected one-hot rows"),
    ([[1, 0, 0], [1, 1, 0], [0, 1, 0]], "expected one-hot rows"),
]


@pytest.mark.parametrize(("t", "message"), BAD_TARGETS)
@pytest.mark.parametrize("method", ["loss", "accuracy", "gradient", "numerical_gradient"])
def test_bad_targets(method: str, t: Any, message: str, backend: Backend) -> None:
    x, _ = data(backend, 3)
    with pytest.raises((ValueError, TypeError), match=message):
        getattr(net(backend), method)(x, backend.asarray(t))


def test_bad_inputs(backend: Backend) -> None:
    network, (x, t) = net(backend), data(backend)
    with pytest.raises(ValueError, match=r"Affine1: expected input \(N, 4\), got \(6, 3\)"):
        network.predict(x[:, 0:3])
    with pytest.raises(
        ValueError, match=r"Affine1: expected input \(N, 4\), got \(4,\); give a single sample"
    ):
        network.predict(x[0, :])
    for method in ("loss", "accuracy", "gradient"):
        with pytest.raises(
            ValueError, match=r"TwoLayerNet: expected at least one sample, got input \(0, 4\)"
        ):
            getattr(network, method)(x[0:0, :], t[0:0])
    with pytest.raises(TypeError, match=r"expected real (input|numbers), got complex64"):
        network.predict(backend.asarray(np.ones((1, 4), dtype="complex64")))
    with pytest.raises(TypeError, match="expected an array .* got list"):
        network.predict([[1.0, 2.0, 3.0, 4.0]])


def test_another_librarys_arrays(backend: Backend) -> None:
    network, (x, t) = net(backend), data(backend)
    other = get_backend("strict" if backend.name == "numpy" else "numpy")
    with pytest.raises(TypeError, match=rf"the network is on {backend.name} .* the input is on {other.name}"):
        network.predict(other.asarray(backend.to_numpy(x)))
    with pytest.raises(TypeError, match=r"the target is on .*; convert it with network\.backend\.asarray"):
        network.loss(x, other.asarray(backend.to_numpy(t)))


@pytest.mark.only("strict")
def test_another_device(backend: Backend) -> None:
    x, _ = data(get_backend("strict:device2"))
    with pytest.raises(TypeError, match=r"on strict \(device1\) but the input is on strict \(device2\)"):
        net(backend).predict(x)


def test_losses_without_classes(backend: Backend) -> None:
    rng = np.random.default_rng(0)
    layer = Affine(backend.asarray(rng.standard_normal((4, 3))), backend.asarray(np.zeros(3)))
    network = Network([layer], MeanSquaredError())
    x, t = backend.asarray(rng.standard_normal((5, 4))), backend.asarray(rng.standard_normal((5, 3)))
    loss, accuracy = network.evaluate(x, t)
    assert loss == pytest.approx(float(backend.to_numpy(network.loss(x, t))))
    assert accuracy is None
    with pytest.raises(TypeError, match="MeanSquaredError does not classify: this network has no accuracy"):
        network.accuracy(x, t)
    with pytest.raises(ValueError, match=r"expected t between 0 and 1, got .* to "):
        Network([layer.to(backend)], SigmoidWithLoss()).loss(x, t)


def test_evaluation_in_batches_is_evaluation_at_once(backend: Backend) -> None:
    network, (x, t) = net(backend, "float64"), data(backend, 25)
    loss, accuracy = network.evaluate(x, t, batch_size=10)
    assert loss == pytest.approx(float(backend.to_numpy(network.loss(x, t))), rel=1e-12)
    assert accuracy == network.accuracy(x, t)


def test_copy_in_another_dtype_shares_nothing(backend: Backend) -> None:
    network, (x, _) = net(backend), data(backend)
    double, same = network.to(dtype="float64"), network.to()
    assert double.dtype == "float64"
    before = backend.to_numpy(network.predict(x)).copy()
    for other in (double, same):
        other.params["W1"] = other.params["W1"] * 0.0
    np.testing.assert_array_equal(backend.to_numpy(network.predict(x)), before)
    on_host = network.to(device="cpu").predict(backend.to_numpy(x))
    np.testing.assert_allclose(on_host, before, rtol=1e-5, atol=1e-6)


def test_names_of_parameters() -> None:
    class PReLU(Layer):
        pass

    class Norm(Layer):
        pass

    ones = np.ones(1)

    def affine() -> Affine:
        return Affine(np.ones((1, 1)), np.ones(1))

    stack = [affine(), Norm(gamma=ones, beta=ones), PReLU(a=ones), PReLU(a=ones), affine()]
    names = ["W1", "b1", "gamma1", "beta1", "a1", "PReLU2.a", "W2", "b2"]
    assert list(Network(stack).params) == names


def test_wrong_stacks() -> None:
    affine = Affine(np.ones((2, 2)), np.ones(2))
    with pytest.raises(ValueError, match="a layer stands in this network twice"):
        Network([affine, affine])
    network = Network([affine])
    with pytest.raises(
        ValueError, match=r"Affine1: this layer is in a network or a block already; give a copy, layer\.to\("
    ):
        Network([affine])
    affine = affine.to(network.backend)
    with pytest.raises(TypeError, match=r"Affine1: expected a layer, such as ReLU\(\), got the class Affine"):
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


@pytest.mark.parametrize("size", [0, -1, 2.5, "5"])
def test_wrong_sizes(size: Any) -> None:
    with pytest.raises(ValueError, match=r"expected hidden_size of at least 1, got"):
        TwoLayerNet(4, size, 3)
    with pytest.raises(ValueError, match="expected dtype float32 or float64, got int64"):
        TwoLayerNet(4, 5, 3, dtype="int64")
    with pytest.raises(ValueError, match="expected a finite standard deviation of at least 0, got -1"):
        TwoLayerNet(4, 5, 3, weight_init_std=-1)


def test_summary_of_other_shapes() -> None:
    assert "(N, 2, 2)" in Network([ReLU()]).summary((2, 2))
    with pytest.raises(ValueError, match="give input_shape"):
        Network([ReLU()]).summary()


def test_a_network_has_layers() -> None:
    with pytest.raises(ValueError, match="expected at least one layer, such as Affine"):
        Network([])


def test_what_takes_the_place_of_a_parameter_is_one(backend: Backend) -> None:
    network = net(backend)
    layer = network.layers["Affine1"]
    before = backend.to_numpy(layer.W).copy()

    def set_attribute(value: Any) -> None:
        layer.W = value

    def set_item(value: Any) -> None:
        network.params["W1"] = value

    xp = backend.xp
    large = backend.asarray(np.full((4, 5), 1e300))
    for put in (set_attribute, set_item):
        with pytest.raises(ValueError, match=r"expected numbers that fit into float32, got 1e\+300"):
            put(large)
        with pytest.raises(TypeError, match="expected numbers of a dtype such as float32, got complex64"):
            put(xp.astype(layer.W, xp.complex64))
        with pytest.raises(TypeError, match="expected numbers of a dtype such as float32, got int64"):
            put(xp.ones((4, 5), dtype=xp.int64))
        with pytest.raises(TypeError, match="MaskedArray|expected an array of"):
            put(np.ma.masked_array(np.ones((4, 5))))
        with pytest.raises(ValueError, match=r"expected an array of shape \(4, 5\), got 'one'"):
            put("one")
    np.testing.assert_array_equal(backend.to_numpy(layer.W), before)
    layer.W = backend.asarray(np.full((4, 5), 0.5))
    assert backend.to_numpy(network.params["W1"]).tolist() == [[0.5] * 5] * 4


SAME_TARGETS: dict[str, Any] = {
    "a column": [[0], [2], [1]],
    "a column of floats": [[0.0], [2.0], [1.0]],
    "whole floats": [0.0, 2.0, 1.0],
    "one-hot integers": [[1, 0, 0], [0, 0, 1], [0, 1, 0]],
    "one-hot floats": [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, 1.0, 0.0]],
    "one-hot booleans": [[True, False, False], [False, False, True], [False, True, False]],
}


@pytest.mark.parametrize("form", SAME_TARGETS)
def test_labels_in_another_form(form: str, backend: Backend) -> None:
    x, _ = data(backend, 3)
    network, t = net(backend), backend.asarray(SAME_TARGETS[form])
    expected = backend.asarray([0, 2, 1])
    assert float(network.loss(x, t)) == pytest.approx(float(network.loss(x, expected)), rel=1e-12)
    assert network.accuracy(x, t) == network.accuracy(x, expected)
    for name, grad in network.gradient(x, expected).items():
        np.testing.assert_array_equal(backend.to_numpy(network.gradient(x, t)[name]), backend.to_numpy(grad))


def test_labels_that_are_no_numbers_are_refused_with_a_cure() -> None:
    network = net(get_backend("cpu"))
    x = np.zeros((3, 4), "float32")
    for t in (np.asarray(["a", "b", "c"]), np.asarray(["a", "b", "c"], dtype=object)):
        with pytest.raises(TypeError, match=r"names, t = numpy\.unique\(t, return_inverse=True\)"):
            network.loss(x, t)


@pytest.mark.parametrize("loss", [MeanSquaredError, SigmoidWithLoss, SoftmaxWithLoss])
@pytest.mark.parametrize(
    ("t", "message"),
    [
        (np.ones((3, 3), complex), "expected real numbers, got complex128; take the real parts"),
        (np.zeros((3, 3), [("a", float)]), r"got a structured array; .*structured_to_unstructured"),
        (np.zeros((3, 3), "datetime64[D]"), r"expected real numbers, got datetime64\[D\]; count from a day"),
        (np.full((3, 3), "no"), r"expected numbers, got .*'no'.* at \[0, 0\]; .*numpy\.unique"),
        (np.full((3, 3), "no", object), r"expected numbers, got 'no' at \[0, 0\]; .*numpy\.unique"),
    ],
    ids=["complex", "records", "dates", "texts", "objects"],
)
def test_targets_that_are_no_real_numbers_are_refused_with_a_cure(
    loss: type[Loss], t: np.ndarray, message: str
) -> None:
    network = Network([Affine(np.zeros((4, 3), "float32"), np.zeros(3, "float32"))], loss())
    with pytest.raises(TypeError, match=f"{loss.__name__}: t: .*{message}"):
        network.loss(np.zeros((3, 4), "float32"), t)


@pytest.mark.parametrize("dtype", [object, "U8"])
def test_targets_that_are_numbers_in_another_form_are_numbers(dtype: Any) -> None:
    t, x = np.eye(3), np.zeros((3, 4), "float32")
    for loss in (MeanSquaredError(), SigmoidWithLoss(), SoftmaxWithLoss()):
        network = Network([Affine(np.zeros((4, 3), "float32"), np.ones(3, "float32"))], loss)
        assert network.loss(x, t.astype(dtype)) == network.loss(x, t)


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


def test_an_error_in_a_property_of_ones_own_network_is_not_hidden() -> None:
    class Own(Network):
        @property
        def first(self) -> Any:
            return self.missing

    with pytest.raises(AttributeError, match="missing"):
        Own([Identity()]).first  # noqa: B018


def test_a_layer_in_the_book_s_words_is_told_what_to_write() -> None:
    class Alone:
        def forward(self, x: Any) -> Any:
            return x

        def backward(self, dout: Any) -> Any:
            return dout

    class Derived(Alone, Layer):
        pass

    class WithFlag(Identity):
        def forward(self, x: Any, train_flg: bool = False) -> Any:  # type: ignore[override]
            return x

    with pytest.raises(TypeError, match=r"got a Alone, which does not derive from backprop.Layer"):
        Network([Alone()])  # type: ignore[list-item]
    for layer in (Derived(), WithFlag()):
        with pytest.raises(TypeError, match=r"write def forward\(self, x, \*, training=False\)$"):
            Network([layer])


def test_a_layer_or_parameter_that_is_not_there_is_told_with_those_that_are() -> None:
    network = TwoLayerNet(4, 3, 2, rng=0)
    with pytest.raises(
        KeyError, match=r"no layer 1: expected one of 'Affine1', .*values\(\)\)\[1\]"
    ) as caught:
        network.layers[1]  # type: ignore[index]
    by_position = eval(caught.value.args[0].partition("by position: ")[2], {"network": network})
    assert by_position is network.layers["Relu1"]
    with pytest.raises(KeyError, match="no layer 'Relu2': expected one of 'Affine1', 'Relu1', 'Affine2'\"$"):
        network.layers["Relu2"]
    assert network.layers.get("Relu2") is None
    with pytest.raises(KeyError, match="no parameter 'W3': this network has W1, b1, W2, b2"):
        network.params["W3"]
    assert "W3" not in network.params
    with pytest.raises(KeyError, match="no state 'running_mean1': this network has none"):
        network.state["running_mean1"]


def test_names_of_classes_are_called_texts() -> None:
    network, x = TwoLayerNet(4, 3, 2, rng=0), np.zeros((2, 4), "float32")
    with pytest.raises(TypeError, match="expected integer class numbers, got texts; number the classes"):
        network.evaluate(x, np.asarray(["bee", "butterfly"]))
    with pytest.raises(ValueError, match="b1: expected floating-point numbers, got texts"):
        network.load_params({**network.params, "b1": np.asarray(["bee", "cat", "dog"])})
