"""Batches cut into shards: the same gradient up to rounding, the same masks, the same statistics."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from backends import Array, Backend, get_backend
from backprop import (
    SGD,
    Affine,
    BatchNormalization,
    DeepConvNet,
    Dropout,
    MultiLayerNet,
    Network,
    Optimizer,
    ReLU,
    Residual,
    SimpleConvNet,
    SoftmaxWithLoss,
    Tanh,
    Training,
    TwoLayerNet,
)
from backprop.layers import Layer
from backprop.layers.shared_batch import UndividedBatch
from backprop.saving.checkpoint import CheckpointError
from backprop.training.shards import Shards

from ..optimizers.cases import MAKERS
from .small import blobs, host_params, net


@pytest.mark.parametrize("processes", range(1, 9))
def test_every_shard_is_dealt_once_in_order(processes: int) -> None:
    shards = Shards(8, processes)
    assert [i for rank in range(processes) for i in shards.dealt(rank)] == list(range(8))
    assert max(shards.counts) - min(shards.counts) <= 1


@pytest.mark.parametrize("samples", [8, 9, 50, 100])
def test_every_sample_is_in_one_shard(samples: int) -> None:
    bounds = Shards(8).cut(samples)
    assert [i for start, stop in bounds for i in range(start, stop)] == list(range(samples))
    sizes = {stop - start for start, stop in bounds}
    assert max(sizes) - min(sizes) <= 1


def test_a_batch_of_fewer_samples_than_shards_is_not_cut() -> None:
    assert Shards(8).cut(7) == [(0, 7)]


def residual(rng: np.random.Generator) -> Network:
    def affine(n: int, m: int) -> Affine:
        return Affine(rng.standard_normal((n, m)) / np.sqrt(n), np.zeros(m))

    block = [
        affine(6, 6),
        BatchNormalization(np.ones(6), np.zeros(6)),
        ReLU(),
        Dropout(0.2, seed=1),
        affine(6, 6),
    ]
    return Network([affine(4, 6), Residual(block), affine(6, 3)], weight_decay=0.01)


def networks() -> dict[str, tuple[Network, tuple[int, ...]]]:
    options: dict[str, Any] = {"rng": 0, "dtype": "float64"}
    mlp = MultiLayerNet(
        4, [8, 8], 3, use_batchnorm=True, dropout_ratio=0.3, weight_decay_lambda=0.1, **options
    )
    conv = SimpleConvNet((1, 8, 8), hidden_size=6, output_size=3, conv_param={
        "filter_num": 3, "filter_size": 3, "pad": 0, "stride": 1}, weight_init_std=0.3, **options)  # fmt: skip
    norm = Network([BatchNormalization(np.ones(1), np.zeros(1)), *_flat(64, 3)])
    return {
        "two-layer": (TwoLayerNet(4, 8, 3, weight_init_std=0.5, **options), (4,)),
        "mlp": (mlp, (4,)),
        "simple-conv": (conv, (1, 8, 8)),
        "deep-conv": (DeepConvNet((1, 8, 8), **options), (1, 8, 8)),
        "images-normalized": (norm, (1, 8, 8)),
        "residual": (residual(np.random.default_rng(0)), (4,)),
    }


def _flat(inputs: int, classes: int) -> list[Layer]:
    rng = np.random.default_rng(0)
    return [Affine(rng.standard_normal((inputs, classes)) * 0.1, np.zeros(classes))]


def trained(
    network: Network, shape: tuple[int, ...], backend: Backend, **options: Any
) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    x, t = rng.standard_normal((45, *shape)), rng.integers(0, 3, 45)
    network = network.to(device=backend)
    training = Training(network, x, t, epochs=2, batch_size=20, rng=0, capture=False, **options)
    losses = [metrics.loss for metrics in training]
    state = {name: backend.to_numpy(value) for name, value in network.state.items()}
    return {"params": host_params(network), "losses": np.asarray(losses), **state}


@pytest.mark.parametrize("name", networks())
def test_a_training_by_shards_is_the_plain_one_up_to_rounding(name: str, backend: Backend) -> None:
    """The last batch of an epoch has 5 samples: for 8 shards, too few to be cut."""
    network, shape = networks()[name]
    plain = trained(network, shape, backend)
    for shards in (1, 3, 8):
        found = trained(network, shape, backend, shards=shards)
        assert found.keys() == plain.keys()
        for key, value in plain.items():
            if shards == 1:
                np.testing.assert_array_equal(found[key], value, err_msg=key)
            np.testing.assert_allclose(found[key], value, rtol=1e-7, atol=1e-9, err_msg=f"{key}, {shards}")


@pytest.mark.parametrize("kind", MAKERS)
def test_every_optimizer(kind: type[Optimizer]) -> None:
    network, shape = networks()["mlp"]
    plain, cut = (
        trained(network, shape, get_backend("cpu"), optimizer=MAKERS[kind](max_norm=0.5), **options)
        for options in ({}, {"shards": 4})
    )
    np.testing.assert_allclose(cut["params"], plain["params"], rtol=1e-6, atol=1e-8)


class Cut(UndividedBatch):
    """Parts of a batch, all here."""

    def __init__(self, samples: int, starts: list[int]) -> None:
        super().__init__(samples)
        self.starts = starts

    def sum(self, values: Any) -> Array:
        return sum(values[1:], values[0])


def test_masks_are_those_of_the_samples_places(backend: Backend) -> None:
    x = backend.asarray(np.ones((10, 2, 3)))
    whole, cut = Dropout(0.5, seed=3), Dropout(0.5, seed=3)
    for _ in range(3):
        y = backend.to_numpy(whole.forward(x, training=True))
        twins = [cut.replica() for _ in range(3)]
        parts = [x[0:3, ...], x[3:4, ...], x[4:, ...]]
        ys = twins[0].forward_parts(twins, parts, Cut(10, [0, 3, 4]))
        np.testing.assert_array_equal(np.concatenate([backend.to_numpy(part) for part in ys]), y)


def test_the_number_is_kept_in_checkpoints() -> None:
    options: dict[str, Any] = {"batch_size": 50, "rng": 0}
    first = Training(net("cpu"), *blobs(), epochs=1, shards=4, **options)
    list(first)
    whole = Training(net("cpu"), *blobs(), epochs=2, shards=4, **options)
    list(whole)
    resumed = Training(net("cpu"), *blobs(), epochs=2, resume=first.checkpoint(), **options)
    assert resumed.shards == 4
    list(resumed)
    np.testing.assert_array_equal(host_params(resumed.network), host_params(whole.network))
    with pytest.raises(CheckpointError, match="another run: shards 2 here, 4 there"):
        Training(net("cpu"), *blobs(), epochs=2, resume=first.checkpoint(), shards=2, **options)
    plain = Training(net("cpu"), *blobs(), epochs=1, **options)
    list(plain)
    with pytest.raises(CheckpointError, match="another run: shards 2 here, 1 there"):
        Training(net("cpu"), *blobs(), epochs=2, resume=plain.checkpoint(), shards=2, **options)


@pytest.mark.parametrize(
    ("shards", "error"),
    [(0, ValueError), (51, ValueError), (2.5, (TypeError, ValueError)), (True, (TypeError, ValueError))],
)
def test_what_is_no_number_of_shards(shards: Any, error: Any) -> None:
    with pytest.raises(error, match="shards"):
        Training(net("cpu"), *blobs(), epochs=1, batch_size=50, shards=shards)


class Summed(SoftmaxWithLoss):
    """The sum of the samples' losses, where it should be the mean."""

    def forward(self, x: Array, t: Array, *, training: bool = False) -> Array:
        self.samples = x.shape[0]
        return super().forward(x, t, training=training) * float(x.shape[0])

    def backward(self, dout: Any = 1.0) -> Array:
        return super().backward(dout) * float(self.samples)


