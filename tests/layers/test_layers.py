"""Layers and losses: values, dtypes, and what they say about wrong input."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pytest

from backends import Backend, get_backend
from backprop import (
    GELU,
    Affine,
    AveragePooling,
    Convolution,
    ConvolutionReLUPooling,
    Dropout,
    LeakyReLU,
    MaxPooling,
    MeanSquaredError,
    Mul,
    ReLU,
    Relu,
    Reshape,
    Sigmoid,
    SigmoidWithLoss,
    Softmax,
    SoftmaxWithLoss,
    Tanh,
    Training,
    TwoLayerNet,
)
from backprop.layers import Add, Identity, Node
from backprop.schedules import Step

LAYERS = [ReLU, Sigmoid, Tanh, Identity]


def affine(backend: Backend, dtype: str = "float32") -> Affine:
    return Affine(backend.asarray(np.ones((4, 3)), dtype=dtype), backend.asarray(np.zeros(3), dtype=dtype))


def test_the_books_spelling() -> None:
    assert Relu is ReLU


@pytest.mark.parametrize("shape", [(5, 3), (4,), (2, 3), (0, 3), (5, 2, 3)])
def test_affine_wrong_width(shape: tuple[int, ...], backend: Backend) -> None:
    x = backend.asarray(np.zeros(shape), dtype="float32")
    with pytest.raises(ValueError, match=r"Affine: expected input \(N, 4\), got \("):
        affine(backend).forward(x)


def test_affine_single_sample_hint(backend: Backend) -> None:
    with pytest.raises(ValueError, match=r"got \(4,\); give a single sample as x\[None, \.\.\.\]"):
        affine(backend).forward(backend.asarray(np.zeros(4), dtype="float32"))


@pytest.mark.parametrize("shape", [(3,), (5, 3), (1, 3), (2, 3, 1)])
def test_affine_no_hint_where_the_size_is_wrong(shape: tuple[int, ...], backend: Backend) -> None:
    with pytest.raises(ValueError, match=r"expected input \(N, 4\), got \([0-9, ]+\)$"):
        affine(backend).forward(backend.asarray(np.zeros(shape), dtype="float32"))


@pytest.mark.parametrize("shape", [(5, 4, 1), (5, 1, 4), (5, 2, 2), (5, 1, 4, 1)])
def test_affine_flattens_any_shape_of_the_right_size(shape: tuple[int, ...], backend: Backend) -> None:
    x = np.arange(20.0).reshape(5, 4)
    y = affine(backend).forward(backend.asarray(x.reshape(shape), dtype="float32"))
    np.testing.assert_array_equal(backend.to_numpy(y), x.sum(axis=1, keepdims=True) * np.ones((1, 3)))


def test_affine_flattens_and_restores_the_shape(backend: Backend) -> None:
    layer = affine(backend)
    y = layer.forward(backend.asarray(np.ones((2, 2, 2)), dtype="float32"), training=True)
    assert tuple(y.shape) == (2, 3)
    assert tuple(layer.backward(y).shape) == (2, 2, 2)


def test_affine_wrong_parameters(backend: Backend) -> None:
    W, b = backend.asarray(np.ones((4, 3))), backend.asarray(np.ones(4))
    with pytest.raises(ValueError, match=r"expected W \(D, M\) and b \(M,\), got \(4, 3\) and \(4,\)"):
        Affine(W, b)
    with pytest.raises(TypeError, match="b and W differ in dtype, float32 and float64"):
        Affine(W, backend.asarray(np.ones(3), dtype="float32"))
    with pytest.raises(TypeError, match="expected floating-point input, got int64"):
        Affine(backend.asarray([[1]]), backend.asarray([1]))


def test_affine_wrong_dtype(backend: Backend) -> None:
    with pytest.raises(
        TypeError, match="Affine: x and W differ in dtype, float64 and float32; convert one of them"
    ):
        affine(backend).forward(backend.asarray(np.zeros((5, 4))))


def test_affine_two_libraries(backend: Backend) -> None:
    other = get_backend("strict" if backend.name == "numpy" else "numpy")
    kinds = {
        "numpy": "numpy.ndarray",
        "strict": "array_api_strict.Array",
        "torch": "torch.Tensor",
        "cupy": "cupy.ndarray",
    }
    two = re.escape(f"{kinds[other.name]} and {kinds[backend.name]}")
    with pytest.raises(
        TypeError, match=f"x and W are arrays of two libraries, {two}; bring both to one backend"
    ):
        affine(backend).forward(other.asarray(np.zeros((5, 4)), dtype="float32"))


@pytest.mark.only("strict")
def test_two_devices(backend: Backend) -> None:
    elsewhere = get_backend("strict:device2").asarray(np.zeros((5, 4)), dtype="float32")
    with pytest.raises(ValueError, match="x and W are on two devices, .*device2.* and .*device1"):
        affine(backend).forward(elsewhere)


@pytest.mark.only("strict")
@pytest.mark.parametrize("loss_class", [SoftmaxWithLoss, SigmoidWithLoss, MeanSquaredError])
def test_targets_on_another_device(loss_class: Any, backend: Backend, rng: np.random.Generator) -> None:
    loss, x, t = loss_class.case(rng)
    with pytest.raises(ValueError, match="x and t are on two devices, .*device1.* and .*device2"):
        loss.forward(backend.asarray(x), get_backend("strict:device2").asarray(t))


def test_parameters_that_are_no_arrays() -> None:
    with pytest.raises(TypeError, match="expected an array .* got list"):
        Affine([[1.0]], [0.0])


def test_arrays_of_a_library_without_a_backend_can_be_brought_here() -> None:
    class Foreign:
        def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
            return np.asarray([1.0, 2.0], dtype="float32")

    moved = Node(a=Foreign()).to(get_backend("cpu")).params["a"]
    assert moved.dtype == "float32"
    assert moved.tolist() == [1.0, 2.0]


@pytest.mark.parametrize("layer", LAYERS)
def test_integers_are_refused(layer: Any, backend: Backend) -> None:
    with pytest.raises(
        TypeError, match=rf"{layer.__name__}: expected floating-point input, got int64; convert it"
    ):
        layer().forward(backend.asarray([[1, 2]]))


@pytest.mark.parametrize("layer", LAYERS)
def test_wrong_dout(layer: Any, backend: Backend) -> None:
    layer = layer()
    layer.forward(backend.asarray([[1.0, 2.0]]), training=True)
    with pytest.raises(ValueError, match=rf"{layer.name}: expected dout \(1, 2\), got \(2,\)"):
        layer.backward(backend.asarray([1.0, 2.0]))
    with pytest.raises(TypeError, match="dout and output differ in dtype"):
        layer.backward(backend.asarray([[1.0, 2.0]], dtype="float32"))
    for nothing in (1.0, 1, [[1.0, 2.0]]):
        with pytest.raises(TypeError, match="expected an array .* got"):
            layer.backward(nothing)


def test_affine_wrong_dout(backend: Backend) -> None:
    layer = affine(backend)
    layer.forward(backend.asarray(np.ones((5, 4)), dtype="float32"), training=True)
    with pytest.raises(ValueError, match=r"Affine: expected dout \(5, 3\), got \(5, 4\)"):
        layer.backward(backend.asarray(np.ones((5, 4)), dtype="float32"))
    with pytest.raises(TypeError, match="Affine: dout and b differ in dtype, float64 and float32"):
        layer.backward(backend.asarray(np.ones((5, 3))))


@pytest.mark.parametrize("layer", [*LAYERS, Mul, Add, SoftmaxWithLoss, SigmoidWithLoss, MeanSquaredError])
def test_backward_before_forward(layer: Any, backend: Backend) -> None:
    with pytest.raises(RuntimeError, match=rf"{layer.__name__}: backward needs .*training=True.* first"):
        layer().backward(backend.asarray([1.0]))


@pytest.mark.parametrize("layer", [Add, Mul])
def test_two_inputs_that_do_not_fit(layer: Any, backend: Backend) -> None:
    x = backend.asarray([1.0, 2.0])
    with pytest.raises(ValueError, match=r"expected inputs of one shape, got \(2,\) and \(1,\)"):
        layer().forward(x, backend.asarray([1.0]))
    with pytest.raises(TypeError, match="y and x differ in dtype"):
        layer().forward(x, backend.asarray([1.0, 2.0], dtype="float32"))
    for pair in ((x, 2.0), (2.0, x)):  # a number and an array would be broadcast
        with pytest.raises(TypeError, match="expected an array"):
            layer().forward(*pair)


def test_softmax_row_by_row(backend: Backend) -> None:
    """Every row has its own largest entry; a vector is one row; a number is none."""
    x = backend.asarray([[1000.0, 1000.0], [-1000.0, -1000.0]])
    np.testing.assert_array_equal(backend.to_numpy(Softmax().forward(x)), [[0.5, 0.5], [0.5, 0.5]])
    np.testing.assert_array_equal(backend.to_numpy(Softmax().forward(x[0, :])), [0.5, 0.5])
    with pytest.raises(ValueError, match=r"Softmax: expected input \(…, C\), got a single number"):
        Softmax().forward(backend.asarray(1.0))


def test_extreme_values(backend: Backend) -> None:
    x = backend.asarray([[-1e30, -1000.0, 0.0, 1000.0, 1e30]], dtype="float32")
    assert backend.to_numpy(Sigmoid().forward(x)).tolist() == [[0.0, 0.0, 0.5, 1.0, 1.0]]
    assert backend.to_numpy(Tanh().forward(x)).tolist() == [[-1.0, -1.0, 0.0, 1.0, 1.0]]
    loss = SoftmaxWithLoss().forward(x[:, 1:4], backend.asarray([0]))
    assert float(backend.to_numpy(loss)) == 2000.0
    rows = backend.asarray([[1000.0, 1000.0], [-1000.0, -1000.0]])  # each has its own largest entry
    loss = SoftmaxWithLoss().forward(rows, backend.asarray([0, 1]))
    assert float(backend.to_numpy(loss)) == pytest.approx(math.log(2.0))
    loss = SigmoidWithLoss().forward(x[:, 1:4], backend.asarray([[1, 1, 1]]))
    assert float(backend.to_numpy(loss)) == pytest.approx(1000.0 + math.log(2.0))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_gelu_far_from_0(dtype: str, backend: Backend) -> None:
    """From 10 on it is x or 0, also where x² is larger than the largest number."""
    largest = float(np.finfo(dtype).max)
    x = backend.asarray([-largest, -1e25, -10.0, 10.0, 1e25, largest], dtype=dtype)
    gelu = GELU()
    y = backend.to_numpy(gelu.forward(x, training=True))
    np.testing.assert_array_equal(y, np.maximum(backend.to_numpy(x), 0.0))
    dx = backend.to_numpy(gelu.backward(backend.asarray(np.ones(6), dtype=dtype)))
    np.testing.assert_array_equal(dx, [0.0, 0.0, 0.0, 1.0, 1.0, 1.0])


def test_sigmoid_keeps_small_values(backend: Backend) -> None:
    y = backend.to_numpy(Sigmoid().forward(backend.asarray([[-50.0]], dtype="float32")))
    assert float(y[0, 0]) == pytest.approx(math.exp(-50.0), rel=1e-5)


@pytest.mark.parametrize("dout", [2, 2.0, np.float64(2.0), np.int64(2), "array"])
def test_scalar_dout_does_not_promote(dout: Any, backend: Backend, rng: np.random.Generator) -> None:
    for loss_class in (SoftmaxWithLoss, SigmoidWithLoss, MeanSquaredError):
        loss, x, t = loss_class.case(rng)
        x = backend.asarray(x, dtype="float32")
        loss.forward(x, backend.asarray(t), training=True)
        given = backend.asarray(2.0, dtype="float32") if isinstance(dout, str) else dout
        once, twice = loss.backward(), loss.backward(given)
        assert twice.dtype == x.dtype
        np.testing.assert_allclose(backend.to_numpy(twice), 2.0 * backend.to_numpy(once), rtol=1e-6)


def test_loss_with_wrong_dout(backend: Backend, rng: np.random.Generator) -> None:
    loss, x, t = MeanSquaredError.case(rng)
    loss.forward(backend.asarray(x), backend.asarray(t), training=True)
    with pytest.raises(ValueError, match=r"expected a scalar dout, got shape \(2,\)"):
        loss.backward(backend.asarray([1.0, 2.0]))
    with pytest.raises(
        TypeError, match="MeanSquaredError: dout and input differ in dtype, float32 and float64"
    ):
        loss.backward(backend.asarray(1.0, dtype="float32"))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("loss_class", [SoftmaxWithLoss, SigmoidWithLoss, MeanSquaredError])
def test_loss_is_0d_of_the_inputs_dtype(
    loss_class: Any, dtype: str, backend: Backend, rng: np.random.Generator
) -> None:
    loss, x, t = loss_class.case(rng)
    value = loss.forward(backend.asarray(x, dtype=dtype), backend.asarray(t))
    assert value.shape == ()
    assert value.dtype == backend.dtype(dtype)


def test_softmax_wrong_targets(backend: Backend) -> None:
    loss, x = SoftmaxWithLoss(), backend.asarray(np.zeros((4, 3)))
    for t, message in [
        (np.zeros((4, 2)), r"expected labels \(4,\) or one-hot \(4, 3\), got \(4, 2\)"),
        (np.zeros(3, int), r"expected labels \(4,\) or one-hot \(4, 3\), got \(3,\)"),
        (np.zeros((4, 1), int), r"got \(4, 1\)"),
    ]:
        with pytest.raises(ValueError, match=message):
            loss.forward(x, backend.asarray(t))
    with pytest.raises(TypeError, match="expected integer class numbers, got float64; convert them"):
        loss.forward(x, backend.asarray(np.zeros(4)))
    with pytest.raises(ValueError, match=r"expected input \(N, C\), got \(4,\)"):
        loss.forward(backend.asarray(np.zeros(4)), backend.asarray(np.zeros(4, int)))
    with pytest.raises(ValueError, match=r"expected at least one sample, got input \(0, 3\)"):
        loss.forward(backend.asarray(np.zeros((0, 3))), backend.asarray(np.zeros(0, int)))


def test_one_loss_for_many_kinds_of_targets() -> None:
    """What it has made once for labels fits only those classes, that dtype, that library and device."""
    loss = SoftmaxWithLoss()
    for classes in (3, 5, 300, 3):
        for place in ("cpu", "strict", "strict:device2"):
            for dtype in ("int64", "uint8", "int8"):
                backend = get_backend(place)
                x = backend.asarray(np.zeros((2, classes)))
                value = loss.forward(x, backend.asarray(np.asarray([0, 2]), dtype=dtype), training=True)
                assert float(backend.to_numpy(value)) == pytest.approx(math.log(classes))
                expected = (1.0 / classes - np.eye(classes)[[0, 2]]) / 2.0
                np.testing.assert_allclose(backend.to_numpy(loss.backward()), expected, atol=1e-15)


@pytest.mark.parametrize("t", [[3], [-1], [[0, 0, 0]], [[0, 2, 0]]])
def test_softmax_loss_of_no_class_is_infinite(t: Any, backend: Backend) -> None:
    loss = SoftmaxWithLoss().forward(backend.asarray(np.zeros((1, 3))), backend.asarray(t))
    assert float(backend.to_numpy(loss)) == math.inf


def test_softmax_loss_of_several_classes(backend: Backend) -> None:
    """What the docstring says of it: the loss of the likeliest, the gradient of all."""
    loss = SoftmaxWithLoss()
    value = loss.forward(backend.asarray([[0.0, 1.0, 2.0]]), backend.asarray([[1, 1, 0]]), training=True)
    p = np.exp([0.0, 1.0, 2.0]) / np.exp([0.0, 1.0, 2.0]).sum()
    assert float(backend.to_numpy(value)) == pytest.approx(-math.log(p[1]))
    np.testing.assert_allclose(backend.to_numpy(loss.backward()), [p - [1.0, 1.0, 0.0]])


@pytest.mark.parametrize("loss_class", [SigmoidWithLoss, MeanSquaredError])
def test_targets_of_another_shape(loss_class: Any, backend: Backend) -> None:
    with pytest.raises(ValueError, match=r"expected t \(4, 1\), got \(4,\)"):
        loss_class().forward(backend.asarray(np.zeros((4, 1))), backend.asarray(np.zeros(4)))


@pytest.mark.parametrize("loss_class", [SoftmaxWithLoss, SigmoidWithLoss, MeanSquaredError])
def test_loss_with_two_libraries(loss_class: Any, backend: Backend, rng: np.random.Generator) -> None:
    loss, x, t = loss_class.case(rng)
    other = get_backend("strict" if backend.name == "numpy" else "numpy")
    with pytest.raises(TypeError, match="x and t are arrays of two libraries"):
        loss.forward(backend.asarray(x), other.asarray(t))


def test_counting_correct_predictions(backend: Backend) -> None:
    x = backend.asarray([[0.1, 0.9], [0.8, 0.2], [0.3, 0.7]])
    for t in ([1, 1, 1], [[0, 1], [0, 1], [0, 1]]):
        assert int(SoftmaxWithLoss().correct(x, backend.asarray(t))) == 2
    assert (
        int(SoftmaxWithLoss().correct(x, backend.asarray([[False, True], [True, False], [True, False]]))) == 2
    )
    assert int(SoftmaxWithLoss().correct(x, backend.asarray([[1, 0], [1, 0], [0, 1]]))) == 2
    x = backend.asarray([2.0, -2.0, 3.0])
    assert int(SigmoidWithLoss().correct(x, backend.asarray([1, 0, 0]))) == 2
    assert int(SigmoidWithLoss().correct(x, backend.asarray([True, False, True]))) == 3
    assert int(SigmoidWithLoss().correct(x, backend.asarray([0.9, 0.1, 0.4]))) == 2
    two = backend.asarray([[2.0, -2.0], [2.0, 2.0], [0.5, 0.0]])  # right where both entries are
    for t, right in (([[1, 0], [1, 0], [1, 0]], 2), ([[0.5, 0.5], [0.6, 0.6], [0.6, 0.5]], 2)):
        assert int(SigmoidWithLoss().correct(two, backend.asarray(t))) == right
    with pytest.raises(TypeError, match="MeanSquaredError does not classify"):
        MeanSquaredError().correct(x, x)


@pytest.mark.parametrize(
    ("loss", "outputs", "t", "message"),
    [
        (SigmoidWithLoss(), (), [0.0, -0.5], "SigmoidWithLoss: expected t between 0 and 1, got -0.5 to 0.0"),
        (SigmoidWithLoss(), (), [1.0, 1.5], "SigmoidWithLoss: expected t between 0 and 1, got 1.0 to 1.5"),
        (SigmoidWithLoss(), (2,), [0.0, 1.0], r"SigmoidWithLoss: expected t \(2, 2\), got \(2,\)"),
        (SigmoidWithLoss(), (), [0.0, 1.0], None),
        (SigmoidWithLoss(), (), [0.0, math.nan], "SigmoidWithLoss: expected finite t, got nan"),
        (MeanSquaredError(), (), [0.0, math.nan], "MeanSquaredError: expected finite t, got nan"),
        (MeanSquaredError(), (), [-math.inf, 0.0], "MeanSquaredError: expected finite t, got -inf"),
        (MeanSquaredError(), (2,), [0.0, 1.0], r"MeanSquaredError: expected t \(2, 2\), got \(2,\)"),
        (SoftmaxWithLoss(), (3,), [0, -1], "SoftmaxWithLoss: expected labels 0 to 2, got -1"),
        (SoftmaxWithLoss(), (3,), [3, 2], "SoftmaxWithLoss: expected labels 0 to 2, got 3"),
        (SoftmaxWithLoss(), (3,), [0, 2], None),
        (SoftmaxWithLoss(), (3, 1), [0, 2], r"expected input \(N, C\), got \(2, 3, 1\)"),
        (SoftmaxWithLoss(), (3,), [[0, 1, 0], [0, 0, 0]], r"expected one-hot rows .* in t \(2, 3\)"),
        (SoftmaxWithLoss(), (3,), [[0, 1, 0], [0, 1, 1]], "expected one-hot rows"),
        (SoftmaxWithLoss(), (3,), [[0, 1, 0], [-1, 1, 1]], "expected one-hot rows"),
        (SoftmaxWithLoss(), (3,), [[0, 1, 0], [0, 0.5, 0.4]], "expected one-hot rows"),
        (SoftmaxWithLoss(), (3,), [[0, 1, 0], [1, 0, 0]], None),
    ],
)
def test_targets_are_checked(loss: Any, outputs: tuple[int, ...], t: Any, message: str | None) -> None:
    if message is None:
        loss.check_targets(np.asarray(t), 2, outputs)
        return
    with pytest.raises(ValueError, match=message):
        loss.check_targets(np.asarray(t), 2, outputs)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64"])
def test_labels_of_every_integer_dtype(dtype: str, backend: Backend, rng: np.random.Generator) -> None:
    labels, x = np.asarray([2, 0, 1, 2]), rng.standard_normal((4, 3))
    expected_loss = SoftmaxWithLoss()
    expected = float(expected_loss.forward(x, labels, training=True))
    for t in (labels, np.eye(3, dtype=np.int64)[labels]):
        loss, given = SoftmaxWithLoss(), backend.asarray(t.astype(dtype))
        assert float(
            backend.to_numpy(loss.forward(backend.asarray(x), given, training=True))
        ) == pytest.approx(expected, rel=1e-12)
        dx = backend.to_numpy(loss.backward())
        np.testing.assert_allclose(dx, expected_loss.backward(), rtol=1e-12, atol=1e-15)
        correct = backend.to_numpy(loss.correct(backend.asarray(x), given))
        assert int(correct) == int((x.argmax(axis=1) == labels).sum())


@pytest.mark.parametrize("dtype", ["uint16", "uint32", "uint64"])
def test_training_on_unsigned_labels(dtype: str, backend: Backend, rng: np.random.Generator) -> None:
    x, t = rng.standard_normal((20, 4)).astype("float32"), rng.integers(0, 3, 20)
    found = []
    for kind in (dtype, "int64"):
        net = TwoLayerNet(4, 5, 3, weight_init_std=0.5, rng=0, device=backend)
        list(Training(net, x, backend.asarray(t.astype(kind)), epochs=1, batch_size=5, rng=0))
        loss, accuracy = net.evaluate(backend.asarray(x), backend.asarray(t.astype(kind)))
        found.append((loss, accuracy, backend.to_numpy(net.params["W1"]).tolist()))
    assert found[0] == found[1]


@pytest.mark.filterwarnings("ignore:overflow encountered")
def test_labels_too_large_for_any_class(backend: Backend) -> None:
    t = backend.asarray(np.asarray([2**64 - 1, 2**63], np.uint64))
    loss = SoftmaxWithLoss().forward(backend.asarray(np.zeros((2, 3))), t)
    assert float(backend.to_numpy(loss)) == math.inf


def test_leaky_relu_at_infinity(backend: Backend) -> None:
    x = backend.asarray([-math.inf, -2.0, 0.0, 2.0, math.inf], dtype="float32")
    for slope, expected in (
        (0.0, [0.0, 0.0, 0.0, 2.0, math.inf]),
        (0.5, [-math.inf, -1.0, 0.0, 2.0, math.inf]),
    ):
        assert backend.to_numpy(LeakyReLU(slope).forward(x)).tolist() == expected
    assert backend.to_numpy(LeakyReLU(1e-60).forward(x[1:])).tolist() == [0.0, 0.0, 2.0, math.inf]


@pytest.mark.parametrize("loss", [SoftmaxWithLoss(), SigmoidWithLoss(), MeanSquaredError()])
def test_samples_without_numbers(loss: Any, backend: Backend) -> None:
    with pytest.raises(ValueError, match=r"expected at least one sample, got input \(2, 0\)"):
        loss.forward(backend.asarray(np.zeros((2, 0))), backend.asarray(np.zeros((2, 0))))
    with pytest.raises(
        ValueError, match=r"Softmax: expected input \(…, C\) with C of at least 1, got \(2, 0\)"
    ):
        Softmax().forward(backend.asarray(np.zeros((2, 0))))


def test_true_is_no_number() -> None:
    W, b = np.ones((1, 1, 2, 2)), np.ones(1)
    for make, message in [
        (lambda: Convolution(W, b, stride=True), "stride to be a whole number of at least 1, got True"),
        (lambda: Convolution(W, b, pad=False), "pad to be a whole number of at least 0, got False"),
        (lambda: ConvolutionReLUPooling(W, b, pool_h=True), "pool_h to be a whole number"),
        (lambda: MaxPooling(2, stride=True), "stride to be a whole number"),
        (lambda: AveragePooling(True), "pool_h to be a whole number"),
        (lambda: Dropout(0.5, seed=True), "a seed, a whole number from 0, got True"),
        (lambda: Reshape((True, 2)), "whole numbers of at least 1 in shape"),
        (lambda: Step(0.1, True), "Step: expected every to be a whole number"),
    ]:
        with pytest.raises(ValueError, match=message):
            make()


def test_probabilities_and_smoothed_labels(backend: Backend) -> None:
    x = np.asarray([[0.0, 1.0, 2.0], [3.0, 0.0, -1.0]])
    log_p = x - np.log(np.exp(x).sum(axis=1, keepdims=True))
    q, labels = np.asarray([[0.2, 0.3, 0.5], [0.0, 1.0, 0.0]]), np.asarray([2, 1])
    for loss, t, soft in (
        (SoftmaxWithLoss(), q, q),
        (SoftmaxWithLoss(0.3), labels, 0.7 * np.eye(3)[labels] + 0.1),
        (SoftmaxWithLoss(0.3), q, 0.7 * q + 0.1),
    ):
        value = loss.forward(backend.asarray(x), backend.asarray(t))
        assert float(backend.to_numpy(value)) == pytest.approx(-(soft * log_p).sum() / 2.0, rel=1e-12)
    sure = backend.asarray([[0.0, -math.inf, 0.0]])
    assert float(SoftmaxWithLoss().forward(sure, backend.asarray([[0.5, 0.0, 0.5]]))) == pytest.approx(
        math.log(2)
    )
    for wrong in (-0.1, 1.0, math.nan):
        with pytest.raises(ValueError, match="label_smoothing from 0 to below 1, got"):
            SoftmaxWithLoss(wrong)
