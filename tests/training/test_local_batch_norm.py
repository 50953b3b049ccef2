"""Batch normalization over each shard by itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from backends import Backend, Communicator
from backprop import (
    SGD,
    Adam,
    Affine,
    BatchNormalization,
    Flatten,
    MultiLayerNet,
    Network,
    Residual,
    Tanh,
    Training,
)
from backprop.saving import load_network, save_network
from backprop.saving.network_config import network_config, network_from_config
from backprop.training.arguments import _Pair
from backprop.training.ordered_sum import ShardSum
from backprop.training.sharded_step import CutBatch
from backprop.training.shards import Shards

from .small import blobs, host_params
from .test_shards import Centred


def norm(width: int, rng: np.random.Generator) -> BatchNormalization:
    return BatchNormalization(rng.uniform(0.5, 1.5, width), rng.standard_normal(width), synchronized=False)


def affine(inputs: int, outputs: int, rng: np.random.Generator) -> Affine:
    return Affine(rng.standard_normal((inputs, outputs)) / np.sqrt(inputs), rng.standard_normal(outputs))


def features(rng: np.random.Generator) -> Network:
    block = [norm(5, rng), Tanh(), affine(5, 5, rng)]
    return Network([affine(4, 5, rng), norm(5, rng), Tanh(), Residual(block), affine(5, 3, rng)])


def images(rng: np.random.Generator) -> Network:
    return Network([norm(2, rng), Tanh(), norm(2, rng), Flatten(), affine(12, 3, rng)])


def mlp(kind: Any = "local", **options: Any) -> MultiLayerNet:
    return MultiLayerNet(4, [8, 8], 3, use_batchnorm=kind, dropout_ratio=0.3, rng=0, **options)


def trained(network: Network, **options: Any) -> list[np.ndarray]:
    """The losses, the parameters and the state; the last batch has 10 samples."""
    training = Training(network, *blobs(), **{"epochs": 3, "batch_size": 24, "rng": 0, **options})
    losses = np.asarray([metrics.loss for metrics in training])
    return [losses, host_params(network), *(np.array(value) for value in network.state.values())]


def are_equal(found: list[np.ndarray], expected: list[np.ndarray]) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))


def loss_by_shards(network: Network, x: np.ndarray, t: np.ndarray, shards: int) -> float:
    bounds = Shards(shards).cut(len(x))
    losses = [
        network.last_layer.forward(network.forward(x[i:j], training=True), t[i:j]) * (j - i)
        for i, j in bounds
    ]
    return float(sum(losses)) / len(x)


def take_step(network: Network, x: np.ndarray, t: np.ndarray, *, shards: int, rate: float = 1.0) -> Training:
    """Take a step of SGD on all samples, in their order."""
    training = Training(network, x, t, optimizer=SGD(rate), iterations=1, batch_size=len(x), shards=shards)
    training.started = True
    step = training._step
    step(step.state(), step.batch(step.data, np.arange(len(x))), [np.asarray(rate)])
    return training


@pytest.mark.parametrize(("make", "shape"), [(features, (4,)), (images, (2, 3, 2))])
def test_the_gradient_is_that_of_the_loss_by_shards(make: Any, shape: tuple[int, ...]) -> None:
    """Compared with central differences, in shards of 3, 3 and 4 samples."""
    rng = np.random.default_rng(0)
    network, x, t = make(rng), rng.standard_normal((10, *shape)), rng.integers(0, 3, 10)
    probe, h = network.to(), 1e-5
    expected = np.zeros(network.size)
    for i in range(network.size):
        for sign in (1.0, -1.0):
            probe.flat_params["flat"][i] = network.flat_params["flat"][i] + sign * h
            expected[i] += sign * loss_by_shards(probe, x, t, 3) / (2.0 * h)
        probe.flat_params["flat"][i] = network.flat_params["flat"][i]
    before = host_params(network)
    take_step(network, x, t, shards=3)
    np.testing.assert_allclose(before - host_params(network), expected, rtol=1e-7, atol=1e-9)


def test_running_statistics_move_towards_the_means_over_shards() -> None:
    rng = np.random.default_rng(0)
    network = Network([Residual([norm(4, rng)]), norm(4, rng), affine(4, 3, rng)])
    x, t = rng.standard_normal((10, 4)), rng.integers(0, 3, 10)
    parts = [x[i:j] for i, j in Shards(3).cut(10)]
    shares = [len(part) / 10 for part in parts]
    mean = sum(share * part.mean(axis=0) for share, part in zip(shares, parts, strict=True))
    var = sum(share * part.var(axis=0) for share, part in zip(shares, parts, strict=True))
    for weight, factor in ((0.1, 1.0), (0.19, 3.0)):
        take_step(network, factor * x, t, shards=3, rate=0.0)
        state = {key.rpartition(".")[2]: value for key, value in network.state.items() if "Residual" in key}
        assert state["running_weight"] == pytest.approx(weight)
        share = 0.1 / weight
        expected = (share * factor + (1.0 - share)) * mean, (share * factor**2 + (1.0 - share)) * var
        np.testing.assert_allclose(state["running_mean"], expected[0], rtol=1e-12)
        np.testing.assert_allclose(state["running_var"], expected[1], rtol=1e-12)


def test_a_block_takes_over_what_comes_at_the_end(backend: Backend, rng: np.random.Generator) -> None:
    block = Residual([norm(3, rng)]).to(backend)
    parts = [backend.asarray(rng.standard_normal((size, 3))) for size in (3, 4)]
    batch = CutBatch(7, [0, 3], [], ShardSum(Shards(2), Communicator(), backend))
    twins = [block.replica(), block.replica()]
    twins[0].forward_parts(twins, parts, batch)
    batch.end()
    mean = np.concatenate([backend.to_numpy(part) for part in parts]).mean(axis=0)
    batch.end()  # which has nothing left
    weight = backend.to_numpy(block.state["BatchNormalization1.running_weight"])
    assert float(weight) == pytest.approx(0.1)
    found = backend.to_numpy(block.state["BatchNormalization1.running_mean"])
    np.testing.assert_allclose(found, mean, rtol=1e-12)


@pytest.mark.parametrize("shape", [(7, 3), (7, 3, 2, 2)])
def test_every_shard_is_normalized_by_itself(
    shape: tuple[int, ...], backend: Backend, rng: np.random.Generator
) -> None:
    layer = norm(3, rng).to(backend)
    x, dout = (backend.asarray(rng.standard_normal(shape)) for _ in range(2))
    parts, douts = ([value[:3, ...], value[3:, ...]] for value in (x, dout))
    twins, batch = [layer.replica(), layer.replica()], _Pair()
    batch.samples = 7
    ys = layer.forward_parts(twins, parts, batch)
    dxs = layer.backward_parts(twins, douts, batch)
    for twin, part, d, y, dx in zip(twins, parts, douts, ys, dxs, strict=True):
        alone = layer.to(backend)
        np.testing.assert_array_equal(*map(backend.to_numpy, (y, alone.forward(part, training=True))))
        np.testing.assert_array_equal(*map(backend.to_numpy, (dx, alone.backward(d))))
        for key, gradient in alone.grads.items():
            np.testing.assert_array_equal(*map(backend.to_numpy, (twin.grads[key], gradient)))


@pytest.mark.parametrize("capture", [True, False])
def test_without_shards_both_are_the_same(capture: bool) -> None:
    synchronized, local = (trained(mlp(kind), capture=capture) for kind in (True, "local"))
    assert are_equal(local, synchronized)
    assert are_equal(trained(mlp("synchronized"), capture=capture), synchronized)


def test_with_shards_they_differ() -> None:
    recorded = trained(mlp(), shards=4)
    assert are_equal(recorded, trained(mlp(), shards=4, capture=False))
    for other in (trained(mlp(True), shards=4), trained(mlp(), shards=2)):
        assert not np.allclose(recorded[1], other[1], atol=1e-4)


def test_a_batch_of_fewer_samples_than_shards_has_one_mean() -> None:
    x, t = blobs(3)
    network, whole = mlp(), mlp()
    for other, shards in ((network, 5), (whole, 1)):
        training = Training(other, *blobs(33), epochs=1, batch_size=30, shards=shards, capture=False)
        training.started = True
        step = training._step
        batch = step.batch({"x": x, "t": t}, np.arange(3))
        step(step.state(), batch, [np.asarray(0.1, "float32")])
    np.testing.assert_array_equal(host_params(network), host_params(whole))
    np.testing.assert_array_equal(network.state["running_var1"], whole.state["running_var1"])


def test_one_exchange_serves_all_layers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Synchronized, each of the two takes two sums forward and one backward."""

    def sums(kind: str) -> int:
        training = Training(mlp(kind), *blobs(), iterations=1, batch_size=24, shards=4, capture=False)
        training._step.proof.is_given = True  # type: ignore[attr-defined]
        found: list[int] = []
        add = ShardSum.__call__
        with monkeypatch.context() as patched:
            patched.setattr(ShardSum, "__call__", lambda own, vectors: found.append(1) or add(own, vectors))
            list(training)
        return len(found)

    assert sums("synchronized") - sums("local") == 6 - 1


