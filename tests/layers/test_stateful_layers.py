"""Layers that carry something from step to step: dropout's masks, batch normalization's statistics."""

from __future__ import annotations

import math
import pickle
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backends import Backend, dtype_name, get_backend
from backprop import (
    GELU,
    SGD,
    Affine,
    AveragePooling,
    BatchNormalization,
    Dropout,
    LayerNormalization,
    LeakyReLU,
    MaxPooling,
    MeanSquaredError,
    MultiLayerNet,
    Network,
    ReLU,
    Reshape,
    Residual,
    Sigmoid,
    SigmoidWithLoss,
    Softmax,
    SoftmaxWithLoss,
    Tanh,
    Training,
)
from backprop.datasets import mnist
from backprop.layers.dropout import _hash_of_seed, _mixed
from backprop.optimizers import Adam
from backprop.saving.checkpoint import Checkpoint, CheckpointError, write_checkpoint
from backprop.saving.network import load_network, network_arrays, restore_network
from backprop.saving.network_config import network_config


def ones(backend: Backend, *shape: int) -> Any:
    return backend.asarray(np.ones(shape), dtype="float32")


def masks(backend: Backend, dropout: Dropout, n: int, *shape: int) -> np.ndarray:
    x = ones(backend, *shape)
    return np.stack([backend.to_numpy(dropout.forward(x, training=True)) for _ in range(n)]) != 0.0


def test_masks_are_the_same_everywhere(backend: Backend) -> None:
    here, there = (masks(b, Dropout(0.3, seed=5), 4, 7, 3) for b in (backend, get_backend("cpu")))
    np.testing.assert_array_equal(here, there)


@pytest.mark.parametrize("ratio", [0.01, 0.2, 0.5, 0.9])
@pytest.mark.parametrize("seed", [0, 1, 2**31 - 1, 2**40])
def test_masks_are_random(ratio: float, seed: int) -> None:
    kept = masks(get_backend("cpu"), Dropout(ratio, seed), 40, 50, 100)  # (draws, rows, columns)
    n, keep = kept.size, 1.0 - ratio
    sd = np.sqrt(ratio * keep)
    assert abs(kept.mean() - keep) < 5 * sd / np.sqrt(n)
    centred = (kept - keep) / sd
    for shifted in (centred[1:] * centred[:-1], centred[2:] * centred[:-2], centred[:, 1:] * centred[:, :-1],
                    centred[..., 1:] * centred[..., :-1], centred[..., 2:] * centred[..., :-2],
                    centred[1:, :, 1:] * centred[:-1, :, :-1]):  # fmt: skip
        assert abs(shifted.mean()) < 5 / np.sqrt(shifted.size)
    for axis in range(3):  # no place, row or column is favoured
        shares = kept.mean(axis=axis)
        assert abs(shares.std() / (sd / np.sqrt(kept.shape[axis])) - 1.0) < 0.2


def test_seeds_give_different_masks() -> None:
    """In no step are they those of another seed, in whichever step that be."""
    seeds = [0, 1, 2, 3, 2**31, 2**31 + 1, 2**32, 2**40, 2**64, 2**100]
    drawn = np.concatenate([masks(get_backend("cpu"), Dropout(0.5, seed), 8, 1000) for seed in seeds])
    for i, mask in enumerate(drawn):
        agreed = (drawn[:i] == mask).mean(axis=1)
        assert np.all(np.abs(agreed - 0.5) < 0.1)


GOLDEN = {
    0: ["111100111011100111111101", "110010110101010001101111"],
    7: ["101001000100101010100011", "011001101101111010000011"],
    2**31 + 5: ["111111100110110011111110", "011000011001100011011011"],
    2**40 + 9: ["101111011111101110110101", "111111111010100110001100"],
    2**100: ["110111001111110111001101", "111001111101100010111011"],
}


def test_masks_stay_what_they_were() -> None:
    """A seed that somebody has saved gives the masks that it gave, so the hash is not to change."""
    for seed, expected in GOLDEN.items():
        kept = masks(get_backend("cpu"), Dropout(0.4, seed), 2, 24).astype(int)
        assert ["".join(map(str, row)) for row in kept] == expected


