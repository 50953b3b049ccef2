"""The diagnosis of a network."""

from __future__ import annotations

import copy
import tracemalloc
from typing import Any

import numpy as np
import pytest

from backends import Backend
from backprop import (
    SGD,
    Adam,
    Affine,
    BatchNormalization,
    Dropout,
    MeanSquaredError,
    Network,
    ReLU,
    SimpleConvNet,
    Training,
    TwoLayerNet,
)
from backprop.report import diagnose
from backprop.report.diagnosis import _without_causes, confusion_matrix, first_weights, frequent_confusions

from ..diagnosis.training import T, X, net
from .runs import TEST, TRAIN


def trained(backend: Backend) -> Network:
    """A trained network with at least one dead unit."""
    network = TwoLayerNet(64, 10, 3, weight_init_std=0.1, device=backend, rng=0)
    for _ in Training(network, *TRAIN, epochs=1, batch_size=50, rng=0):
        pass
    b = np.array(backend.to_numpy(network.params["b1"]))
    b[4] = -1e3
    network.params["b1"] = backend.asarray(b)
    return network


def forward(network: Network, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Hidden units and scores, computed by NumPy."""
    p = {name: network.backend.to_numpy(value).astype("f8") for name, value in network.params.items()}
    hidden = np.maximum(x.reshape(len(x), -1) / 255.0 @ p["W1"] + p["b1"], 0.0)
    return hidden, hidden @ p["W2"] + p["b2"]


def test_diagnosis_of_the_test_data(backend: Backend) -> None:
    network, (x, t) = trained(backend), TEST
    diagnosis = diagnose(network, *TRAIN, x, t)
    _, scores = forward(network, x)
    probabilities = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    predictions, losses = scores.argmax(axis=1), -np.log(probabilities[np.arange(len(t)), t])
    assert diagnosis.test_accuracy == np.mean(predictions == t)
    assert diagnosis.test_loss == pytest.approx(losses.mean(), rel=1e-5)
    expected = [[sum((t == i) & (predictions == j)) for j in range(3)] for i in range(3)]
    np.testing.assert_array_equal(diagnosis.confusion, expected)
    wrong = np.nonzero(predictions != t)[0]
    assert [m.index for m in diagnosis.mistakes] == sorted(wrong, key=lambda i: -losses[i])[:20]
    for m in diagnosis.mistakes:
        assert (m.label, m.prediction) == (t[m.index], predictions[m.index])
        assert m.probability == pytest.approx(probabilities[m.index].max(), rel=1e-4)
        assert m.loss == pytest.approx(losses[m.index], rel=1e-4)
        np.testing.assert_array_equal(m.x, x[m.index])


def test_diagnosis_of_a_batch(backend: Backend) -> None:
    network, (x, t) = trained(backend), TRAIN
    diagnosis = diagnose(network, x, t, *TEST, SGD(0.5))
    hidden, _ = forward(network, x[:500])
    affine, relu, last = diagnosis.outputs
    assert (affine.name, relu.name, last.shape) == ("Affine1", "Relu1", (500, 3))
    assert (relu.units, relu.dead) == (10, (hidden == 0.0).all(axis=0).sum())
    assert relu.dead is not None
    assert relu.dead >= 1
    assert (affine.units, affine.dead) == (None, None)
    assert relu.zeros == pytest.approx((hidden == 0.0).mean(), abs=1e-4)
    assert relu.mean == pytest.approx(hidden.mean(), rel=1e-5)
    assert relu.std == pytest.approx(hidden.std(), rel=1e-5)
    assert relu.histogram.counts.sum() == 5000
    asarray, to_numpy = backend.asarray, backend.to_numpy
    grads = network.gradient(asarray(x[:500]), asarray(t[:500]))
    assert [gradient.name for gradient in diagnosis.gradients] == list(network.params)
    for gradient in diagnosis.gradients:
        g, p = (to_numpy(arrays[gradient.name]).astype("f8") for arrays in (grads, network.params))
        assert gradient.shape == p.shape
        assert gradient.norm == pytest.approx(np.linalg.norm(g), rel=1e-5)
        assert gradient.parameter_norm == pytest.approx(np.linalg.norm(p), rel=1e-5)
        assert gradient.update == pytest.approx(0.5 * np.linalg.norm(g) / np.linalg.norm(p), rel=1e-3)
        assert gradient.histogram.counts.sum() == g.size
    assert diagnosis.rate == 0.5
    assert all(gradient.update is None for gradient in diagnose(network, x, t, *TEST).gradients)


def test_network_and_optimizer_stay_unchanged(backend: Backend) -> None:
    rng = np.random.default_rng(0)

    def arrays(*shape: int) -> Any:
        return backend.asarray(rng.standard_normal(shape).astype("f"))

    network = Network([
        Affine(arrays(64, 9), arrays(9)), BatchNormalization(arrays(9), arrays(9)), ReLU(),
        Dropout(0.3, seed=1), Affine(arrays(9, 3), arrays(3)),
    ])  # fmt: skip
    optimizer = Adam(0.01)
    for _ in Training(network, *TRAIN, optimizer=optimizer, iterations=5, rng=0):
        pass

    def everything() -> dict[str, Any]:
        kept = {**network.params, **network.state, **optimizer.slots, "grads": network.flat_grads["flat"]}
        return {key: copy.deepcopy(backend.to_numpy(value)).tolist() for key, value in kept.items()}

    before, steps = everything(), optimizer.steps
    diagnosis = diagnose(network, *TRAIN, *TEST, optimizer)
    assert everything() == before
    assert optimizer.steps == steps
    assert all(gradient.update for gradient in diagnosis.gradients if gradient.weight)


def test_regression_has_no_classes() -> None:
    rng = np.random.default_rng(0)
    x, t = rng.standard_normal((40, 4)), rng.standard_normal((40, 2))
    network = Network([Affine(rng.standard_normal((4, 2)), np.zeros(2))], MeanSquaredError())
    diagnosis = diagnose(network, x, t, x[:10], t[:10])
    assert diagnosis.test_loss == pytest.approx(np.mean((network.predict(x[:10]) - t[:10]) ** 2))
    assert (diagnosis.test_accuracy, diagnosis.confusion, diagnosis.weights) == (None, None, None)
    assert diagnosis.confusions is None
    assert diagnosis.mistakes == ()


def test_dead_channels_of_a_convolution() -> None:
    network = SimpleConvNet((1, 8, 8), {"filter_num": 4, "filter_size": 3}, 5, 3, rng=0)
    network.params["b1"][1:3] = -1e3
    x, t = TRAIN[0][:20, None], TRAIN[1][:20]
    diagnosis = diagnose(network, x, t, x, t)
    assert (diagnosis.outputs[0].units, diagnosis.outputs[0].dead) == (4, 2)
    assert diagnosis.learning_problem is not None
    assert any(
        line.startswith("Conv1 with Relu1 and Pool1: 2 of 4 units (50%) are dead")
        for line in diagnosis.learning_problem.causes
    )
    assert diagnosis.weights is not None
    np.testing.assert_array_equal(diagnosis.weights, network.params["W1"])


def test_one_hot_labels_are_classes() -> None:
    network = trained(TwoLayerNet(2, 2, 2).backend)
    one_hot = np.eye(3, dtype=np.int64)
    plain = diagnose(network, *TRAIN, *TEST)
    found = diagnose(network, TRAIN[0], one_hot[TRAIN[1]], TEST[0], one_hot[TEST[1]])
    np.testing.assert_array_equal(found.confusion, plain.confusion)
    assert found.test_loss == pytest.approx(plain.test_loss)


def test_confusion_matrix_has_labels_in_rows() -> None:
    matrix = confusion_matrix(np.asarray([0, 0, 2]), np.asarray([1, 1, 2]), 4)
    assert matrix.tolist() == [[0, 2, 0, 0], [0, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]]


def test_confusions_match_the_matrix() -> None:
    rng = np.random.default_rng(0)
    labels, predictions = rng.integers(0, 9, (2, 500))
    matrix = confusion_matrix(labels, predictions, 9)
    confusions = frequent_confusions(labels, predictions)
    found = np.zeros((9, 9), int)
    found[confusions[:, 0], confusions[:, 1]] = confusions[:, 2]
    np.testing.assert_array_equal(found, matrix - np.diag(np.diag(matrix)))
    assert (np.diff(confusions[:, 2]) <= 0).all()
    assert frequent_confusions(labels, labels).shape == (0, 3)


def test_many_classes_need_little_memory() -> None:
    """A matrix of 10,000 classes would need 800 MB, and the scores of all samples 160 MB."""
    rng = np.random.default_rng(0)
    x, t = rng.standard_normal((4000, 3)).astype("f"), rng.integers(0, 10_000, 4000)
    network = TwoLayerNet(3, 2, 10_000, rng=0)
    tracemalloc.start()
    diagnosis = diagnose(network, x[:20], t[:20], x, t)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * 8 * 1000 * 10_000  # some scores in float64, and the temporaries of softmax
    scores = network.predict(x)
    wrong = scores.argmax(axis=1) != t
    assert diagnosis.confusion is None
    assert diagnosis.confusions is not None
    assert diagnosis.confusions[:, 2].sum() == wrong.sum()
    assert diagnosis.test_accuracy == 1.0 - wrong.mean()
    assert diagnosis.test_loss == pytest.approx(network.evaluate(x, t)[0], rel=1e-5)


@pytest.mark.parametrize(("classes", "dense"), [(30, True), (31, False)])
def test_no_matrix_for_many_classes(classes: int, dense: bool) -> None:
    t = np.arange(classes)
    x = np.eye(classes, dtype="float32")
    diagnosis = diagnose(TwoLayerNet(classes, 4, classes, rng=0), x, t, x, t)
    assert (diagnosis.confusion is not None) is dense
    assert diagnosis.confusions is not None


def test_first_weights() -> None:
    network = TwoLayerNet(64, 5, 3, rng=0)
    found = first_weights(network, (8, 8))
    assert found is not None
    np.testing.assert_array_equal(found[2, 0], network.params["W1"][:, 2].reshape(8, 8))
    assert first_weights(network, (3, 8)) is None
    assert first_weights(Network([ReLU()]), (8, 8)) is None
    two_channels = SimpleConvNet((2, 8, 8), {"filter_num": 4, "filter_size": 3}, 5, 3, rng=0)
    found = first_weights(two_channels, (2, 8, 8))
    assert found is not None
    assert found.shape == (8, 1, 3, 3)


def test_warnings_that_repeat_a_cause_are_omitted() -> None:
    causes = ["Affine1: W1 has almost no gradient; its norm is 1.2e-09", "the inputs are small"]
    warnings = [
        "Affine1: W1 has almost no gradient; its norm is 3e-10.",
        "Affine2: W2 has almost no gradient; its norm is 1.2e-09.",
    ]
    assert list(_without_causes(warnings, causes)) == warnings[1:]


def test_learning_problem() -> None:
    network = net()
    network.params["b1"] = np.full(20, -100.0, "float32")
    diagnosis = diagnose(network, X, T, X, T)
    assert diagnosis.learning_problem is not None
    assert diagnosis.learning_problem.summary.startswith("the network is no better than guessing: loss ")
    assert any("units (100%) are dead" in cause for cause in diagnosis.learning_problem.causes)
    assert not any("are dead" in warning for warning in diagnosis.warnings)
