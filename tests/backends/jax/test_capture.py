"""A step compiled by JAX gives the results of a called one, and leaves nothing behind."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any

import numpy as np
import pytest

from backends import Array, CaptureWarning, get_backend, namespace_of
from backends.jax.backend import JaxBackend
from backends.jax.capture import JaxReplay
from backprop import (
    SGD,
    Adam,
    Affine,
    BatchNormalization,
    Convolution,
    Dropout,
    Identity,
    Layer,
    Loss,
    MaxPooling,
    Momentum,
    Network,
    Optimizer,
    ReLU,
    Residual,
    Training,
)

from ...cases import CASES
from ...optimizers.cases import MAKERS

jax = pytest.importorskip("jax")

pytestmark = [pytest.mark.only("jax"), pytest.mark.usefixtures("backend")]

rng = np.random.default_rng(0)
X = rng.standard_normal((130, 4)).astype("float32")
LABELS = (X[:, 0] > X[:, 1]).astype(np.int64)
IMAGES = rng.standard_normal((130, 1, 6, 6)).astype("float32")


@pytest.fixture(autouse=True)
def _short_trainings_are_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(JaxBackend, "fewest_steps", 0)


def affine(rows: int, columns: int, device: str = "jax") -> Affine:
    backend = get_backend(device)
    W = np.random.default_rng(rows).standard_normal((rows, columns)) * 0.3
    return Affine(*(backend.asarray(x, dtype="float32") for x in (W, np.zeros(columns))))


def dense(*middle: Layer, device: str = "jax") -> Network:
    return Network([affine(4, 8, device), *middle, ReLU(), affine(8, 2, device)])


def trained(network: Network, capture: bool, x: np.ndarray = X, **options: Any) -> dict[str, np.ndarray]:
    """Every array after a few epochs of three whole batches, and one with what is left."""
    options = {"optimizer": Momentum(0.1), "epochs": 3, "batch_size": 20, "rng": 0} | options
    training = Training(network, x, LABELS, capture=capture, **options)
    losses = [metrics.loss for metrics in training]
    if capture:
        assert training._step.capture.why == ""
        assert training._step.capture._replays
    arrays = {
        **network.params,
        **network.state,
        **training.optimizer.slots,
        "grads": network.flat_grads["flat"],
    }
    return {**{key: np.asarray(array) for key, array in arrays.items()}, "loss": np.asarray(losses)}


def assert_close(found: Mapping[str, Any], expected: Mapping[str, Any], rtol: float = 1e-4) -> None:
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        np.testing.assert_allclose(found[key], value, rtol=rtol, atol=1e-6, err_msg=key)


@pytest.mark.parametrize("name", [name for name in CASES if "," not in name])
def test_a_compiled_layer_gives_the_results_of_a_called_one(name: str) -> None:
    with jax.enable_x64(True):
        backend, draw = get_backend("jax"), np.random.default_rng(0)
        node, *inputs = CASES[name](draw)
        inputs = [backend.asarray(value) for value in inputs]
        called, compiled = node.to(backend), node.to(backend)
        y = called.forward(*inputs, training=True)
        dout = 1.0 if isinstance(node, Loss) else backend.asarray(draw.standard_normal(y.shape))
        results = called.backward(dout)

        def run(params: Any, state: Any, *inputs: Any) -> Any:
            compiled.params, compiled.state = dict(params), dict(state)
            y = compiled.forward(*inputs, training=True)
            dx = compiled.backward(dout)
            state.update(compiled.state)
            return y, *(dx if isinstance(dx, tuple) else (dx,)), *compiled.grads.values()

        state = dict(compiled.state)
        replay = backend.record(run, (dict(compiled.params), state), inputs)
        expected = [y, *(results if isinstance(results, tuple) else (results,)), *called.grads.values()]
        for found, value in zip(replay(*inputs), expected, strict=True):
            np.testing.assert_allclose(found, value, rtol=1e-11, atol=1e-11)
        for key, value in called.state.items():
            np.testing.assert_allclose(state[key], value, rtol=1e-11)


@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize("max_norm", [None, 0.1])
def test_every_optimizer(kind: type[Optimizer], max_norm: float | None) -> None:
    found, expected = (
        trained(dense(), capture, optimizer=MAKERS[kind](max_norm=max_norm)) for capture in (True, False)
    )
    assert_close(found, expected)


class Own(Optimizer):
    """A step on the whole vector."""

    slot_names = ("count",)

    def apply(
        self,
        params: MutableMapping[str, Array],
        grads: Mapping[str, Array],
        slots: MutableMapping[str, Array],
        scalars: Sequence[Any],
    ) -> None:
        slots["count.flat"] = slots["count.flat"] + 1.0
        params["flat"] = params["flat"] - scalars[0] / slots["count.flat"] * grads["flat"]


def test_an_optimizer_with_a_step_of_its_own() -> None:
    found, expected = (trained(dense(), capture, optimizer=Own(0.1)) for capture in (True, False))
    assert set(found["count.flat"].tolist()) == {3.0 * 7}
    assert_close(found, expected)


def stateful(device: str = "jax") -> Network:
    backend = get_backend(device)
    ones, zeros = (backend.asarray(fill((8,)), dtype="float32") for fill in (np.ones, np.zeros))
    return dense(BatchNormalization(ones, zeros), Dropout(0.3, seed=1), device=device)


def test_layers_with_a_state_and_masks_as_on_numpy() -> None:
    """Dropout hashes whole numbers of 64 bits, which JAX has within a scope only."""
    found, called, on_numpy = (
        trained(stateful(device), capture)
        for device, capture in (("jax", True), ("jax", False), ("cpu", True))
    )
    assert found["drawn1"] == 3 * 7
    assert_close(found, called)
    assert_close(found, on_numpy)
    x = np.ones((50, 40), np.float32)
    masks = [
        np.asarray(Dropout(0.4, seed=5).forward(get_backend(device).asarray(x), training=True))
        for device in ("jax", "cpu")
    ]
    np.testing.assert_array_equal(*masks)


def test_images() -> None:
    def make() -> Network:
        W = get_backend("jax").asarray(
            np.random.default_rng(3).standard_normal((3, 1, 3, 3)), dtype="float32"
        )
        return Network([Convolution(W, W[:, 0, 0, 0] * 0.0), ReLU(), MaxPooling(2), affine(12, 2)])

    assert_close(*(trained(make(), capture, IMAGES) for capture in (True, False)))


def tracers() -> list[Any]:
    """Everything that stands for an array of a tracing, and is still alive."""
    gc.collect()
    return [x for x in gc.get_objects() if isinstance(x, jax.core.Tracer)]


def test_nothing_is_left_of_a_tracing() -> None:
    before = len(tracers())
    training = Training(stateful(), X, LABELS, optimizer=Adam(), epochs=3, batch_size=20, rng=0)
    for _ in training:
        assert len(tracers()) <= before  # those of other tests may go
    assert training._step.capture._replays


def test_a_tracing_that_fails_leaves_nothing_and_says_why() -> None:
    class Reads(Identity):
        def forward(self, x: Array, *, training: bool = False) -> Array:
            y = super().forward(x)
            return y * (2.0 if float(namespace_of(x).sum(x)) > 1e9 else 1.0)

        def backward(self, dout: Array) -> Array:
            return dout

    network, expected = dense(Reads()), dense()
    with pytest.warns(CaptureWarning, match="ConcretizationTypeError") as told:
        list(Training(network, X, LABELS, optimizer=Momentum(0.1), epochs=3, batch_size=20, rng=0))
    assert len(told) == 1
    held = [
        (layer.params, layer.grads, layer.state, vars(layer)["_saved"]) for layer in network.layers.values()
    ]
    assert not [x for x in jax.tree.leaves(held) if isinstance(x, jax.core.Tracer)]
    trained(expected, False)
    np.testing.assert_allclose(network.flat_params["flat"], expected.flat_params["flat"], rtol=1e-6)


def test_a_step_that_depends_on_something_unseen_is_found() -> None:
    scale = [1.0]

    class Hidden(Identity):
        def backward(self, dout: Array) -> Array:
            return dout * scale[0]

    training = Training(dense(Hidden()), X, LABELS, optimizer=Momentum(0.1), epochs=5, batch_size=20, rng=0)
    next(training)
    next(training)
    scale[0] = 0.5
    with pytest.warns(CaptureWarning, match="a replayed step and a called one give different results"):
        next(training)
    training.stop()


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The shapes of the rows for which programs were compiled."""
    shapes: list[Any] = []
    make = JaxReplay.__init__

    def counted(self: Any, function: Any, state: Any, inputs: Any, jax: Any) -> None:
        shapes.append(inputs[0].shape)
        make(self, function, state, inputs, jax)

    monkeypatch.setattr(JaxReplay, "__init__", counted)
    return shapes


