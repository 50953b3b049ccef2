"""Recorded steps give the same results as called ones; otherwise the step is called, with a warning."""

from __future__ import annotations

import collections
import functools
import gc
import io
import itertools
import pickle
import random
import threading
import warnings
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from copy import deepcopy
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from backends import Backend, CaptureWarning, InPlaceDict, get_backend, namespace_of
from backends.jax.backend import JaxBackend
from backends.numpy.replay import NumpyReplay
from backprop import (
    SGD,
    Affine,
    BatchTooLargeError,
    Dropout,
    Identity,
    Layer,
    MeanSquaredError,
    Momentum,
    Network,
    Optimizer,
    ReLU,
    Sigmoid,
    SigmoidWithLoss,
    Tanh,
    Training,
)  # fmt: skip
from backprop.training.capture import _quiet_threads
from backprop.training.fingerprint import Fingerprinter
from backprop.training.step import TrainStep

rng = np.random.default_rng(0)
X = rng.standard_normal((250, 4)).astype("float32")
LABELS = rng.integers(0, 3, 250)


@pytest.fixture(autouse=True)
def _short_trainings_are_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(JaxBackend, "fewest_steps", 0)


def network(backend: Backend | str, *middle: Layer, last: Any = None) -> Network:
    backend, draw = get_backend(backend), np.random.default_rng(1)

    def affine(rows: int, columns: int) -> Affine:
        W = 0.3 * draw.standard_normal((rows, columns))
        return Affine(
            backend.asarray(W, dtype="float32"), backend.asarray(np.zeros(columns), dtype="float32")
        )

    return Network([affine(4, 8), *(middle or (ReLU(),)), affine(8, 3)], last)


def trained(
    make: Callable[[], Network], capture: bool, t: np.ndarray = LABELS, **options: Any
) -> tuple[Any, ...]:
    """Parameters, layers' state, loss and accuracy of every epoch; the last batch of each is smaller."""
    net = make()
    options = {"epochs": 4, "batch_size": 40, "rng": 0, "optimizer": SGD(0.1)} | options
    options["optimizer"] = deepcopy(options["optimizer"])  # it counts its steps
    metrics = list(Training(net, X, t, capture=capture, **options))
    params = {
        name: net.backend.to_numpy(value).copy() for name, value in (*net.params.items(), *net.state.items())
    }
    return params, [(m.loss, m.accuracy) for m in metrics]


def assert_same(make: Callable[[], Network], exactly: bool, **options: Any) -> None:
    (captured, metrics), (called, expected) = (trained(make, capture, **options) for capture in (True, False))
    for name, value in called.items():
        np.testing.assert_allclose(
            captured[name], value, rtol=0 if exactly else 1e-5, atol=0 if exactly else 1e-6
        )
    numbers, expected = (np.asarray(values, np.float64) for values in (metrics, expected))  # None is NaN
    np.testing.assert_allclose(numbers, expected, rtol=0 if exactly else 1e-5)


@pytest.mark.parametrize("layer", [ReLU, Sigmoid, Tanh, Identity])
def test_captured_training_equals_called_training(layer: type[Layer], backend: Backend) -> None:
    assert_same(lambda: network(backend, layer()), exactly=backend.replays_exactly)


@pytest.mark.parametrize(
    ("last", "t"),
    [
        (SigmoidWithLoss, np.eye(3)[LABELS]),
        (MeanSquaredError, np.eye(3, dtype="float32")[LABELS]),
        (None, np.eye(3)[LABELS]),
    ],
)
def test_every_loss(last: Any, t: np.ndarray, backend: Backend) -> None:
    assert_same(lambda: network(backend, last=last and last()), exactly=backend.replays_exactly, t=t)


def test_progress_within_the_epoch_and_other_sampling(backend: Backend) -> None:
    options = {"progress": lambda _: None, "progress_steps": 3, "sampling": "with-replacement"}
    assert_same(lambda: network(backend), exactly=backend.replays_exactly, **options)


def test_a_learning_rate_changed_between_epochs(backend: Backend) -> None:
    def run(capture: bool) -> np.ndarray:
        net, sgd = network(backend), SGD(0.5)
        for _ in Training(net, X, LABELS, epochs=4, batch_size=25, rng=0, optimizer=sgd, capture=capture):
            sgd.lr /= 2.0
        return backend.to_numpy(net.flat_params["flat"]).copy()

    np.testing.assert_allclose(run(True), run(False), rtol=1e-5, atol=1e-6)


def test_a_step_is_recorded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = 0
    forward = ReLU.forward

    def spy(self: Any, x: Any, *, training: bool = False) -> Any:
        nonlocal calls
        calls += training
        return forward(self, x, training=training)

    monkeypatch.setattr(ReLU, "forward", spy)
    for test in (None, (X[:9], LABELS[:9])):
        calls = 0
        list(Training(network("cpu"), X, LABELS, epochs=9, batch_size=40, rng=0, test=test))
        # called, called and traced, called to prove it; then in each epoch the last step and the ragged one
        assert calls == 1 + 2 + 1 + 9 * 2


def test_a_number_of_a_layer_changed_between_epochs() -> None:
    class Scale(Layer):
        factor = 1.0

        def forward(self, x: Any, *, training: bool = False) -> Any:
            return x * self.factor

        def backward(self, dout: Any) -> Any:
            return dout * self.factor

    def run(capture: bool) -> np.ndarray:
        net = network("cpu", Scale())
        for _ in Training(net, X, LABELS, epochs=4, batch_size=25, rng=0, capture=capture):
            net.layers["Scale1"].factor /= 2.0
        return net.flat_params["flat"].copy()

    np.testing.assert_array_equal(run(True), run(False))