def test_the_proof_leaves_nothing_behind() -> None:
    def run(*, proven: bool) -> list[np.ndarray]:
        network = mlp()
        training = Training(network, *blobs(), iterations=4, batch_size=24, rng=0, shards=4)
        training._step.proof.is_given = not proven  # type: ignore[attr-defined]
        list(training)
        assert training._step.proof.is_given  # type: ignore[attr-defined]
        assert not any(
            layer.synchronized for layer in network.layers.values() if "running_mean" in layer.state
        )  # type: ignore[attr-defined]
        return [host_params(network), *(np.array(value) for value in network.state.values())]

    assert are_equal(run(proven=True), run(proven=False))


def test_other_layers_that_need_the_whole_batch_are_still_refused() -> None:
    rng = np.random.default_rng(0)
    network = Network(
        [affine(4, 5, rng), norm(5, rng), Centred(), Residual([norm(5, rng)]), affine(5, 3, rng)]
    )
    before = host_params(network)
    x, t = blobs()
    with pytest.raises(ValueError, match="shards=2: the gradient of the whole batch has a norm of"):
        list(Training(network, x.astype("float64"), t, epochs=1, batch_size=50, shards=2))
    np.testing.assert_array_equal(host_params(network), before)
    residual = network.layers["Residual1"]
    assert not network.layers["BatchNormalization1"].synchronized  # type: ignore[attr-defined]
    assert not residual.layers["BatchNormalization1"].synchronized  # type: ignore[attr-defined]
    assert not any(np.any(value) for key, value in network.state.items() if "var" not in key)