def test_one_program_for_each_number_of_steps(made: list[Any]) -> None:
    training = Training(dense(), X, LABELS, epochs=6, batch_size=20, rng=0)
    list(training)
    assert made == [(5, 20), (1, 20)]


def test_a_new_rate_needs_no_new_program(made: list[Any]) -> None:
    training = Training(dense(), X, LABELS, epochs=6, batch_size=20, rng=0)
    for _ in training:
        training.optimizer.lr *= 0.5  # type: ignore[operator]
    assert made == [(5, 20), (1, 20)]


def test_segments_of_many_lengths_need_few_programs(made: list[Any]) -> None:
    """Hooks divide epochs of 65 steps differently every time."""
    options: dict[str, Any] = {"epochs": 8, "batch_size": 2, "hook": lambda _: None, "hook_steps": 23}
    found, expected = (trained(dense(), capture, optimizer=SGD(0.01), **options) for capture in (True, False))
    assert len(made) <= 7
    assert_close(found, expected)


def test_a_block_is_compiled() -> None:
    def blocks(device: str) -> Network:
        gamma, beta = (get_backend(device).asarray(np.full(8, x, np.float32)) for x in (1.0, 0.0))
        inner = Residual([affine(8, 8, device), Dropout(0.2, seed=1)])
        return dense(Residual([BatchNormalization(gamma, beta), inner]), device=device)

    assert_close(trained(blocks("jax"), capture=True), trained(blocks("cpu"), capture=False), rtol=1e-3)


