"""Batch and layer normalization, and the running statistics."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from backends import Backend, get_backend
from backprop import SGD, BatchNormalization, LayerNormalization, MultiLayerNet, Network, Training
from backprop.datasets import mnist
from backprop.optimizers import Adam


def ones(backend: Backend, *shape: int) -> Any:
    return backend.asarray(np.ones(shape), dtype="float32")


def test_running_statistics(backend: Backend, rng: np.random.Generator) -> None:
    norm = BatchNormalization(ones(backend, 3), ones(backend, 3), momentum=0.8)
    batches = rng.normal(2.0, 3.0, (5, 20, 3))
    for x in batches:
        norm.forward(backend.asarray(x, dtype="float32"), training=True)
    weights = 0.8 ** np.arange(4.0, -1.0, -1.0)
    mean, var = (
        np.average(values, axis=0, weights=weights) for values in (batches.mean(axis=1), batches.var(axis=1))
    )
    weight = float(backend.to_numpy(norm.state["running_weight"]))
    assert weight == pytest.approx(1.0 - 0.8**5)
    np.testing.assert_allclose(backend.to_numpy(norm.state["running_mean"]), mean, rtol=1e-4)
    np.testing.assert_allclose(backend.to_numpy(norm.state["running_var"]), var, rtol=1e-4)
    y = backend.to_numpy(norm.forward(backend.asarray(x, dtype="float32")))
    np.testing.assert_allclose(y, (x - mean) / np.sqrt(var + 1e-6) + 1.0, rtol=1e-3, atol=1e-4)
    assert {str(value.dtype).rpartition(".")[2] for value in norm.state.values()} == {"float32"}


def test_statistics_that_are_given(backend: Backend, rng: np.random.Generator) -> None:
    """Inference uses them, with ε; training changes a copy of them; a momentum of 0 forgets them."""
    x, gamma, beta, mean = (rng.standard_normal(shape) for shape in ((6, 3), 3, 3, 3))
    var = rng.uniform(0.1, 2.0, 3)
    given = [backend.asarray(value) for value in (mean, var)]
    norm = BatchNormalization(
        backend.asarray(gamma), backend.asarray(beta), 0.0, *given, epsilon=0.5
    )  # fmt: skip
    y = backend.to_numpy(norm.forward(backend.asarray(x)))
    np.testing.assert_allclose(y, gamma * (x - mean) / np.sqrt(var + 0.5) + beta, rtol=1e-12)
    norm.forward(backend.asarray(x), training=True)
    for before, after in zip((mean, var), given, strict=True):
        np.testing.assert_array_equal(backend.to_numpy(after), before)
    np.testing.assert_allclose(backend.to_numpy(norm.state["running_mean"]), x.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(backend.to_numpy(norm.state["running_var"]), x.var(axis=0), rtol=1e-12)


@pytest.mark.only("torch")
@pytest.mark.parametrize("shape", [(20, 3), (5, 3, 4, 2)])
def test_inference_is_pytorch_s(shape: tuple[int, ...], backend: Backend) -> None:
    import torch

    generator = torch.Generator().manual_seed(0)
    x, gamma, beta, mean = (
        torch.randn(s, generator=generator, dtype=torch.float64) for s in (shape, 3, 3, 3)
    )
    var = torch.rand(3, generator=generator, dtype=torch.float64) + 0.1
    norm = BatchNormalization(gamma, beta, 0.9, mean, var, epsilon=1e-5)
    expected = torch.nn.functional.batch_norm(x, mean, var, gamma, beta, training=False, eps=1e-5)
    torch.testing.assert_close(norm.forward(x), expected, rtol=1e-12, atol=1e-12)


def test_a_batch_of_one_image_is_enough() -> None:
    norm = BatchNormalization(np.ones(3), np.zeros(3))
    assert (
        abs(norm.forward(np.random.default_rng(0).standard_normal((1, 3, 4, 4)), training=True).mean())
        < 1e-12
    )


def test_batch_normalization_leaves_the_statistics_that_it_was_given(backend: Backend) -> None:
    mean, var, x = (
        backend.asarray(values, dtype="float32")
        for values in ([1.0, 2.0], [3.0, 4.0], [[5.0, 5.0], [7.0, 9.0]])
    )
    norm = BatchNormalization(ones(backend, 2), ones(backend, 2), 0.5, mean, var)
    norm.forward(x, training=True)
    assert backend.to_numpy(mean).tolist() == [1.0, 2.0]
    assert backend.to_numpy(var).tolist() == [3.0, 4.0]


@pytest.mark.parametrize("momentum", [0.0, 0.1, 0.9, 0.999])
def test_running_statistics_begin_with_the_first_batch(
    momentum: float, backend: Backend, rng: np.random.Generator
) -> None:
    """They are its own, however small they are; until then inference takes 0 and 1."""
    x = backend.asarray(1e-6 * rng.standard_normal((20, 3)), dtype="float32")
    norm = BatchNormalization(ones(backend, 3), ones(backend, 3), momentum, epsilon=1e-20)
    np.testing.assert_allclose(backend.to_numpy(norm.forward(x)), 1.0 + backend.to_numpy(x), rtol=1e-6)
    y = norm.forward(x, training=True)
    np.testing.assert_allclose(backend.to_numpy(norm.forward(x)), backend.to_numpy(y), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("given", ["running_mean", "running_var"])
def test_statistics_that_are_given_have_their_full_weight(given: str, backend: Backend) -> None:
    norm = BatchNormalization(ones(backend, 1), ones(backend, 1), 0.75, **{given: ones(backend, 1)})
    assert float(backend.to_numpy(norm.state["running_weight"])) == 1.0
    norm.forward(backend.asarray([[1.0], [5.0]], dtype="float32"), training=True)
    mean, var = (float(backend.to_numpy(norm.state[key])[0]) for key in ("running_mean", "running_var"))
    assert mean == pytest.approx(0.75 * (given == "running_mean") + 0.25 * 3.0)
    assert var == pytest.approx(0.75 + 0.25 * 4.0)


def test_the_statistics_are_the_book_s_divided_by_their_weight(rng: np.random.Generator) -> None:
    """Chapter 6, `common/layers.py`: the book's begin at 0."""
    norm, mean, var, weight = BatchNormalization(np.ones(3), np.zeros(3)), 0.0, 0.0, 0.0
    for _ in range(4):
        x = rng.standard_normal((10, 3))
        norm.forward(x, training=True)
        mean, var = 0.9 * mean + (1.0 - 0.9) * x.mean(axis=0), 0.9 * var + (1.0 - 0.9) * x.var(axis=0)
        weight = 0.9 * weight + (1.0 - 0.9)
        np.testing.assert_allclose(norm.state["running_mean"], mean / weight, rtol=1e-12)
        np.testing.assert_allclose(norm.state["running_var"], var / weight, rtol=1e-12)