class Centred(Layer):
    """Takes the mean of the batch from every sample."""

    def forward(self, x: Array, *, training: bool = False) -> Array:
        return x - x.mean(axis=0)

    def backward(self, dout: Array) -> Array:
        return dout - dout.mean(axis=0)


class Drawing(Layer):
    """Noise from a generator of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.rng = np.random.default_rng(0)

    def forward(self, x: Array, *, training: bool = False) -> Array:
        self.noise = self.rng.standard_normal(x.shape).astype("float32")
        return x * self.noise

    def backward(self, dout: Array) -> Array:
        return dout * self.noise


class GloballyDrawing(Drawing):
    """Noise from NumPy's global generator."""

    def forward(self, x: Array, *, training: bool = False) -> Array:
        self.noise = np.random.standard_normal(x.shape).astype("float32")
        return x * self.noise


class Counting(Layer):
    """A scale that depends on the number of calls."""

    calls = 0

    def forward(self, x: Array, *, training: bool = False) -> Array:
        self.calls += 1
        return x * (1.0 + 1e-6 * self.calls)

    def backward(self, dout: Array) -> Array:
        return dout * (1.0 + 1e-6 * self.calls)


class Remembering(Layer):
    """A count in the state, which every part would increase."""

    def __init__(self) -> None:
        super().__init__()
        self.state["calls"] = np.zeros(())

    def forward(self, x: Array, *, training: bool = False) -> Array:
        self.state["calls"] += 1.0
        return x * 1.0

    def backward(self, dout: Array) -> Array:
        return dout * 1.0