def test_samples_are_no_part_of_the_program() -> None:
    backend = get_backend("jax")
    data = {"x": backend.asarray(X)}

    def step(state: Any, data: Any, rows: Any) -> Any:
        state["w"] = state["w"] + backend.xp.sum(backend.xp.take(data["x"], rows, axis=0), axis=0)
        return (state["w"] * 1.0,)

    state = {"w": backend.asarray(np.zeros(4, np.float32))}
    replay = backend.record(step, (state, data), (backend.asarray(np.asarray([0, 2])),))
    np.testing.assert_array_equal(state["w"], 0.0)
    replay(backend.asarray(np.asarray([1, 3])))
    data["x"] = data["x"] * 2.0
    (found,) = replay(backend.asarray(np.asarray([4, 5])))
    np.testing.assert_allclose(state["w"], X[1] + X[3] + 2.0 * (X[4] + X[5]), rtol=1e-5)
    np.testing.assert_array_equal(found, state["w"])


@pytest.mark.parametrize(("first", "second"), [("cpu", "jax"), ("jax", "cpu")])
def test_a_checkpoint_goes_from_one_library_to_the_other(first: str, second: str) -> None:
    options: dict[str, Any] = {"epochs": 4, "batch_size": 20, "rng": 0}
    whole = stateful(first)
    list(Training(whole, X, LABELS, optimizer=Momentum(0.1), **options))
    training = Training(stateful(first), X, LABELS, optimizer=Momentum(0.1), **options)
    next(training), next(training)
    network, optimizer = stateful(second), Momentum(0.1)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        resumed = Training(network, X, LABELS, optimizer=optimizer, resume=training.checkpoint(), **options)
    assert "the resumed run may differ" in str(told[0].message)
    list(resumed)
    for key, value in {**whole.params, **whole.state}.items():
        ours = {**network.params, **network.state}[key]
        np.testing.assert_allclose(np.asarray(ours), np.asarray(value), rtol=1e-3, atol=1e-5, err_msg=key)
    assert optimizer.steps == 4 * 7


def test_short_trainings_are_called(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    made: list[Any] = []
    monkeypatch.setattr(JaxReplay, "__init__", lambda *_: made.append(1))
    list(Training(dense(), X, LABELS, epochs=3, batch_size=20, rng=0))
    assert not made


class Counting(Identity):
    """Scales by a number that grows with every call."""

    calls = 0

    def forward(self, x: Array, *, training: bool = False) -> Array:
        self.calls += training
        self.saved = 1.0 + 0.01 * self.calls
        return x * self.saved

    def backward(self, dout: Array) -> Array:
        return dout * self.saved


class Drawing(Counting):
    """Scales by a number that is drawn."""

    def __init__(self) -> None:
        super().__init__()
        self.rng = np.random.default_rng(0)

    def forward(self, x: Array, *, training: bool = False) -> Array:
        self.saved = float(self.rng.random()) + 0.5
        return x * self.saved


@pytest.mark.parametrize("kind", [Counting, Drawing])
def test_no_step_is_called_twice_when_it_cannot_be_recorded(kind: type[Counting]) -> None:
    networks = [dense(kind()), dense(kind())]
    for network, capture in zip(networks, (True, False), strict=True):
        training = Training(network, X, LABELS, epochs=2, batch_size=20, rng=0, capture=capture)
        if capture:
            with pytest.warns(CaptureWarning, match=r"changes from step to step and is not in the state"):
                list(training)
        else:
            list(training)
    found, expected = ({k: np.asarray(v) for k, v in network.params.items()} for network in networks)
    for key, value in expected.items():
        np.testing.assert_array_equal(found[key], value)
    ours, its = (network.layers[f"{kind.__name__}1"] for network in networks)
    assert ours.calls == its.calls  # type: ignore[attr-defined]
