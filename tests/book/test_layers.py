"""The book's layers: gradients against differences, results against formulas and backprop's own layers."""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import numpy as np
import pytest

import backprop
from backprop import numerical_gradient
from backprop.book import (
    Affine,
    BatchNormalization,
    Convolution,
    Dropout,
    Pooling,
    Relu,
    Sigmoid,
    SoftmaxWithLoss,
)

Case = Callable[[np.random.Generator], tuple[Any, np.ndarray]]


def away_from_0(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.uniform(0.1, 1.0, shape) * rng.choice([-1.0, 1.0], shape)


def distinct(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.permutation(float(np.prod(shape)) - np.arange(np.prod(shape))).reshape(shape) / 10.0


CASES: dict[str, Case] = {
    "Relu": lambda rng: (Relu(), away_from_0(rng, 3, 4)),
    "Sigmoid": lambda rng: (Sigmoid(), rng.standard_normal((3, 4))),
    "Affine": lambda rng: (
        Affine(rng.standard_normal((4, 3)), rng.standard_normal(3)),
        rng.standard_normal((5, 4)),
    ),
    "Affine of images": lambda rng: (
        Affine(rng.standard_normal((12, 3)), rng.standard_normal(3)),
        rng.standard_normal((5, 3, 2, 2)),
    ),
    "Dropout": lambda rng: (Dropout(0.4), rng.standard_normal((3, 4))),
    "BatchNormalization": lambda rng: (
        BatchNormalization(rng.uniform(0.5, 1.5, 4), rng.standard_normal(4)),
        rng.standard_normal((6, 4)),
    ),
    "BatchNormalization of images": lambda rng: (
        BatchNormalization(rng.uniform(0.5, 1.5, 12), rng.standard_normal(12)),
        rng.standard_normal((6, 3, 2, 2)),
    ),
    "BatchNormalization of one sample": lambda rng: (
        BatchNormalization(rng.uniform(0.5, 1.5, 4), rng.standard_normal(4)),
        rng.standard_normal((1, 4)),
    ),
    "Convolution": lambda rng: (
        Convolution(rng.standard_normal((3, 2, 3, 2)), rng.standard_normal(3)),
        rng.standard_normal((2, 2, 4, 5)),
    ),
    "Convolution with stride and pad": lambda rng: (
        Convolution(rng.standard_normal((3, 2, 3, 2)), rng.standard_normal(3), stride=2, pad=1),
        rng.standard_normal((1, 2, 4, 5)),
    ),
    "Pooling": lambda rng: (Pooling(2, 2, stride=2), distinct(rng, 2, 3, 4, 6)),
    "Pooling with overlaps": lambda rng: (Pooling(2, 3), distinct(rng, 2, 3, 4, 6)),
}


@pytest.mark.parametrize("name", CASES)
def test_gradients(name: str, rng: np.random.Generator) -> None:
    layer, x = CASES[name](rng)
    np.random.seed(0)
    dout = rng.standard_normal(layer.forward(x).shape)
    dx = layer.backward(dout)
    copied = deepcopy(layer)

    def value(_: np.ndarray) -> float:
        np.random.seed(0)  # the same mask of dropout
        return float(np.sum(copied.forward(x) * dout))

    np.testing.assert_allclose(dx, numerical_gradient(value, x), rtol=1e-5, atol=1e-7)
    for key in ("W", "b", "gamma", "beta"):
        if hasattr(layer, key):
            expected = numerical_gradient(value, getattr(copied, key))
            np.testing.assert_allclose(getattr(layer, f"d{key}"), expected, rtol=1e-5, atol=1e-7, err_msg=key)


OURS: dict[str, Callable[[Any], backprop.Layer]] = {
    "Relu": lambda layer: backprop.ReLU(),
    "Sigmoid": lambda layer: backprop.Sigmoid(),
    "Affine": lambda layer: backprop.Affine(layer.W, layer.b),
    "Affine of images": lambda layer: backprop.Affine(layer.W, layer.b),
    "BatchNormalization": lambda layer: backprop.BatchNormalization(layer.gamma, layer.beta),
    "Convolution": lambda layer: backprop.Convolution(layer.W, layer.b),
    "Convolution with stride and pad": lambda layer: backprop.Convolution(layer.W, layer.b, 2, 1),
    "Pooling": lambda layer: backprop.MaxPooling(2),
    "Pooling with overlaps": lambda layer: backprop.MaxPooling(2, 3, stride=1),
}


@pytest.mark.parametrize("name", OURS)
def test_results_are_those_of_backprop_up_to_rounding(name: str, rng: np.random.Generator) -> None:
    layer, x = CASES[name](rng)
    ours = OURS[name](layer)
    y = layer.forward(x)
    np.testing.assert_allclose(y, ours.forward(x, training=True), rtol=1e-12, atol=1e-14)
    dout = rng.standard_normal(y.shape)
    np.testing.assert_allclose(layer.backward(dout), ours.backward(dout), rtol=1e-12, atol=1e-14)
    for key, grad in ours.grads.items():
        np.testing.assert_allclose(getattr(layer, f"d{key}"), grad, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", CASES)
def test_neither_x_nor_dout_changes(name: str, rng: np.random.Generator) -> None:
    layer, x = CASES[name](rng)
    dout = rng.standard_normal(layer.forward(x).shape)
    before = x.copy(), dout.copy()
    x.flags.writeable = dout.flags.writeable = False
    layer.forward(x)
    layer.backward(dout)
    np.testing.assert_array_equal(x, before[0])
    np.testing.assert_array_equal(dout, before[1])


@pytest.mark.parametrize("name", CASES)
def test_float32_input_is_computed_in_float64(name: str, rng: np.random.Generator) -> None:
    layer, x = CASES[name](rng)
    y = layer.forward(x.astype(np.float32))
    assert y.dtype == layer.backward(np.ones(y.shape, np.float32)).dtype == np.float64


@pytest.mark.parametrize("name", CASES)
def test_backward_needs_forward_and_a_dout_that_fits(name: str, rng: np.random.Generator) -> None:
    layer, x = CASES[name](rng)
    kind = type(layer).__name__
    with pytest.raises(RuntimeError, match=rf"^{kind}: backward needs {kind}\.forward\(x"):
        layer.backward(np.ones((1, 1)))
    layer.forward(x)
    with pytest.raises(ValueError, match=f"^{kind}: expected dout .*, got"):
        layer.backward(np.ones((7, 1, 3)))


def test_attributes_of_activations() -> None:
    relu, sigmoid = Relu(), Sigmoid()
    relu.forward([[-1.0, 0.0, 2.0]])
    assert relu.mask is not None
    assert relu.mask.tolist() == [[True, True, False]]
    assert sigmoid.forward([[0.0]]) is sigmoid.out


def test_affine_shares_its_parameters(rng: np.random.Generator) -> None:
    params = {"W": rng.standard_normal((4, 3)), "b": np.zeros(3)}
    affine = Affine(params["W"], params["b"])
    assert affine.W is params["W"]
    assert affine.b is params["b"]
    params["W"] -= params["W"]
    assert not affine.forward(np.ones((2, 4))).any()
    affine.W = np.ones((2, 5))  # as in the book, anything may take its place
    affine.b = np.ones(5)
    assert affine.forward(np.ones((1, 2))).tolist() == [[3.0] * 5]
    assert affine.x is not None
    assert affine.original_x_shape == affine.x.shape == (1, 2)


def test_affine_of_wrong_shapes() -> None:
    with pytest.raises(
        ValueError, match=r"^Affine: expected W \(D, M\) and b \(M,\), got \(4, 3\) and \(4,\)"
    ):
        Affine(np.ones((4, 3)), np.ones(4))
    affine = Affine(np.ones((4, 3)), np.ones(3))
    with pytest.raises(ValueError, match=r"^Affine: expected x \(N, 4\), got \(2, 3\)$"):
        affine.forward(np.ones((2, 3)))
    with pytest.raises(ValueError, match=r"got \(4,\); give a single sample as x\[None, \.\.\.\]"):
        affine.forward(np.ones(4))


LOSS_X = np.asarray([[1.0, -0.5, 0.25], [0.0, 2.0, 1.0]])


@pytest.mark.parametrize("t", [[2, 0], [[2], [0]], np.eye(3)[[2, 0]]])
def test_loss(t: Any) -> None:
    loss, ours = SoftmaxWithLoss(), backprop.SoftmaxWithLoss()
    value = loss.forward(LOSS_X, t)
    p = np.exp(LOSS_X) / np.exp(LOSS_X).sum(axis=1, keepdims=True)
    assert value == loss.loss == pytest.approx(-np.log(p[[0, 1], [2, 0]] + 1e-7).mean(), rel=1e-14)
    exact = ours.forward(LOSS_X, np.asarray([2, 0]), training=True)
    assert 0 < float(exact) - value < 1e-6
    np.testing.assert_allclose(loss.y, p, rtol=1e-14)
    np.testing.assert_allclose(loss.backward(), ours.backward(), rtol=1e-12)
    np.testing.assert_allclose(loss.backward(3.0), ours.backward(3.0), rtol=1e-12)


@pytest.mark.parametrize("t", [2, [2], [0, 0, 1]])
def test_loss_of_a_single_sample(t: Any) -> None:
    single, batch = SoftmaxWithLoss(), SoftmaxWithLoss()
    assert single.forward(LOSS_X[0], t) == batch.forward(LOSS_X[:1], [2])
    np.testing.assert_array_equal(single.backward(), batch.backward()[0])


@pytest.mark.parametrize("row", [[0.1, 0.2, 0.7], [0.0, 1.0, 1.0], [0.5, 0.0, 0.0]])
def test_weights_as_targets(row: list[float]) -> None:
    """The book's section 4.5.1 makes its targets with np.random.rand(100, 10)."""
    t, loss = np.asarray([row, [1.0, 0.0, 0.0]]), SoftmaxWithLoss()
    p = np.exp(LOSS_X) / np.exp(LOSS_X).sum(axis=1, keepdims=True)
    assert loss.forward(LOSS_X, t) == pytest.approx(-np.sum(t * np.log(p + 1e-7)) / 2, rel=1e-14)
    numerical = numerical_gradient(lambda x: loss.forward(x, t), LOSS_X.copy())
    loss.forward(LOSS_X, t)
    np.testing.assert_allclose(loss.backward(), numerical, atol=1e-6)


@pytest.mark.parametrize("row", [[0.0, 0.0, 0.0], [0.0, 2.0, 0.0], [1.5, -0.5, 0.0], [math.nan, 0.0, 1.0]])
def test_rows_that_are_no_weights(row: list[float]) -> None:
    with pytest.raises(
        ValueError, match=r"expected one-hot rows in t \(2, 3\), or other weights from 0 to 1"
    ):
        SoftmaxWithLoss().forward(LOSS_X, [row, [1.0, 0.0, 0.0]])


def test_no_samples_and_too_many_axes() -> None:
    for shape in ((0, 3), (2, 2, 3)):
        with pytest.raises(ValueError, match=r"expected probabilities \(N, C\) of at least one sample, got"):
            SoftmaxWithLoss().forward(np.ones(shape), np.zeros(shape[:-1], int))


def test_a_mask_may_be_changed() -> None:
    for layer in (Relu(), Dropout()):
        layer.forward(np.ones((2, 2)))
        assert layer.mask is not None
        layer.mask[...] = [[True, False], [False, True]]
        np.testing.assert_array_equal(
            layer.backward(np.ones((2, 2))), np.eye(2) if isinstance(layer, Dropout) else 1 - np.eye(2)
        )


@pytest.mark.parametrize("copied", [deepcopy, lambda layer: pickle.loads(pickle.dumps(layer))])
@pytest.mark.parametrize("name", [name for name in CASES if "Pooling" not in name])
def test_a_copy_goes_on_where_the_layer_is(name: str, copied: Any, rng: np.random.Generator) -> None:
    layer, x = CASES[name](rng)
    dout = np.ones_like(layer.forward(x))
    np.testing.assert_array_equal(copied(layer).backward(dout), layer.backward(dout))


def test_settings_of_convolutions_are_whole_numbers() -> None:
    for kind, args in ((Convolution, (np.ones((1, 1, 2, 2)), np.zeros(1))), (Pooling, (2, 2))):
        for settings in ({"stride": 1.0}, {"stride": 0}, {"pad": -1}, {"pad": 0.5}):
            with pytest.raises(ValueError, match="expected (stride|pad) to be a whole number"):
                kind(*args, **settings)


def test_dropout_draws_its_mask_from_the_global_seed() -> None:
    dropout, x = Dropout(0.3), np.full((5, 4), 2.0)
    np.random.seed(3)
    y = dropout.forward(x)
    mask = np.random.RandomState(3).rand(5, 4) > 0.3
    np.testing.assert_array_equal(dropout.mask, mask)
    np.testing.assert_array_equal(y, 2.0 * mask)
    np.testing.assert_array_equal(dropout.backward(x), 2.0 * mask)
    state = np.random.get_state()[1]
    np.testing.assert_allclose(dropout.forward(x, False), 1.4)
    np.testing.assert_array_equal(np.random.get_state()[1], state)
    with pytest.raises(RuntimeError, match=r"backward needs Dropout\.forward\(x, train_flg=True\) first"):
        dropout.backward(x)


def test_dropout_of_everything() -> None:
    with pytest.raises(ValueError, match="^Dropout: expected dropout_ratio from 0 to below 1, got 1"):
        Dropout(1)


def test_running_statistics_start_from_0(rng: np.random.Generator) -> None:
    norm, x = BatchNormalization(np.ones(3), np.zeros(3), momentum=0.8), rng.standard_normal((6, 3))
    assert norm.running_mean is None
    norm.forward(x)
    np.testing.assert_allclose(norm.running_mean, 0.2 * x.mean(axis=0))  # type: ignore[arg-type]
    np.testing.assert_allclose(norm.running_var, 0.2 * x.var(axis=0))  # type: ignore[arg-type]
    norm.forward(x)
    np.testing.assert_allclose(norm.running_var, (1 - 0.8**2) * x.var(axis=0))  # type: ignore[arg-type]
    expected = (x - norm.running_mean) / np.sqrt(norm.running_var + 1e-6)  # type: ignore[operator]
    np.testing.assert_allclose(norm.forward(x, train_flg=False), expected)


def test_batch_of_one_is_normalized_to_beta() -> None:
    norm = BatchNormalization(np.asarray([2.0, 3.0]), np.asarray([0.5, -1.0]))
    np.testing.assert_array_equal(norm.forward([[7.0, 8.0]]), [[0.5, -1.0]])
    np.testing.assert_array_equal(norm.backward([[1.0, 1.0]]), [[0.0, 0.0]])
    np.testing.assert_array_equal(norm.dbeta, [1.0, 1.0])  # type: ignore[arg-type]


def test_images_are_normalized_entry_by_entry(rng: np.random.Generator) -> None:
    x = rng.standard_normal((5, 2, 3, 3))
    y = BatchNormalization(np.ones(18), np.zeros(18)).forward(x)
    np.testing.assert_allclose(y, (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + 1e-6))


def test_given_statistics_and_wrong_shapes() -> None:
    norm = BatchNormalization(np.ones(2), np.zeros(2), running_mean=np.ones(2), running_var=np.full(2, 4.0))
    np.testing.assert_allclose(norm.forward([[5.0, 1.0]], train_flg=False), [[2.0, 0.0]], rtol=1e-6)
    with pytest.raises(ValueError, match=r"expected gamma and beta of one shape, got \(2,\) and \(3,\)"):
        BatchNormalization(np.ones(2), np.zeros(3))
    with pytest.raises(ValueError, match=r"^BatchNormalization: expected running_var \(2,\), got \(3,\)"):
        BatchNormalization(np.ones(2), np.zeros(2), running_mean=np.ones(2), running_var=np.ones(3))
    with pytest.raises(ValueError, match=r"^BatchNormalization: expected x \(N, 2\), got \(3, 4\)"):
        norm.forward(np.ones((3, 4)))
    norm.forward([[5.0, 1.0], [3.0, 2.0]])
    norm.forward([[5.0, 1.0]], train_flg=False)
    with pytest.raises(RuntimeError, match=r"forward\(x, train_flg=True\) first"):
        norm.backward([[1.0, 1.0]])


def test_convolution_with_a_number_as_bias_and_its_columns(rng: np.random.Generator) -> None:
    W, x = rng.standard_normal((1, 1, 2, 2)), rng.standard_normal((1, 1, 3, 3)).astype(np.float32)
    layer = Convolution(W, 0)
    y = layer.forward(x)
    assert y[0, 0, 1, 1] == pytest.approx(np.sum(W[0, 0] * x[0, 0, 1:, 1:]))
    assert layer.col is not None
    assert layer.col_W is not None
    assert (layer.col.shape, layer.col_W.shape) == ((4, 4), (4, 1))


@pytest.mark.parametrize(("x", "message"), [
    ((2, 3, 5, 5), r"expected x \(N, 2, H, W\), got \(2, 3, 5, 5\)$"),
    ((2, 5, 5), r"expected x \(N, 2, H, W\), got \(2, 5, 5\); give a single image as x\[None, \.\.\.\]"),
])  # fmt: skip
def test_convolution_of_wrong_shapes(x: tuple[int, ...], message: str) -> None:
    layer = Convolution(np.ones((4, 2, 3, 3)), np.ones(4))
    with pytest.raises(ValueError, match=f"^Convolution: {message}"):
        layer.forward(np.ones(x))
    with pytest.raises(ValueError, match=r"^Convolution: expected W \(FN, C, FH, FW\) and b \(FN,\), got"):
        Convolution(np.ones((4, 2)), np.ones(4))


def test_pooling_moves_by_1_and_knows_its_largest_entries() -> None:
    layer = Pooling(1, 2)
    assert layer.arg_max is None
    assert layer.forward([[[[1.0, 5.0, 5.0, 2.0]]]]).tolist() == [[[[5.0, 5.0, 5.0]]]]
    assert layer.arg_max is not None
    assert layer.arg_max.tolist() == [1, 0, 0]
    assert layer.backward([[[[1.0, 10.0, 100.0]]]]).tolist() == [[[[0.0, 11.0, 100.0, 0.0]]]]


def test_star_import_gives_the_functions_too() -> None:
    names: dict[str, Any] = {}
    exec("from backprop.book.layers import *", names)
    assert names["np"] is np
    assert {"Affine", "relu", "cross_entropy_error", "im2col"} <= names.keys()