class Keeping(Layer):
    """What backward needs, in an attribute of its own, as readers of the book write it."""

    def forward(self, x: Array, *, training: bool = False) -> Array:
        self.positive = x > 0.0
        self.samples = x.shape[0]
        return np.where(self.positive, x, 0.0)

    def backward(self, dout: Array) -> Array:
        return np.where(self.positive, dout, 0.0)


def test_a_layer_that_keeps_arrays_in_attributes_trains_by_shards() -> None:
    def run(shards: int) -> np.ndarray:
        network = Network([Keeping(), *_flat(4, 3)])
        x, t = blobs()
        list(
            Training(
                network, x.astype("float64"), t, epochs=2, batch_size=50, rng=0, shards=shards, capture=False
            )
        )
        return host_params(network)

    np.testing.assert_allclose(run(4), run(1), rtol=1e-9)


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda layers: Network(layers, Summed()), "the gradient of the whole batch has a norm of"),
        (lambda layers: Network([Centred(), *layers]), "the gradient of the whole batch has a norm of"),
        (lambda layers: Network([Drawing(), *layers]), "Drawing1.* changes from step to step"),
        (lambda layers: Network([GloballyDrawing(), *layers]), "draws from a global random generator"),
        (lambda layers: Network([Counting(), *layers]), r"Counting1.calls changes from step to step"),
        (
            lambda layers: Network([Remembering(), *layers]),
            "Remembering1 keeps state from batch to batch, calls",
        ),
    ],
)
def test_what_needs_the_whole_batch_is_refused(make: Any, why: str) -> None:
    layers = list(TwoLayerNet(4, 8, 3, weight_init_std=0.3, rng=0).layers.values())
    for layer in layers:
        layer.is_owned = False
    network = make(layers)
    before = host_params(network)
    with pytest.raises(ValueError, match=f"shards=2: .*{why}.*; train with shards=1"):
        list(Training(network, *blobs(), optimizer=SGD(0.1), epochs=1, batch_size=50, rng=0, shards=2))
    np.testing.assert_array_equal(host_params(network), before)


def test_what_is_changed_in_a_hook_takes_effect() -> None:
    def run(shards: int) -> np.ndarray:
        network = Network([Dropout(0.2, seed=1), ReLU(), *_flat(4, 3)])

        def change(training: Training) -> None:
            network.layers["Dropout1"].ratio = 0.6  # type: ignore[attr-defined]
            network.layers["ReLU1"] = Tanh()
            network.last_layer = SoftmaxWithLoss(label_smoothing=0.1)

        x, t = blobs()
        list(Training(network, x.astype("float64"), t, epochs=2, batch_size=50, rng=0, shards=shards,
                      hook=change, hook_steps=4))  # fmt: skip
        return host_params(network)

    np.testing.assert_allclose(run(4), run(1), rtol=1e-9)