class Keeps(Layer):
    """Layers that a recording cannot repeat."""

    kind, calls = "", 0

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind, self.mean, self.noise = kind, np.zeros(8, np.float32), np.random.default_rng(0)
        self.places, self.held = itertools.count(), [0.0]

    def forward(self, x: Any, *, training: bool = False) -> Any:
        xp = namespace_of(x)
        if not training:
            return x * 1.0
        if self.kind == "reads a value" and float(xp.max(x)) > 100.0:
            return x * 0.0
        if self.kind == "calls NumPy":
            return x * np.mean(x)
        if self.kind == "counts":
            self.calls += 1
            return x * (1.0 / self.calls)
        if self.kind == "counts in a list":
            self.held[0] += 1.0
            return x * (1.0 / self.held[0])
        if self.kind == "draws on the host":
            return x * self.noise.random(x.shape).astype("float32")
        if self.kind == "draws from everybody's generator":
            return x * np.random.rand(8).astype("float32")
        if self.kind == "writes outside":
            self.mean += 0.1 * xp.mean(x, axis=0)
        if self.kind == "keeps outside":
            self.mean = 0.9 * self.mean + 0.1 * xp.mean(x, axis=0)
        return x + self.mean

    def backward(self, dout: Any) -> Any:
        return dout * 1.0