ALONE = "in batches of {}, cut into {} shards, leave one alone in its shard: BatchNorm1: training needs more"


@pytest.mark.parametrize(("batch_size", "shards"), [(20, 20), (19, 10), (24, 6), (24, 10)])
def test_a_shard_of_one_is_refused_before_the_first_step(batch_size: int, shards: int) -> None:
    """250 samples in batches of 24 leave 10; whole, synchronized or without the last batch there is no fault."""
    options: dict[str, Any] = {"epochs": 1, "batch_size": batch_size, "shards": shards}
    with pytest.raises(ValueError, match=ALONE.format(batch_size, shards)) as raised:
        Training(mlp(), *blobs(), **options)
    assert "give fewer shards, another batch size, or synchronized=True" in str(raised.value)
    list(Training(mlp(True), *blobs(), **options))
    if batch_size >= 2 * shards:
        list(Training(mlp(), *blobs(), iterations=2, batch_size=batch_size, shards=shards))
        list(
            Training(
                mlp(), *blobs(), epochs=1, sampling="with-replacement", batch_size=batch_size, shards=shards
            )
        )


def test_an_image_alone_in_its_shard_has_numbers_enough() -> None:
    rng = np.random.default_rng(0)
    x, t = rng.standard_normal((12, 2, 3, 2)), rng.integers(0, 3, 12)
    list(Training(images(rng), x, t, epochs=1, batch_size=4, shards=4))


def test_a_resumed_training_is_the_uninterrupted_one() -> None:
    options: dict[str, Any] = {"batch_size": 24, "rng": 0, "shards": 4}
    first, whole = (
        Training(mlp(), *blobs(), optimizer=Adam(), epochs=epochs, **options) for epochs in (1, 3)
    )
    list(first), list(whole)
    resumed = Training(mlp(), *blobs(), optimizer=Adam(), epochs=3, resume=first.checkpoint(), **options)
    list(resumed)
    np.testing.assert_array_equal(host_params(resumed.network), host_params(whole.network))
    for key, value in whole.network.state.items():
        np.testing.assert_array_equal(resumed.network.state[key], value)


def test_what_is_set_in_a_hook_takes_effect() -> None:
    def run(capture: bool) -> list[np.ndarray]:
        network = mlp()

        def change(training: Training) -> None:
            network.layers["BatchNorm2"].synchronized = True  # type: ignore[attr-defined]

        return trained(network, shards=4, hook=change, hook_steps=9, capture=capture)

    assert are_equal(run(True), run(False))
    assert not are_equal(run(True), trained(mlp(), shards=4))


def test_it_is_kept_in_files(tmp_path: Any) -> None:
    rng = np.random.default_rng(0)
    network = Network([affine(4, 5, rng), norm(5, rng), Residual([norm(5, rng)])])
    save_network(tmp_path / "net", network)
    loaded = load_network(tmp_path / "net")
    assert repr(loaded) == repr(network)
    assert not loaded.layers["BatchNormalization1"].synchronized  # type: ignore[attr-defined]
    assert not loaded.layers["Residual1"].layers["BatchNormalization1"].synchronized  # type: ignore[attr-defined]


def test_files_from_before_are_synchronized() -> None:
    network = mlp(True)
    config = network_config(network)
    assert config["layers"]["BatchNorm1"]["settings"].pop("synchronized")
    loaded = network_from_config(config, {**network.params, **network.state})
    assert loaded.layers["BatchNorm1"].synchronized  # type: ignore[attr-defined]


def test_it_is_shown() -> None:
    network = mlp()
    assert "Affine1 · BatchNorm1 (local) · Relu1" in repr(network)
    assert "BatchNorm1 (local)" in network.summary()
    assert (
        repr(network.layers["BatchNorm1"]) == "BatchNormalization(gamma=(8,), beta=(8,), synchronized=False)"
    )
    assert repr(mlp(True).layers["BatchNorm1"]) == "BatchNormalization(gamma=(8,), beta=(8,))"
    assert "local" not in repr(mlp(True)) + mlp(True).summary()


def test_what_is_no_kind_of_batch_normalization() -> None:
    with pytest.raises(ValueError, match="expected use_batchnorm as False, True, 'synchronized' or 'local'"):
        mlp("locale")
    with pytest.raises(TypeError, match="expected synchronized as True or False, got 'local'"):
        BatchNormalization(np.ones(2), np.zeros(2), synchronized="local")  # type: ignore[arg-type]