def test_the_edges_of_a_mask() -> None:
    """An entry is kept whose hash is at least ratio · 2³², and with a ratio of 0 every entry."""
    seed, one = 3, np.ones(5)
    first = [_mixed(_mixed(_mixed(place) ^ _hash_of_seed(seed)) ^ _mixed(1)) for place in range(5)]
    for place, value in enumerate(first):
        assert Dropout(value / 2**32, seed).forward(one, training=True)[place] != 0.0
        assert Dropout((value + 1) / 2**32, seed).forward(one, training=True)[place] == 0.0
    dropout = Dropout(0.0, seed)
    dropout.constants[(9,), type(one.dtype), "float64", "cpu"] = np.full(
        9, _mixed(1)
    )  # the hash of the first draw is 0
    np.testing.assert_array_equal(dropout.forward(np.ones(9), training=True), np.ones(9))


def test_dropout_s_defaults() -> None:
    assert (Dropout().ratio, Dropout().inverted) == (0.5, True)
    seeds = [Dropout().seed for _ in range(50)]
    assert len(set(seeds)) == 50
    assert 2**28 < max(seeds) < 2**31


def test_layers_go_where_their_input_is(rng: np.random.Generator) -> None:
    """From library to library and device to device, with their state and their masks."""
    places = ["cpu", "strict", "strict:device2", "cpu", "strict:device2"]
    here, there = Dropout(0.4, seed=2), Dropout(0.4, seed=2)
    for place in places:
        y = here.forward(get_backend(place).asarray(np.ones((4, 5))), training=True)
        assert get_backend(place).owns(y)
        assert get_backend(place).owns(here.state["drawn"])
        expected = there.forward(np.ones((4, 5)), training=True)
        np.testing.assert_array_equal(get_backend(place).to_numpy(y), expected)


def test_a_count_takes_up_where_it_was() -> None:
    backend, dropout = get_backend("cpu"), Dropout(0.5, seed=3)
    masks(backend, dropout, 3, 10)
    for other in (deepcopy(dropout), pickle.loads(pickle.dumps(dropout)), dropout.to(backend)):
        assert other.state["drawn"] == 3
        np.testing.assert_array_equal(masks(backend, other, 2, 10), masks(backend, deepcopy(dropout), 2, 10))


def test_dropout_in_training_and_inference(backend: Backend) -> None:
    x = backend.asarray(np.arange(1.0, 2001.0), dtype="float32")
    for ratio, inverted, training_scale, inference_scale in (
        (0.2, True, 1.25, 1.0), (0.2, False, 1.0, 0.8), (0.5, True, 2.0, 1.0), (0.5, False, 1.0, 0.5),
    ):  # fmt: skip
        dropout = Dropout(ratio, seed=1, inverted=inverted)
        y = backend.to_numpy(dropout.forward(x, training=True))
        kept = y != 0.0
        np.testing.assert_allclose(y[kept], np.arange(1.0, 2001.0)[kept] * training_scale, rtol=1e-6)
        dx = backend.to_numpy(dropout.backward(x))
        np.testing.assert_allclose(dx, y)
        y = backend.to_numpy(dropout.forward(x))
        np.testing.assert_allclose(y, np.arange(1.0, 2001.0) * inference_scale, rtol=1e-6)


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


def stateful(backend: Backend | str) -> Network:
    backend, rng = get_backend(backend), np.random.default_rng(1)

    def affine(rows: int, columns: int) -> Affine:
        return Affine(0.5 * rng.standard_normal((rows, columns)), np.zeros(columns))

    norm = BatchNormalization(np.ones(8), np.zeros(8))
    block = Residual([affine(8, 8), BatchNormalization(np.ones(8), np.zeros(8)), ReLU(), Dropout(0.2, 9)])
    stack = [affine(4, 8), norm, LeakyReLU(), Dropout(0.3, 7), block, affine(8, 3)]
    return Network(stack).to(device=backend, dtype="float32")


def test_a_recorded_step_carries_the_state(backend: Backend, rng: np.random.Generator) -> None:
    x, t = rng.standard_normal((90, 4)).astype("float32"), rng.integers(0, 3, 90)
    found = []
    for capture in (True, False):
        net = stateful(backend)
        for _ in Training(net, x, t, optimizer=Adam(), epochs=4, batch_size=20, rng=0, capture=capture):
            pass
        state = {key: backend.to_numpy(value) for key, value in net.state.items()}
        assert state["drawn1"] == state["Residual1.Dropout1.drawn"] == 20
        found.append({**state, "flat": backend.to_numpy(net.flat_params["flat"])})
    for key, value in found[0].items():
        np.testing.assert_allclose(value, found[1][key], rtol=1e-5 if backend.name != "numpy" else 0)