def test_statistics_set_by_hand_are_those_of_inference(backend: Backend) -> None:
    """As those of another framework: (3 − 1) / √4, in a layer, in its state and in a network."""
    mean, var = (backend.asarray(np.full(3, value), dtype="float32") for value in (1.0, 4.0))
    x = backend.asarray(np.full((2, 3), 3.0), dtype="float32")

    def layer() -> BatchNormalization:
        zeros = backend.asarray(np.zeros(3), dtype="float32")
        return BatchNormalization(ones(backend, 3), zeros)

    by_attribute, by_state, net = layer(), layer(), Network([layer()])
    by_attribute.running_mean, by_attribute.running_var = mean, var
    by_state.state.update(running_mean=mean, running_var=var)
    net.state["running_mean1"], net.state["running_var1"] = mean, var
    for subject in (by_attribute, by_state, net):
        np.testing.assert_allclose(backend.to_numpy(subject.forward(x)), 1.0, rtol=1e-5)
    with pytest.raises(ValueError, match="expected all of the state, without running_weight"):
        by_state.state = {"running_mean": mean, "running_var": var}


@pytest.mark.parametrize("scale", [1.0, 0.05, 1e-3, 1e-4])
def test_the_first_evaluations_are_right(scale: float, rng: np.random.Generator) -> None:
    """Also where the initial weights are small: accuracy in inference is that of training's own statistics."""
    x = rng.standard_normal((200, 20)).astype("float32")
    t = (x[:, 0] + x[:, 1] > 0).astype("int64")
    net = MultiLayerNet(20, [30, 30], 2, weight_init_std=scale, use_batchnorm=True, rng=0)
    list(Training(net, x, t, optimizer=Adam(0.01), epochs=1, batch_size=20, rng=0))
    y = net.forward(x, training=True)
    assert net.accuracy(x, t) >= (y.argmax(axis=1) == t).mean() - 0.05