@pytest.mark.parametrize(
    ("kind", "cause"),
    [
        ("reads a value", "a value is read from the device"),
        ("calls NumPy", "numpy.mean is NumPy's own"),
        ("counts", "Keeps1.calls changes from step to step"),
        ("counts in a list", "Keeps1.held changes from step to step"),
        ("draws on the host", "Keeps1.noise changes from step to step"),
        ("draws from everybody's generator", "draws from a global random generator"),
        ("writes outside", "Keeps1.mean changes from step to step"),
        ("keeps outside", "Keeps1.mean changes from step to step"),
    ],
)
def test_a_step_that_cannot_be_replayed_is_called(
    kind: str, cause: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def make() -> Network:
        np.random.seed(0)
        layer = Keeps(kind)
        del layer.places
        return network("cpu", layer)

    with pytest.warns(CaptureWarning, match=f"not captured but called each time, .*{cause}") as said:
        assert_same(make, exactly=True, optimizer=SGD(0.01))
    assert len(said) == 1


@pytest.mark.parametrize(("message", "said"), [((), "ValueError: "), (("one\ntwo",), "ValueError: one")])
def test_the_warning_shows_one_line_of_an_error(message: tuple[str, ...], said: str) -> None:
    class Picky(Identity):
        def forward(self, x: Any, *, training: bool = False) -> Any:
            if training and type(x) is not np.ndarray:
                raise ValueError(*message)
            return super().forward(x, training=training)

    with pytest.warns(CaptureWarning, match=rf"which is slower: {said} \(in Picky1 \(Picky\), .*\)$"):
        assert_same(lambda: network("cpu", Picky()), exactly=True)


def test_a_step_that_changes_a_class_is_called() -> None:
    class Counts(Identity):
        total = 0

        def forward(self, x: Any, *, training: bool = False) -> Any:
            Counts.total += training
            return super().forward(x, training=training) * (1.0 / max(1, Counts.total))

    def make() -> Network:
        Counts.total = 0
        return network("cpu", Counts())

    why = "class .*Counts changes in the step and is not in the state"
    with pytest.warns(CaptureWarning, match=f"slower: {why}$"):
        assert_same(make, exactly=True)


def test_an_iterator_cannot_be_inspected() -> None:
    with pytest.warns(CaptureWarning, match="Keeps1.places is an iterator") as said:
        assert_same(lambda: network("cpu", Keeps("")), exactly=True)
    assert len(said) == 1


class Scratch(Layer):
    """Keeps values for backward in attributes set in every step, as the book's layers do."""

    def forward(self, x: Any, *, training: bool = False) -> Any:
        self.shape, self.mask = x.shape, x > 0.0
        if not hasattr(self, "ones"):
            self.ones = np.ones(8, np.float32)
        return x * namespace_of(x).astype(self.mask, x.dtype) * self.ones

    def backward(self, dout: Any) -> Any:
        return dout * namespace_of(dout).astype(self.mask, dout.dtype)


def test_attributes_that_every_step_sets_are_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    monkeypatch.setattr(Scratch, "backward", spied(Scratch.backward, calls))
    assert_same(lambda: network("cpu", Scratch()), exactly=True, batch_size=25)
    assert len(calls) == 4 * 10 + (
        1 + 2 + 1 + 4
    )  # called; and captured: 1 + 2 + 1, and the last of each epoch


def spied(method: Callable[..., Any], calls: list[Any]) -> Callable[..., Any]:
    def spy(*args: Any, **options: Any) -> Any:
        calls.append(args)
        return method(*args, **options)

    return spy


def test_attributes_after_recording_are_from_the_called_step() -> None:
    seen = []

    def run(capture: bool) -> list[bytes]:
        net, seen = network("cpu", Scratch()), []

        def look(_: Any) -> None:
            layer = net.layers["Scratch1"]
            seen.append(layer.mask.tobytes() + net.flat_grads["flat"].tobytes())

        list(
            Training(net, X, LABELS, epochs=4, batch_size=25, rng=0, capture=capture, hook=look, hook_steps=7)
        )
        return seen

    assert run(True) == run(False)
    assert not seen


def test_an_optimizer_that_counts_is_called() -> None:
    class Decaying(Optimizer):
        step_number = 0

        def apply(self, params: Any, grads: Any, slots: Any, scalars: Any) -> None:
            self.step_number += 1
            for key in params:
                params[key] -= 0.1 / self.step_number * grads[key]

    with pytest.warns(CaptureWarning, match="Decaying.step_number changes from step to step") as warned:
        captured = trained(lambda: network("cpu"), True, optimizer=Decaying())
    assert len(warned) == 1
    np.testing.assert_equal(captured, trained(lambda: network("cpu"), False, optimizer=Decaying()))


@pytest.mark.parametrize("step", [9, 13, 14, 30])
def test_an_undetected_change_reruns_the_epoch(step: int) -> None:
    """A count in a closure, which a fingerprint cannot see, is detected by its results."""

    def make() -> Network:
        count = 0

        class Switch(Identity):
            def backward(self, dout: Any) -> Any:
                nonlocal count
                count += isinstance(dout, np.ndarray)
                return dout * (1.0 if count < step else 0.5)

        return network("cpu", Switch())

    with pytest.warns(CaptureWarning, match="a replayed step and a called one give different results"):
        params, _ = trained(make, True, batch_size=25, epochs=40)
    assert all(np.isfinite(value).all() for value in params.values())


def test_a_wrong_replay_is_found_and_corrected(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever goes wrong in a replay from its tenth call on, the epoch is run again, called."""
    replay, calls = NumpyReplay.__call__, 0

    def wrong(self: Any, *inputs: Any) -> Any:
        nonlocal calls
        calls += 1
        results = replay(self, *inputs)
        if calls >= 10:
            made.flat_params["flat"][0] += 1e-6
        return results

    def make() -> Network:
        nonlocal made
        made = network("cpu")
        return made

    made = network("cpu")
    expected = trained(make, False, batch_size=10, t=LABELS, epochs=3)
    monkeypatch.setattr(NumpyReplay, "__call__", wrong)
    seen: list[int] = []
    with pytest.warns(CaptureWarning, match="and a called one give different results"):
        got = trained(make, True, batch_size=10, epochs=3, hook=lambda t: seen.append(t.step), hook_steps=15)
    np.testing.assert_equal(got, expected)
    assert seen == [15, 30, 45, 60, 75]


def test_stopping_verifies_the_replays(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(capture: bool) -> tuple[int, np.ndarray]:
        net = network("cpu")
        training = Training(
            net, X, LABELS, epochs=2, batch_size=10, rng=0, capture=capture, progress_steps=13
        )
        training.on_progress.append(lambda _: training.stop())  # within a segment
        list(training)
        return training.step, net.flat_params["flat"].copy()

    expected = run(False)
    np.testing.assert_equal(run(True), expected)
    replay = NumpyReplay.__call__

    def wrong(self: Any, *inputs: Any) -> Any:
        results = replay(self, *inputs)
        if self.calls >= 8:
            self.inputs[0] += 0
            results = tuple(x + 1 for x in results)
        self.calls += 1
        return results

    monkeypatch.setattr(NumpyReplay, "calls", 0, raising=False)
    monkeypatch.setattr(NumpyReplay, "__call__", wrong)
    with pytest.warns(CaptureWarning, match="and a called one give different results"):
        np.testing.assert_equal(run(True), expected)


@pytest.mark.parametrize("what", ["results", "dtype", "shape", "number", "state", "gradients"])
@pytest.mark.parametrize(
    ("where", "steps", "why"),
    [
        ("trace", 2, "the step behaves differently when it is recorded"),
        ("replay 1", 2, "a replayed step and a called one give different results"),
        ("replay 2", 3, "a replayed step and a called one give different results"),
    ],
)
def test_every_run_of_a_new_recording_is_compared(
    where: str, steps: int, why: str, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The traced step, its replay, and the next replay: an error in any one of them is found at once."""
    net = network("cpu")
    trace, replay, ran = NumpyReplay.__init__, NumpyReplay.__call__, [""]

    def bent(results: Any) -> Any:
        if ran[-1] != where:
            return results
        if what in ("state", "gradients"):
            (net.flat_params if what == "state" else net.flat_grads)["flat"][0] += 1.0
        changes: dict[str, Callable[[Any], Any]] = {
            "results": lambda x: x + 1, "dtype": lambda x: x.astype("complex64"), "shape": lambda x: x[None]
        }  # fmt: skip
        results = tuple(map(changes.get(what, lambda x: x), results))
        return results[:1] if what == "number" else results

    def traced(self: Any, *args: Any) -> None:
        trace(self, *args)
        ran.append("trace")
        self.results = bent(self.results)

    def replayed(self: Any, *inputs: Any) -> Any:
        results = replay(self, *inputs)
        ran.append(f"replay {len(ran) - 1}")
        return bent(results)

    def run(net: Network, capture: bool) -> np.ndarray:
        recording = TrainStep(net, {"x": X, "t": LABELS}, SGD(0.1), 10, capture).capture
        recording.begin(10)
        for i in range(steps):
            recording.run(np.arange(10 * i, 10 * i + 10)[None, :], np.asarray([[0.1]], "float32"))
        return np.concatenate([net.flat_params["flat"], net.flat_grads["flat"]])

    expected = run(network("cpu"), False)
    monkeypatch.setattr(NumpyReplay, "__init__", traced)
    monkeypatch.setattr(NumpyReplay, "__call__", replayed)
    with pytest.warns(CaptureWarning, match=f"slower: {why}$"):
        np.testing.assert_array_equal(run(net, True), expected)


class Elsewhere:
    """The CPU under another name: a device where two computations may round differently."""

    device, replays_exactly = "gpu", False

    def __getattr__(self, name: str) -> Any:
        return getattr(get_backend("cpu"), name)


@pytest.mark.parametrize(
    ("home", "replays", "unproven"),
    [(get_backend("cpu"), [0, 1, 2, 3], [0, 0, 0, 1]), (Elsewhere(), [0, 1, 2, 3], [0, 1, 2, 3])],
)
def test_many_steps_at_once_are_compared_on_the_cpu(
    home: Any, replays: list[int], unproven: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On other devices the first of them is compared at once, and then the last of the segment, run alone."""
    calls: list[int] = []
    monkeypatch.setattr(NumpyReplay, "__call__", spied(NumpyReplay.__call__, calls))

    def run(net: Network, capture: bool) -> np.ndarray:
        recording = TrainStep(net, {"x": X, "t": LABELS}, SGD(0.1), 10, capture).capture
        recording.backend = home
        recording.begin(13)
        order, numbers = np.arange(130).reshape(13, 10), np.full((3, 1), 0.1, "float32")
        for i in range(4):
            recording.run(order[3 * i : 3 * i + 3], numbers)
            if capture:
                assert len(calls) == replays[i]
                assert recording.unverified == unproven[i]
                assert not recording.needs_rerun
        recording.verify(order[12:], numbers[:1])
        recording.settle()
        assert (recording.unverified, recording.why) == (0, "" if capture else "not asked for")
        return net.flat_params["flat"]

    np.testing.assert_array_equal(run(network("cpu"), True), run(network("cpu"), False))
    assert len(calls) == replays[-1] + 1


def test_many_wrong_steps_are_found_by_the_last_one(monkeypatch: pytest.MonkeyPatch) -> None:
    replay, calls = NumpyReplay.__call__, itertools.count()

    def wrong(self: Any, *inputs: Any) -> Any:
        return tuple(y + (next(calls) > 1) for y in replay(self, *inputs))

    monkeypatch.setattr(NumpyReplay, "__call__", wrong)
    recording = TrainStep(network("cpu"), {"x": X, "t": LABELS}, SGD(0.1), 10, True).capture
    recording.backend = Elsewhere()  # type: ignore[assignment]
    recording.begin(13)
    order, numbers = np.arange(130).reshape(13, 10), np.full((3, 1), 0.1, "float32")
    for i in range(4):
        recording.run(order[3 * i : 3 * i + 3], numbers)
    with pytest.warns(CaptureWarning, match="a replayed step and a called one give different results"):
        recording.verify(order[12:], numbers[:1])
    assert recording.settle(np.arange(3))[0].tolist() == [0, 1, 2]
    assert recording.needs_rerun


def test_a_wrong_first_step_is_found_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    replay = NumpyReplay.__call__
    monkeypatch.setattr(NumpyReplay, "__call__", lambda self, *xs: tuple(y + 1 for y in replay(self, *xs)))
    order, numbers = np.arange(40).reshape(4, 10), np.full((4, 1), 0.1, "float32")
    found = []
    for capture in (True, False):
        net = network("cpu")
        recording = TrainStep(net, {"x": X, "t": LABELS}, SGD(0.1), 10, capture).capture
        recording.backend = Elsewhere()  # type: ignore[assignment]
        recording.begin(4)
        wrong = pytest.warns(CaptureWarning, match="a replayed step and a called one give different results")
        with wrong if capture else nullcontext():
            results = recording.run(order, numbers)
        assert not recording.needs_rerun
        found.append([*results, net.flat_params["flat"]])
    for ours, expected in zip(*found, strict=True):
        np.testing.assert_array_equal(ours, expected)


def test_a_short_segment_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    monkeypatch.setattr(NumpyReplay, "__call__", spied(NumpyReplay.__call__, calls))
    for steps, replayed in ((3, False), (4, True)):
        calls.clear()
        list(Training(network("cpu"), X[: 10 * steps], LABELS[: 10 * steps], epochs=5, batch_size=10, rng=0))
        assert bool(calls) is replayed


def test_recordings_are_dropped_after_a_change() -> None:
    recording = TrainStep(network("cpu"), {"x": X, "t": LABELS}, SGD(0.1), 10, True).capture
    order, numbers = np.arange(50).reshape(5, 10), np.asarray([[0.1]], "float32")
    for i in range(4):
        recording.run(order[i : i + 1], numbers)
    assert recording.unverified == 0  # no stretch has begun
    recording.begin(10)
    assert not recording.drop_stale()
    for i in range(4):
        recording.run(order[i : i + 1], numbers)
    assert not recording.drop_stale()
    assert recording.unverified == 2
    recording.verify(order[4:], numbers)
    assert recording.unverified == 2  # the verdict is on the device
    assert recording.settle() == []
    assert recording.unverified == 0
    recording.run(order[:1], numbers)
    recording.fingerprinter.network.weight_decay = 0.5
    assert recording.drop_stale()
    assert not recording.drop_stale()
    recording.begin(10)
    assert recording.unverified == 0


def test_a_capture_is_not_pickled() -> None:
    with pytest.raises(TypeError, match="a step's capture cannot be pickled"):
        pickle.dumps(TrainStep(network("cpu"), {"x": X, "t": LABELS}, SGD(0.1), 10, True).capture)


def test_an_attribute_that_starts_to_change_is_named() -> None:
    """A count in a closure changes it in the verifying step of an epoch, so earlier replays may be wrong."""
    count = 0

    class Late(Identity):
        late = False

        def backward(self, dout: Any) -> Any:
            nonlocal count
            count += 1
            half = self.late
            if count == 5:  # called twice, traced, and called to prove the first replay and the last
                self.late = True
            return dout * (0.5 if half else 1.0)

    with pytest.warns(CaptureWarning, match="Late1.late changes in the step and is not in the state"):
        trained(lambda: network("cpu", Late()), True, batch_size=25)


@pytest.mark.parametrize("hook_steps", [None, 5])
def test_a_rerun_segment_starts_from_the_same_state(
    hook_steps: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The state has the parameters, the layers' state and the slots; the results start again, too."""
    replay, calls = NumpyReplay.__call__, 0

    def wrong(self: Any, *inputs: Any) -> Any:
        nonlocal calls
        calls += 1
        return tuple(x + (calls >= 6) for x in replay(self, *inputs))

    def run(capture: bool) -> Any:
        options: dict[str, Any] = {"optimizer": Momentum(0.05)}
        if hook_steps:
            options |= {"hook": lambda _: None, "hook_steps": hook_steps}
        return trained(lambda: network("cpu", Dropout(0.3, seed=1)), capture, batch_size=25, **options)

    expected = run(False)
    monkeypatch.setattr(NumpyReplay, "__call__", wrong)
    with pytest.warns(CaptureWarning, match="and a called one give different results"):
        np.testing.assert_equal(run(True), expected)


def test_stopping_reruns_wrong_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(capture: bool) -> dict[str, np.ndarray]:
        nets.append(network("cpu"))
        training = Training(
            nets[-1], X, LABELS, epochs=2, batch_size=10, rng=0, capture=capture, progress_steps=13
        )
        training.on_progress.append(lambda _: training.stop())  # within a segment
        list(training)
        return dict(training.checkpoint().arrays)

    nets: list[Network] = []
    expected, replay, calls = run(False), NumpyReplay.__call__, []

    def wrong(self: Any, *inputs: Any) -> Any:
        results = replay(self, *inputs)
        calls.append(results)
        nets[-1].flat_params["flat"][0] += float(len(calls) >= 8)
        return results

    monkeypatch.setattr(NumpyReplay, "__call__", wrong)
    with pytest.warns(CaptureWarning, match="and a called one give different results"):
        np.testing.assert_equal(run(True), expected)


def test_results_agree_only_with_equal_count_shape_and_dtype() -> None:
    recording, x = (
        TrainStep(network("cpu"), {"x": X, "t": LABELS}, SGD(0.1), 10, True).capture,
        np.ones(3, np.float32),
    )
    assert all(recording._alike([x], (x.copy(),)))
    for others in ([x.view(np.int32)], [x[None, :]], [np.ones(1, np.float32)], [], [x, x], [x + 1]):
        assert not all(recording._alike([x], others))
        assert not all(recording._alike(others, [x]))


def test_only_refused_threads_end_silently(monkeypatch: pytest.MonkeyPatch) -> None:
    class Threaded(Identity):
        failing = False

        def forward(self, x: Any, *, training: bool = False) -> Any:
            def compute() -> None:
                if self.failing:
                    raise ValueError("of its own")
                self.twice = x * 2.0

            thread = threading.Thread(target=compute)
            thread.start()
            thread.join()
            return super().forward(x, training=training)

    printed: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", lambda args: printed.append(args.exc_type))
    layer = Threaded()
    with pytest.warns(CaptureWarning, match="an array is used in another thread"):
        list(Training(network("cpu", layer), X, LABELS, epochs=1, batch_size=50, rng=0))
    assert not printed
    layer = Threaded()
    net, layer.failing = network("cpu", layer), True
    list(Training(net, X, LABELS, epochs=1, batch_size=50, rng=0))
    assert printed == [ValueError] * (1 + 1 + 2 + 1 + 1)  # a look at the shape; called, traced, proven twice


def test_the_hook_of_threads_returns_after_recordings_that_overlap() -> None:
    hook = threading.excepthook
    _quiet_threads.__enter__()
    quiet = threading.excepthook
    with _quiet_threads:
        _quiet_threads.__exit__()
        assert threading.excepthook == quiet != hook
    assert threading.excepthook is hook


def test_an_error_raised_only_while_recording_is_named() -> None:
    class Particular(Identity):
        def forward(self, x: Any, *, training: bool = False) -> Any:
            if type(x) is not np.ndarray:
                raise ValueError("only the real thing")
            return super().forward(x, training=training)

    with pytest.warns(CaptureWarning, match="ValueError: only the real thing"):
        assert_same(lambda: network("cpu", Particular()), exactly=True)


@pytest.mark.filterwarnings("ignore:after step 100 the network is no better than guessing")
def test_settings_changed_in_a_hook_take_effect_at_once() -> None:
    def run(capture: bool) -> np.ndarray:
        net, momentum = network("cpu", Dropout(0.1, seed=1)), Momentum(0.05)
        net.weight_decay = 0.01

        def change(training: Any) -> None:
            layer: Any = net.layers["Dropout1"]
            layer.ratio, net.weight_decay = 0.05 + layer.ratio, 2.0 * net.weight_decay
            momentum.lr, momentum.momentum = 0.9 * momentum.lr, 0.8
            net.params["W1"][0, 0] += 0.5
            net.state["drawn1"] = np.asarray(training.step)
            momentum.slots["v.flat"] = np.zeros_like(momentum.slots["v.flat"])

        list(Training(net, X, LABELS, epochs=4, batch_size=10, rng=0, optimizer=momentum, capture=capture, hook=change,
                 hook_steps=9))  # fmt: skip
        return np.concatenate([net.flat_params["flat"], momentum.slots["v.flat"]])

    np.testing.assert_array_equal(run(True), run(False))
    assert np.isfinite(run(True)).all()


def changed_by_progress(capture: bool, done: Callable[[], None] = lambda: None) -> np.ndarray:
    """The parameters after an epoch of 25 steps, with changes after the 14th."""
    net = network("cpu", Dropout(0.1, seed=1))
    layer: Any = net.layers["Dropout1"]

    def change(progress: Any) -> None:
        if progress.step == 14:
            layer.ratio += 0.2
            net.params["W1"][0, 0] += 0.5
            done()

    list(
        Training(
            net, X, LABELS, epochs=1, batch_size=10, rng=0, capture=capture, progress=change, progress_steps=7
        )
    )
    return net.flat_params["flat"].copy()


def test_changes_by_progress_take_effect_at_once() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", CaptureWarning)
        np.testing.assert_array_equal(changed_by_progress(True), changed_by_progress(False))


def test_changes_by_progress_stay_when_steps_are_rerun(monkeypatch: pytest.MonkeyPatch) -> None:
    replay, wrong = NumpyReplay.__call__, []
    monkeypatch.setattr(NumpyReplay, "__call__", lambda *args: tuple(x + len(wrong) for x in replay(*args)))
    expected = changed_by_progress(False)
    with pytest.warns(CaptureWarning, match="and a called one give different results"):
        np.testing.assert_array_equal(changed_by_progress(True, lambda: wrong.append(1)), expected)


@pytest.mark.parametrize("every", [7, 10, 12, 24])
def test_wrong_replays_before_progress_are_run_again(every: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where progress comes between the last whole batch, the 24th, and what is left."""

    def run(capture: bool) -> tuple[np.ndarray, list[float]]:
        nets.append(network("cpu"))
        losses: list[float] = []
        options: Any = {"progress": lambda p: losses.append(p.loss), "progress_steps": every}
        list(
            Training(
                nets[-1], X[:-5], LABELS[:-5], epochs=1, batch_size=10, rng=0, capture=capture, **options
            )
        )
        return nets[-1].flat_params["flat"].copy(), losses

    nets: list[Network] = []
    expected, replay, calls = run(False), NumpyReplay.__call__, []

    def wrong(self: Any, *inputs: Any) -> Any:
        results = replay(self, *inputs)
        calls.append(results)
        nets[-1].flat_params["flat"][0] += float(len(calls) >= 4)
        return results

    monkeypatch.setattr(NumpyReplay, "__call__", wrong)
    with pytest.warns(CaptureWarning, match="and a called one give different results"):
        np.testing.assert_equal(run(True), expected)


def test_results_of_wrong_replays_that_were_read_are_replaced(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not backend.can_record:
        return
    record = type(backend).record

    def recorded(self: Any, *args: Any) -> Any:
        replay, calls = record(self, *args), itertools.count()

        def wrong(*inputs: Any) -> Any:
            late = next(calls) >= 4
            return tuple(x + int(late) for x in replay(*inputs))

        wrong.results = replay.results  # type: ignore[attr-defined]
        return wrong

    def run(capture: bool) -> Any:
        training = Training(
            network(backend), X, LABELS, epochs=2, batch_size=10, rng=0, capture=capture, progress_steps=13
        )
        training.on_progress.append(lambda _: None)
        return [(metrics.loss, metrics.accuracy) for metrics in training]

    expected = run(False)
    monkeypatch.setattr(type(backend), "graph_steps", 1)
    monkeypatch.setattr(type(backend), "record", recorded)
    with pytest.warns(CaptureWarning, match="and a called one give different results"):
        np.testing.assert_allclose(run(True), expected, rtol=1e-6)


@pytest.mark.parametrize("capture", [False, True])
def test_a_hook_finds_the_optimizer_at_its_step(capture: bool) -> None:
    seen: list[tuple[int, int]] = []
    list(Training(network("cpu"), X, LABELS, epochs=2, batch_size=10, rng=0, capture=capture, hook_steps=7,
             hook=lambda training: seen.append((training.step, training.optimizer.steps))))  # fmt: skip
    assert seen == [(step, step) for step in range(7, 50, 7)]


def test_a_rate_set_in_a_hook_applies_to_the_next_step() -> None:
    net = network("cpu")
    sgd, seen = SGD(0.1), []

    def off(training: Any) -> None:
        sgd.lr = 0.0
        seen.append(net.flat_params["flat"].copy())

    list(Training(net, X, LABELS, epochs=1, batch_size=10, rng=0, optimizer=sgd, hook=off, hook_steps=11))
    np.testing.assert_array_equal(net.flat_params["flat"], seen[0])


def test_a_batch_too_large_for_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    class Hungry(Identity):
        def forward(self, x: Any, *, training: bool = False) -> Any:
            if training:
                raise MemoryError
            return x

    net = network("cpu", Hungry())
    run = Training(net, X, LABELS, epochs=1, batch_size=100)
    with pytest.raises(
        BatchTooLargeError, match=r"^out of memory on cpu: a step with a batch of 100 .* size of 50$"
    ):
        list(run)
    monkeypatch.setattr(type(net.backend), "free_memory", 12_000)
    with pytest.raises(BatchTooLargeError, match=r"and 0 MB are free; try a batch size of about 49$"):
        list(Training(net, X, LABELS, epochs=1, batch_size=100))


def test_the_memory_needed_by_a_batch() -> None:
    def said(batch: int, free: int | None) -> str:
        return str(BatchTooLargeError("gpu", batch, 2_000_000_000, free))

    needs = "out of memory on gpu: a step with a batch of 1,000 needs about 2,000 MB"
    assert said(1000, 1_500_000_000) == f"{needs} and 1,500 MB are free; try a batch size of about 750"
    assert said(1000, 1) == f"{needs} and 0 MB are free; try a batch size of about 1"
    assert said(1000, None) == f"{needs}; try a batch size of 500"
    assert said(1000, 0) == f"{needs} and 0 MB are free; try a batch size of 500"
    assert said(1, None).endswith("try a batch size of 1")


def test_changes_are_checked_after_progress_only(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[Any] = []
    monkeypatch.setattr(Fingerprinter, "take", spied(Fingerprinter.take, looks))

    def counted(every: int) -> int:
        looks.clear()
        options: Any = {"progress": lambda _: None, "progress_steps": every}
        list(Training(network("cpu"), X, LABELS, epochs=1, batch_size=10, rng=0, **options))
        return len(looks)

    once = counted(25)
    assert [counted(every) for every in (13, 12, 8, 6)] == [once + 2, once + 2, once + 4, once + 6]
    assert counted(3) == 0  # too short to be recorded


def test_data_too_large_for_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Any, values: Any, dtype: Any = None) -> Any:
        raise MemoryError

    net = network("cpu", Identity())
    monkeypatch.setattr(type(net.backend), "asarray", full)
    needed = (X.nbytes + LABELS.nbytes) / 1e6
    with pytest.raises(
        MemoryError, match=rf"^out of memory on cpu: the data need {needed:.0f} MB; give fewer"
    ):
        Training(net, X, LABELS, epochs=1)
    monkeypatch.setattr(type(net.backend), "free_memory", 12_000_000)
    with pytest.raises(MemoryError, match=r" MB, 12 MB are free; give fewer samples, or images as uint8"):
        Training(net, X, LABELS, epochs=1)


def test_computations_from_parameters_are_recorded(backend: Backend) -> None:
    class Decayed(Affine):
        """The gradient of an L2 penalty in the layer itself, as the book's networks add it."""

        def backward_params(self, dout: Any) -> None:
            super().backward_params(dout)
            self.grads["W"] = self.grads["W"] + 0.1 * self.params["W"]

    class WarmUp(SGD):
        """No change at first, when a step is recorded."""

        def scalars(self, step: int) -> tuple[float, ...]:
            return (0.0 if step < 12 else self.lr,)

    def make() -> Network:
        net = network(backend)
        return Network(
            [Decayed(**net.layers["Affine1"].params), ReLU(), Decayed(**net.layers["Affine2"].params)]
        )

    exactly = backend.replays_exactly
    assert_same(make, exactly=exactly, optimizer=WarmUp(0.1))
    assert_same(
        make, exactly=exactly, optimizer=WarmUp(0.1), sampling="with-replacement", iterations=40, epochs=None
    )


class Decay(SGD):
    """A learning rate that changes with every step."""

    def scalars(self, step: int) -> tuple[float, ...]:
        return (self.lr / step,)


def test_scalars_that_change_from_step_to_step(backend: Backend) -> None:
    assert_same(lambda: network(backend), exactly=backend.replays_exactly, optimizer=Decay(0.5))
    seen: list[np.ndarray] = []
    net = network(backend)
    start = backend.to_numpy(net.flat_params["flat"]).copy()
    run = Training(
        net,
        X[:1],
        LABELS[:1],
        iterations=6,
        batch_size=1,
        rng=0,
        optimizer=Decay(1e-4),
        sampling="with-replacement",
    )
    for _ in run:
        seen.append(backend.to_numpy(net.flat_params["flat"]) - start)
    sizes = [np.abs(after - before).max() for before, after in pairwise([np.zeros_like(start), *seen])]
    np.testing.assert_allclose(sizes, [sizes[0] / step for step in range(1, 7)], rtol=2e-2)


def test_several_steps_a_call(monkeypatch: pytest.MonkeyPatch) -> None:
    backend = get_backend("cpu")
    called = trained(lambda: network("cpu"), False, optimizer=Decay(0.5))
    monkeypatch.setattr(type(backend), "graph_steps", 4)
    seen: list[int] = []
    options = {"progress": lambda p: seen.append(p.step), "progress_steps": 3}
    np.testing.assert_equal(trained(lambda: network("cpu"), True, optimizer=Decay(0.5)), called)
    np.testing.assert_equal(trained(lambda: network("cpu"), True, optimizer=Decay(0.5), **options), called)
    assert seen == [7 * epoch + step for epoch in range(4) for step in (3, 6)]


def test_threads_record_independently() -> None:
    expected = trained(lambda: network("cpu"), False)
    with ThreadPoolExecutor(4) as pool:
        runs = [pool.submit(trained, lambda: network("cpu"), True) for _ in range(12)]
    for run in runs:
        np.testing.assert_equal(run.result(), expected)


def test_an_array_replaced_between_epochs() -> None:
    class Scaled(Identity):
        scale = np.ones(8, np.float32)

        def forward(self, x: Any, *, training: bool = False) -> Any:
            return super().forward(x, training=training) * self.scale

        def backward(self, dout: Any) -> Any:
            return dout * self.scale

    def run(capture: bool) -> np.ndarray:
        layer = Scaled()
        net = network("cpu", layer)
        for i, _ in enumerate(Training(net, X, LABELS, epochs=4, batch_size=50, rng=0, capture=capture)):
            layer.scale = np.full(8, 1.0 / (2 + i), np.float32)
        return net.flat_params["flat"].copy()

    np.testing.assert_array_equal(run(True), run(False))


def test_replaced_state_arrays_are_recorded_again() -> None:
    def run(capture: bool) -> np.ndarray:
        net, momentum = network("cpu"), Momentum(0.05)

        def exchange(_: Any) -> None:
            vars(momentum)["_slots"] = InPlaceDict({key: 0.5 * v for key, v in momentum.slots.items()})

        list(Training(net, X, LABELS, epochs=2, batch_size=10, rng=0, optimizer=momentum, capture=capture,
                 hook=exchange, hook_steps=9))  # fmt: skip
        return np.concatenate([net.flat_params["flat"], momentum.slots["v.flat"]])

    with warnings.catch_warnings():
        warnings.simplefilter("error", CaptureWarning)
        np.testing.assert_array_equal(run(True), run(False))


def test_objects_read_by_a_recording_stay_alive() -> None:
    """On a GPU it keeps reading the copies made for it."""
    copies: list[weakref.ref[Any]] = []

    class Held:
        def __deepcopy__(self, memo: Any) -> Any:
            copy = Held()
            copies.append(weakref.ref(copy))
            return copy

    layer: Any = Identity()
    layer.held = Held()
    alive = []
    list(Training(network("cpu", layer), X, LABELS, epochs=1, batch_size=10, rng=0, hook_steps=9,
             hook=lambda _: alive.append([copy() is not None for copy in copies])))  # fmt: skip
    assert alive == [[True], [True]]


def test_recordings_are_freed_after_fit() -> None:
    net = network("cpu")
    list(Training(net, X, LABELS, epochs=2, batch_size=50, rng=0))
    assert len(pickle.dumps(net)) < 10_000


def test_recordings_are_freed_with_the_training(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    """At once: a recording on a GPU has megabytes, and the garbage collector, which counts objects, comes late."""
    recorded: list[weakref.ref[Any]] = []
    record = type(backend).record

    def spied(self: Any, *args: Any) -> Any:
        replay = record(self, *args)
        recorded.append(weakref.ref(replay))
        return replay

    monkeypatch.setattr(type(backend), "record", spied)
    gc.disable()
    try:
        run = Training(network(backend), X, LABELS, epochs=2, batch_size=50, rng=0)
        list(run)
        assert bool(recorded) == backend.can_record
        del run
        assert not [replay for replay in recorded if replay()]
    finally:
        gc.enable()


@pytest.mark.parametrize("part", ["layer", "optimizer"])
def test_a_small_undetected_change_is_found_on_every_backend(part: str, backend: Backend) -> None:
    settings = {"layer": 1.0, "optimizer": 1.0}

    class Scaled(Identity):
        def forward(self, x: Any, *, training: bool = False) -> Any:
            return x * settings["layer"]

        def backward(self, dout: Any) -> Any:
            return dout * settings["layer"]

    class Scaling(SGD):
        def clipped(self, grads: Any) -> Any:
            return {key: g * settings["optimizer"] for key, g in grads.items()}

    def run(capture: bool) -> np.ndarray:
        settings.update(layer=1.0, optimizer=1.0)
        net = network(backend, Scaled())
        options: Any = {"optimizer": Scaling(0.1, max_norm=1.0), "capture": capture}
        for metrics in Training(net, X, LABELS, epochs=3, batch_size=25, rng=0, **options):
            if metrics.epoch == 2:
                settings[part] = 1.03
        return np.asarray(backend.to_numpy(net.flat_params["flat"]))

    with (
        pytest.warns(CaptureWarning, match="and a called one give different")
        if backend.can_record
        else nullcontext()
    ):
        captured = run(True)
    np.testing.assert_allclose(captured, run(False), rtol=0 if backend.replays_exactly else 1e-5, atol=1e-6)


class Kept(Layer):
    """Halves x once its own attributes count more than 20 calls."""

    def __init__(self) -> None:
        super().__init__()
        self.keep()

    def keep(self) -> None: ...

    def count(self) -> float:
        raise NotImplementedError

    def forward(self, x: Any, *, training: bool = False) -> Any:
        return x * (0.5 if self.count() > 20 else 1.0) if training else x * 1.0

    def backward(self, dout: Any) -> Any:
        return dout * 1.0


class OfRandom(Kept):
    def keep(self) -> None:
        self.draw = random.Random(1).random

    def count(self) -> float:
        return 21 * (self.draw() < 0.05)


class OfAppend(Kept):
    def keep(self) -> None:
        self.seen: list[int] = []
        self.note = self.seen.append

    def count(self) -> float:
        self.note(1)
        return len(self.seen)


class OnItsClass(Kept):
    draw: Any

    def keep(self) -> None:
        type(self).draw = staticmethod(random.Random(1).random)

    def count(self) -> float:
        return 21 * (self.draw() < 0.05)


class Unsightly:
    def __repr__(self) -> str:
        return "key"


class OfTwoKeys(Kept):
    def keep(self) -> None:
        self.counts = {Unsightly(): 0, Unsightly(): 0}

    def count(self) -> float:
        key = next(iter(self.counts))
        self.counts[key] += 1
        return self.counts[key]


class OfTwoClasses(Kept):
    def keep(self) -> None:
        def make() -> Any:
            class Own(Kept):
                calls = 0

            return Own()

        self.one, self.two = make(), make()

    def count(self) -> float:
        type(self.one).calls += 1
        return float(self.one.calls)


class OfItsClass(Kept):
    n = 0

    def count(self) -> float:
        n = self.n if isinstance(self.n, int) else 0
        self.n = n + 1
        return n


class OfItsType(Kept):
    n = 0

    def count(self) -> float:
        n = self.n if type(self.n) is int else 0
        self.n = n + 1
        return n


class OfItsText(Kept):
    n = 0

    def count(self) -> float:
        n = int(repr(self.n)) if repr(self.n).isdigit() else 0
        self.n = n + 1
        return n


class OfAShift(Kept):
    n = 1

    def count(self) -> float:
        try:
            n = self.n << 0
        except TypeError:
            n = 0
        self.n = n + 1
        return n


class OfWhatIsSaved(Kept):
    def count(self) -> float:
        n = self._saved or 0
        self.saved = n + 1
        return float(n)


class OfAFile(Kept):
    def keep(self) -> None:
        self.file = io.BytesIO(b"1\n" * 20 + b"21\n" * 500)

    def count(self) -> float:
        return float(self.file.readline())


class OfAnError(Kept):
    def keep(self) -> None:
        self.error = ValueError(0)

    def count(self) -> float:
        self.error.args = (self.error.args[0] + 1,)
        return float(self.error.args[0])


class OfAFactory(Kept):
    def keep(self) -> None:
        self.values: Any = collections.defaultdict(functools.partial(next, iter([1] * 20 + [21] * 500)))

    def count(self) -> float:
        value = self.values[0]
        self.values.clear()
        return float(value)


class OfALongRecord(Kept):
    def keep(self) -> None:
        self.record: Any = np.zeros(1, dtype=[("a", "f8", 2000)])[0]

    def count(self) -> float:
        self.record["a"][1000] += 1
        return float(self.record["a"][1000])


class OfADunder(Kept):
    __counts__: list[int]

    def keep(self) -> None:
        type(self).__counts__ = [0]

    def count(self) -> float:
        self.__counts__[0] += 1
        return self.__counts__[0]


class OfASubclass(Kept):
    def keep(self) -> None:
        self.random: Any = type("Own", (random.Random,), {"calls": 0})(0)

    def count(self) -> float:
        self.random.calls += 1
        return float(self.random.calls)


@pytest.mark.parametrize("kind", Kept.__subclasses__(), ids=lambda kind: kind.__name__)
def test_a_layer_that_counts_is_called(kind: type[Kept]) -> None:
    with pytest.warns(CaptureWarning, match="the step is not captured but called"):
        captured = trained(lambda: network("cpu", kind()), True, batch_size=10)
    np.testing.assert_equal(captured, trained(lambda: network("cpu", kind()), False, batch_size=10))


def test_an_array_overwritten_after_use_is_not_a_constant() -> None:
    class Buffer(Identity):
        def __init__(self) -> None:
            super().__init__()
            self.most = np.zeros(8, "float32")

        def forward(self, x: Any, *, training: bool = False) -> Any:
            xp = namespace_of(x)
            self.most[...] = 0.1
            y = xp.minimum(x, self.most)
            self.most[...] = 4.0
            return xp.minimum(y, self.most)

        def backward(self, dout: Any) -> Any:
            return dout * 1.0

    with pytest.warns(CaptureWarning, match="an array that is not in the state is written into"):
        captured = trained(lambda: network("cpu", Buffer()), True)
    np.testing.assert_equal(captured, trained(lambda: network("cpu", Buffer()), False))


def test_the_gradients_of_the_step_before_can_be_read() -> None:
    class Wary(Affine):
        def forward(self, x: Any, *, training: bool = False) -> Any:
            y = super().forward(x, training=training)
            if not training or "W" not in self.grads:
                return y
            xp = namespace_of(x)
            steep = xp.max(xp.abs(self.grads["W"])) > 0.016
            return y * xp.astype(xp.where(steep, 0.5, 1.0), y.dtype)

    def make() -> Network:
        return network("cpu", Wary(np.eye(8, dtype="float32"), np.zeros(8, "float32")))

    np.testing.assert_equal(trained(make, True, batch_size=10), trained(make, False, batch_size=10))


def test_a_partial_of_another_function_is_another() -> None:
    def low(most: float, x: Any) -> Any:
        return namespace_of(x).minimum(x, most)

    def high(most: float, x: Any) -> Any:
        return namespace_of(x).minimum(x, 1.0 + most)

    class Limited(Identity):
        def forward(self, x: Any, *, training: bool = False) -> Any:
            return self.limit(x)

        def backward(self, dout: Any) -> Any:
            return dout * 1.0

    def make() -> Network:
        layer: Any = Limited()
        layer.limit = functools.partial(high, 0.2)
        return network("cpu", layer)

    def exchange(training: Any) -> None:
        training.network.layers["Limited1"].limit = functools.partial(low, 0.2)

    options = {"hook": exchange, "hook_steps": 7, "batch_size": 10}
    np.testing.assert_equal(trained(make, True, **options), trained(make, False, **options))


def test_a_function_that_writes_into_its_argument_is_replayed() -> None:
    def sort(state: Any, x: Any) -> Any:
        xp = namespace_of(x)
        state["a"] += x
        backend.write_out(state["a"], xp.sort, state["a"])
        return (x * 1.0,)

    backend = get_backend("cpu")
    kept = {"a": np.zeros(3)}
    replay = backend.record(sort, [kept], [np.arange(3.0)])
    kept["a"][...] = 0.0
    replay(np.asarray([3.0, 1.0, 2.0]))
    assert kept["a"].tolist() == [1.0, 2.0, 3.0]