def test_names_of_a_network_s_state() -> None:
    net = stateful("cpu")
    assert list(net.state) == [
        "running_mean1", "running_var1", "running_weight1", "drawn1",
        "Residual1.BatchNormalization1.running_mean", "Residual1.BatchNormalization1.running_var",
        "Residual1.BatchNormalization1.running_weight", "Residual1.Dropout1.drawn",
    ]  # fmt: skip
    assert "Residual1.Affine1.W" in net.params
    with pytest.raises(TypeError, match="cannot be deleted"):
        del net.state["drawn1"]


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
        (lambda: Dropout(1.0), None, "Dropout: expected a ratio from 0 to below 1, got 1.0"),
        (lambda: Dropout(-0.1), None, "Dropout: expected a ratio from 0 to below 1, got -0.1"),
        (lambda: Dropout(0.5, seed=-1), None, "Dropout: expected a seed, a whole number from 0, got -1"),
        (lambda: LeakyReLU(1.0), None, "LeakyReLU: expected a slope from 0 to below 1, got 1.0"),
        (lambda: Reshape((0, 2)), None, "Reshape: expected whole numbers of at least 1 in shape"),
        (lambda: Reshape(6), None, r"Reshape: expected a shape such as \(6,\), got 6"),
        (lambda: Reshape((2, 2)), np.ones((3, 5)), r"expected input \(N, …\) with 4 numbers a sample, got \(3, 5\)"),
        (lambda: Residual([Affine(np.ones((3, 2)), np.ones(2))]), np.ones((4, 3)),
         r"Residual: expected a block that keeps the shape \(4, 3\), got \(4, 2\)"),
        (lambda: Residual([3]), None, "Residual: expected a layer"),
    ],
)  # fmt: skip
def test_bad_input(make: Any, x: np.ndarray | None, message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        make().forward(x, training=True)


def test_a_shape_in_numpy_s_numbers() -> None:
    assert Reshape((np.int64(2), np.uint8(3))).forward(np.ones((4, 6))).shape == (4, 2, 3)


def test_a_batch_of_one_image_is_enough() -> None:
    norm = BatchNormalization(np.ones(3), np.zeros(3))
    assert (
        abs(norm.forward(np.random.default_rng(0).standard_normal((1, 3, 4, 4)), training=True).mean())
        < 1e-12
    )


def test_a_layer_of_a_network_is_not_put_into_a_block() -> None:
    net = MultiLayerNet(4, [3], 2, rng=0)
    with pytest.raises(ValueError, match="Affine1 is in a network or a block already"):
        Residual({"Affine1": net.layers["Affine1"]})


def test_a_layer_has_one_place() -> None:
    """A second one would change what the first one keeps for backward."""
    layer = Affine(np.ones((3, 3)), np.ones(3))
    with pytest.raises(ValueError, match="Residual: a layer stands in this block twice"):
        Residual([layer, layer])
    block = Residual([layer])
    network = Network([block]).to(dtype="float32")
    for taken in (block, deepcopy(block), pickle.loads(pickle.dumps(block)), block.to(get_backend("cpu")),
                  Residual([Residual([layer.to(get_backend("cpu"))])]), network.layers["Residual1"],
                  deepcopy(network).layers["Residual1"]):  # fmt: skip
        inner = next(iter(taken.layers.values()))
        with pytest.raises(ValueError, match="is in a network or a block already"):
            Residual([inner])
        with pytest.raises(ValueError, match="this layer is in a network or a block already"):
            Network([inner])
        Network([inner.to(get_backend("cpu"))])


def test_the_pieces_of_a_block(backend: Backend, rng: np.random.Generator) -> None:
    """One list of what its layers say about what reaches them; a smooth block says nothing."""
    first, second = (Affine(rng.standard_normal((3, 3)), rng.standard_normal(3)) for _ in range(2))
    block = Residual([first, ReLU(), second, LeakyReLU()]).to(backend)
    x = rng.standard_normal((5, 3))
    hidden = x @ first.params["W"] + first.params["b"]
    out = np.maximum(hidden, 0.0) @ second.params["W"] + second.params["b"]
    expected = np.concatenate([(hidden > 0.0).ravel(), (out > 0.0).ravel()])
    found = block.region(backend.asarray(x))
    np.testing.assert_array_equal(backend.to_numpy(found), expected)
    assert Residual([first.to(backend)]).region(backend.asarray(x)) is None


def test_the_pieces_of_a_block_are_those_of_training(backend: Backend, rng: np.random.Generator) -> None:
    block = Residual([BatchNormalization(np.ones(3), np.zeros(3)), ReLU()]).to(backend)
    x = rng.standard_normal((5, 3)) + 10.0
    found = backend.to_numpy(block.region(backend.asarray(x)))
    np.testing.assert_array_equal(found, (x > x.mean(axis=0)).ravel())


def test_a_layer_of_a_block_is_named_in_errors() -> None:
    block = Residual([Affine(np.ones((3, 3)), np.ones(3))])
    with pytest.raises(ValueError, match=r"^Residual\.Affine1: expected input \(N, 3\), got \(4, 2\)"):
        block.forward(np.ones((4, 2)))


@pytest.mark.parametrize("layer", [ReLU(), LeakyReLU()])
def test_a_kink_belongs_to_the_negative_side(layer: Any, backend: Backend) -> None:
    x = backend.asarray([-1.0, 0.0, 1.0])
    assert backend.to_numpy(layer.region(x)).tolist() == [False, False, True]
    layer.forward(x, training=True)
    below, at, above = backend.to_numpy(layer.backward(backend.asarray([1.0, 1.0, 1.0])))
    assert below == at < above


def test_batch_normalization_leaves_the_statistics_that_it_was_given(backend: Backend) -> None:
    mean, var, x = (
        backend.asarray(values, dtype="float32")
        for values in ([1.0, 2.0], [3.0, 4.0], [[5.0, 5.0], [7.0, 9.0]])
    )
    norm = BatchNormalization(ones(backend, 2), ones(backend, 2), 0.5, mean, var)
    norm.forward(x, training=True)
    assert backend.to_numpy(mean).tolist() == [1.0, 2.0]
    assert backend.to_numpy(var).tolist() == [3.0, 4.0]


def test_a_block_in_another_dtype(backend: Backend) -> None:
    layer = Affine(ones(backend, 2, 2), ones(backend, 2))
    block = Residual([layer]).to(backend, "float64")
    assert dtype_name(block.layers["Affine1"].params["W"].dtype) == "float64"


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


def test_statistics_written_without_a_weight(tmp_path: Path, rng: np.random.Generator) -> None:
    """As once: they are read as given ones, to which the next batch adds 1 − momentum of its own."""
    x, t = rng.standard_normal((40, 4)).astype("float32"), rng.integers(0, 3, 40)
    net = stateful("cpu")
    list(Training(net, x, t, epochs=1, batch_size=20, rng=0))
    for name in net.state:
        if "running_weight" in name:
            net.state[name] = np.ones((), "float32")
    checkpoint = Checkpoint({"network": network_config(net)}, network_arrays(net))
    for name in [name for name in checkpoint.arrays if "running_weight" in name]:
        del checkpoint.arrays[name]
    for entry in checkpoint.description["network"]["layers"].values():
        entry.get("arrays", {}).pop("running_weight", None)
    write_checkpoint(tmp_path / "old.safetensors", checkpoint)
    loaded, restored = load_network(tmp_path / "old.safetensors"), stateful("cpu")
    restore_network(restored, checkpoint)
    for other in (loaded, restored):
        np.testing.assert_array_equal(other.predict(x), net.predict(x))
        assert float(other.state["running_weight1"]) == 1.0
        assert float(other.state["Residual1.BatchNormalization1.running_weight"]) == 1.0
    del checkpoint.arrays["state.running_var1"]
    with pytest.raises(
        CheckpointError, match=r"state\.running_var1: missing; state\.running_weight1: missing"
    ):
        restore_network(restored, checkpoint)


def halves(layer: Any, x: np.ndarray, backend: Backend) -> tuple[np.ndarray, np.ndarray]:
    """The output in float16, and the float64 one of the very same numbers, rounded once."""
    half = layer.to(backend, "float16")
    exact = half.to(backend, "float64")
    x = x.astype("float16")
    with np.errstate(over="ignore"):
        expected = backend.to_numpy(exact.forward(backend.asarray(x, dtype="float64"))).astype("float16")
    return backend.to_numpy(half.forward(backend.asarray(x))), expected


@pytest.mark.parametrize("scale", [1e-3, 1.0, 300.0])
@pytest.mark.parametrize("offset", [0.0, 10.0])
def test_float16_is_the_exact_output_rounded(
    scale: float, offset: float, backend: Backend, rng: np.random.Generator
) -> None:
    """Within two units in the last place, or as many of the smallest number; nothing overflows inside."""
    if not hasattr(backend.xp, "float16"):
        pytest.skip("the standard has no float16")
    x, images = (scale * (rng.standard_normal(shape) + offset) for shape in ((16, 300), (3, 2, 14, 14)))
    gamma, beta = rng.uniform(0.5, 1.5, 300), rng.standard_normal(300)
    mean, var = x.mean(axis=0), x.var(axis=0)
    for layer, values in [
        (LayerNormalization(gamma, beta), x),
        (BatchNormalization(gamma, beta, 0.9, mean, var, epsilon=1e-9), x),
        (Residual([BatchNormalization(gamma, np.zeros(300), 0.9, mean, var)]), x),
        (Softmax(), x / scale), (GELU(), x / scale), (Sigmoid(), x / scale), (Tanh(), x),
        (AveragePooling(14), images), (AveragePooling(2), images), (MaxPooling(2), images),
    ]:  # fmt: skip
        found, expected = halves(layer, values, backend)
        assert found.dtype == np.float16
        spacing = np.maximum(np.spacing(np.abs(expected)).astype(float), 2.0**-24)
        largest = np.abs(expected).max() * 2.0**-11  # where terms cancel
        difference = np.abs(found.astype(float) - expected.astype(float))
        assert (difference <= 2.0 * np.maximum(spacing, largest)).all(), layer


def test_gradients_in_float16(backend: Backend, rng: np.random.Generator) -> None:
    """A layer of its own computes them, in its dtype."""
    if not hasattr(backend.xp, "float16"):
        pytest.skip("the standard has no float16")
    x = 300.0 * rng.standard_normal((64, 40))
    for layer in (BatchNormalization(np.ones(40), np.zeros(40)), LayerNormalization(np.ones(40), np.zeros(40)),
                  Softmax(), GELU(), ReLU(), Sigmoid(), Tanh()):  # fmt: skip
        found = []
        for dtype in ("float16", "float64"):
            clone, values = layer.to(backend, dtype), backend.asarray(x.astype("float16"), dtype=dtype)
            y = clone.forward(values, training=True)
            dx = clone.backward(backend.asarray(np.cos(np.arange(x.size)).reshape(x.shape), dtype=dtype))
            arrays = [y, dx, *clone.grads.values()]
            assert {dtype_name(array.dtype) for array in arrays} == {dtype}
            found.append([backend.to_numpy(array).astype(float) for array in arrays])
        for half, exact in zip(*found, strict=True):
            np.testing.assert_allclose(half, exact, rtol=5e-3, atol=5e-3 * np.abs(exact).max())


@pytest.mark.parametrize("loss", [SoftmaxWithLoss(), SigmoidWithLoss(), MeanSquaredError()])
def test_losses_in_float16(loss: Any, backend: Backend, rng: np.random.Generator) -> None:
    """Sums of more than 65,504 inside, none outside; and a dout of that dtype."""
    if not hasattr(backend.xp, "float16"):
        pytest.skip("the standard has no float16")
    x = 200.0 * rng.standard_normal((2000, 30))
    t = (
        rng.integers(0, 30, 2000)
        if loss.counts_correct and isinstance(loss, SoftmaxWithLoss)
        else (x > 0) * 1.0
    )
    half, exact = (backend.asarray(x.astype("float16"), dtype=dtype) for dtype in ("float16", "float64"))
    value = loss.forward(half, backend.asarray(t), training=True)
    dx = loss.backward(backend.asarray(np.float16(8.0)))
    assert dtype_name(value.dtype) == dtype_name(dx.dtype) == "float16"
    expected = float(backend.to_numpy(loss.forward(exact, backend.asarray(t), training=True)))
    assert float(backend.to_numpy(value)) == pytest.approx(min(expected, math.inf), rel=1e-3)
    expected_dx = backend.to_numpy(loss.backward(8.0))
    np.testing.assert_allclose(backend.to_numpy(dx), expected_dx, rtol=2e-3, atol=1e-6)


def test_evaluation_in_float16(backend: Backend, rng: np.random.Generator) -> None:
    """The loss of many samples is summed in float32."""
    if not hasattr(backend.xp, "float16"):
        pytest.skip("the standard has no float16")
    net = MultiLayerNet(4, [5], 3, use_batchnorm=True, rng=0, device=backend)
    net.forward(backend.asarray(rng.standard_normal((50, 4)), dtype="float32"), training=True)
    half = net.to(dtype="float16")
    assert {dtype_name(value.dtype) for value in half.state.values()} == {"float32"}
    x, t = rng.standard_normal((200, 4)), rng.integers(0, 3, 200)
    loss, accuracy = half.evaluate(backend.asarray(np.tile(x, (500, 1)), dtype="float16"),
                                   backend.asarray(np.tile(t, 500)))  # fmt: skip
    expected, right = net.evaluate(backend.asarray(x, dtype="float32"), backend.asarray(t))
    assert loss == pytest.approx(expected, rel=3e-3)
    assert accuracy == pytest.approx(right, abs=0.02)


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