class UncorrectedStatistics(BatchNormalization):
    """The book's: they begin at 0 and are not corrected for it."""

    def _running(self) -> tuple[Any, Any]:
        return self.state["running_mean"], self.state["running_var"]


@pytest.mark.parametrize("scale", [0.05, 0.0074, 0.0004])
def test_the_book_s_curve(scale: float) -> None:
    """Section 6.3.2, from the first epoch on: no accuracy is below that with the book's statistics."""
    data = mnist()
    x, t = data.x_train[:1000], data.t_train[:1000]
    curves = []
    for kind in (BatchNormalization, UncorrectedStatistics):
        net = MultiLayerNet(784, [100] * 5, 10, "relu", scale, use_batchnorm=True, rng=0)
        for layer in net.layers.values():
            if isinstance(layer, BatchNormalization) and kind is UncorrectedStatistics:
                layer.__class__ = kind
        run = Training(net, x, t, optimizer=SGD(0.01), epochs=4, rng=0, test=(x, t))
        curves.append([metrics.test_accuracy for metrics in run])
    ours, book = np.asarray(curves, dtype=float)
    assert (ours >= book - 0.03).all()
    assert ours[0] > 0.2


@pytest.mark.parametrize(
    ("make", "x", "message"),
    [
        (lambda: BatchNormalization(np.ones(3), np.zeros(3)), np.ones((1, 3)),
         r"BatchNormalization: training needs more than one number a feature, got input \(1, 3\); give more samples, "
         "or another batch size: the last batch of an epoch has what is left"),
        (lambda: BatchNormalization(np.ones(3), np.zeros(3)), np.ones((5, 4)),
         r"BatchNormalization: expected input \(N, 3, …\), got \(5, 4\)"),
        (lambda: BatchNormalization(np.ones(3), np.zeros(3)), np.ones((5, 3), "float32"),
         "x and gamma differ in dtype"),
        (lambda: BatchNormalization(np.ones(3), np.zeros(4)), None, r"expected gamma and beta of one shape"),
        (lambda: BatchNormalization(np.ones(3), np.zeros(3, "float32")), None,
         "BatchNormalization: beta and gamma differ in dtype, float32 and float64"),
        (lambda: BatchNormalization(np.ones((3, 2)), np.zeros((3, 2))), None, r"expected gamma \(D,\), got"),
        (lambda: BatchNormalization(np.ones(3), np.zeros(3), 1.0), None, "a momentum from 0 to below 1, got 1.0"),
        (lambda: BatchNormalization(np.ones(3), np.zeros(3), epsilon=0.0), None, "finite epsilon above 0, got 0.0"),
        (lambda: BatchNormalization(np.ones(3), np.zeros(3), running_var=np.ones(2)), None,
         r"expected running_var \(3,\), got \(2,\)"),
        (lambda: BatchNormalization(np.ones(3), np.zeros(3), running_mean=[0.0, 0.0, 0.0]), None,
         "expected an array .* got list"),
        (lambda: BatchNormalization(np.ones(3), np.zeros(3), running_var=np.ones(3, "float32")), None,
         "BatchNormalization: running_var and gamma differ in dtype, float32 and float64"),
        (lambda: BatchNormalization(np.ones(3), np.zeros(3), running_mean=get_backend("strict").asarray(np.ones(3))),
         None, "BatchNormalization: running_mean and gamma are arrays of two libraries"),
        (lambda: LayerNormalization(np.ones(3), np.zeros(3)), np.ones((5, 4)),
         r"LayerNormalization: expected input \(N, …, 3\), got \(5, 4\)"),
        (lambda: LayerNormalization(np.ones(3), np.zeros(3)), np.ones((5, 3), "float32"),
         "LayerNormalization: x and gamma differ in dtype"),
        (lambda: LayerNormalization(np.ones(3), np.zeros(3)), np.ones(3), r"expected input \(N, …, 3\), got \(3,\)"),
    ],
)  # fmt: skip
def test_bad_input(make: Any, x: np.ndarray | None, message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        make().forward(x, training=True)
