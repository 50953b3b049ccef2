"""The training loop."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import backprop.training.loop
import backprop.training.step
from backends import Backend, get_backend
from backends.numpy.replay import NumpyReplay
from backprop import (
    SGD,
    Affine,
    DivergenceError,
    MeanSquaredError,
    MultiLayerNet,
    Network,
    Optimizer,
    Training,
    TwoLayerNet,
)
from backprop.inputs import InputWarning
from backprop.training.fitting import fit
from backprop.training.loop import Metrics, Progress


def blobs(n: int = 250, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    t = rng.integers(0, 3, n)
    return (rng.standard_normal((n, 4)) + 3.0 * np.eye(3, 4)[t]).astype("float32"), t


def net(backend: Backend | str, dtype: str = "float32") -> TwoLayerNet:
    return TwoLayerNet(4, 8, 3, weight_init_std=0.3, dtype=dtype, device=backend, rng=0)


def host_params(network: Network) -> np.ndarray:
    return network.backend.to_numpy(network.flat_params["flat"]).copy()


def step_losses(backend: Backend | str, sampling: Any) -> list[float]:
    """The loss of each of 200 steps, with a ragged last batch every epoch."""
    losses: list[float] = []
    run = Training(
        net(backend, "float64"), *blobs(), iterations=200, batch_size=40, sampling=sampling, rng=1,
        progress=lambda p: losses.append(p.loss), progress_steps=1,
    )  # fmt: skip
    list(run)
    return losses


@pytest.mark.parametrize("sampling", ["without-replacement", "with-replacement"])
def test_same_seed_same_losses_on_every_backend(sampling: Any, backend: Backend) -> None:
    ours = step_losses(backend, sampling)
    assert len(ours) == 200
    np.testing.assert_allclose(ours, step_losses("cpu", sampling), rtol=1e-6)


def test_learns_and_counts(backend: Backend) -> None:
    metrics = list(Training(net(backend), *blobs(), epochs=8, batch_size=40, rng=0, test=blobs(100, seed=1)))
    assert [m.epoch for m in metrics] == list(range(1, 9))
    assert [m.step for m in metrics] == list(range(7, 57, 7))
    last = metrics[-1]
    assert isinstance(last, Metrics)
    assert last.loss < metrics[0].loss
    assert last.accuracy is not None
    assert last.test_accuracy is not None
    assert last.accuracy > 0.85
    assert last.test_accuracy > 0.85
    assert last.test_loss == pytest.approx(0.4, abs=0.3)
    assert last.seconds > metrics[0].seconds > 0.0


def test_a_step_computes_the_expected_update(backend: Backend) -> None:
    x, t = blobs(40)
    network, reference = net(backend, "float64"), net("cpu", "float64")
    (metrics,) = Training(network, x, t, iterations=1, batch_size=40, rng=0)
    assert metrics.loss == pytest.approx(float(reference.loss(x, t)), rel=1e-6)
    assert metrics.accuracy == reference.accuracy(x, t)
    for name, grad in reference.gradient(x, t).items():
        expected = reference.params[name] - 0.1 * grad
        np.testing.assert_allclose(
            network.backend.to_numpy(network.params[name]), expected, rtol=1e-5, atol=1e-8
        )


def test_every_sample_once_an_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[np.ndarray] = []
    batch = backprop.training.step.TrainStep.batch

    def spy(self: Any, data: Any, chosen: np.ndarray) -> Any:
        x, t = batch(self, data, chosen)
        seen.append(x[:, 0])
        return x, t

    monkeypatch.setattr(backprop.training.step.TrainStep, "batch", spy)
    x, t = blobs(103)
    list(Training(net("cpu"), x, t, epochs=2, batch_size=10, rng=0, capture=False))
    assert [len(part) for part in seen] == [*[10] * 10, 3, *[10] * 10, 3]
    first, second = np.concatenate(seen[:11]), np.concatenate(seen[11:])
    assert sorted(first) == sorted(second) == sorted(x[:, 0])
    assert list(first) != list(second)
    seen.clear()
    list(
        Training(net("cpu"), x, t, epochs=1, batch_size=10, rng=0, sampling="with-replacement", capture=False)
    )
    assert [len(part) for part in seen] == [10] * 11
    assert len(set(np.concatenate(seen))) < 103


def test_iterations_end_within_an_epoch(backend: Backend) -> None:
    metrics = list(Training(net(backend), *blobs(), iterations=10, batch_size=40, rng=0))
    assert [(m.epoch, m.step) for m in metrics] == [(1, 7), (2, 10)]
    assert metrics[-1].test_accuracy is None


def test_bytes_and_floats_train_alike(backend: Backend) -> None:
    rng = np.random.default_rng(0)
    pixels, t = rng.integers(0, 256, (60, 2, 2), dtype=np.uint8), rng.integers(0, 3, 60)
    flat = []
    for x in (pixels, pixels.astype(np.float32) * np.float32(1 / 255)):
        network = net(backend)
        list(Training(network, x, t, epochs=2, batch_size=10, rng=0))
        flat.append(host_params(network))
    np.testing.assert_array_equal(*flat)


def test_one_hot_labels_train_alike(backend: Backend) -> None:
    x, t = blobs(60)
    flat = []
    for labels in (t, np.eye(3)[t]):
        network = net(backend)
        list(Training(network, x, labels, epochs=2, batch_size=10, rng=0))
        flat.append(host_params(network))
    np.testing.assert_allclose(*flat, rtol=1e-6)  # NumPy lays the products out otherwise, and rounds so


def test_the_default_optimizer_is_sgd_with_rate_a_tenth(backend: Backend) -> None:
    flat = []
    for options in ({}, {"optimizer": SGD(0.1)}):
        network = net(backend)
        list(Training(network, *blobs(), epochs=1, batch_size=50, rng=0, **options))  # type: ignore[arg-type]
        flat.append(host_params(network))
    np.testing.assert_array_equal(*flat)
    network = net(backend)
    assert [m.step for m in Training(network, *blobs(), epochs=1, rng=0)] == [3]  # of a hundred samples each


def test_device_arrays_are_used_as_they_are(backend: Backend) -> None:
    x, t = (backend.asarray(values) for values in blobs())
    assert next(iter(Training(net(backend), x, t, epochs=1, batch_size=50, rng=0))).step == 5


def test_float32_stays_float32(backend: Backend) -> None:
    network = net(backend)
    list(Training(network, *blobs(), epochs=1, batch_size=50, optimizer=SGD(np.float64(0.1)), rng=0))
    assert all(value.dtype == backend.dtype("float32") for value in network.params.values())


def test_regression(backend: Backend) -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((200, 2))
    t = x @ np.asarray([[2.0], [-1.0]]) + 0.5
    layer = Affine(backend.asarray(np.zeros((2, 1))), backend.asarray(np.zeros(1)))
    *_, last = Training(Network([layer], MeanSquaredError()), x, t, epochs=30, batch_size=20, rng=0)
    assert last.loss < 1e-6
    assert last.accuracy is None
    np.testing.assert_allclose(backend.to_numpy(layer.params["W"]), [[2.0], [-1.0]], atol=1e-3)


def test_progress(backend: Backend) -> None:
    seen: list[Progress] = []
    list(
        Training(
            net(backend), *blobs(), epochs=2, batch_size=40, rng=0, progress=seen.append, progress_steps=3
        )
    )
    assert [p.step for p in seen] == [3, 6, 10, 13]
    assert all(math.isfinite(p.loss) and p.accuracy is not None and 0.0 <= p.accuracy <= 1.0 for p in seen)


@pytest.mark.parametrize("sampling", ["without-replacement", "with-replacement"])
def test_progress_is_the_mean_of_the_steps_since_the_last_one(sampling: Any) -> None:
    def told(every: int) -> list[Progress]:
        seen: list[Progress] = []
        options: Any = {"progress": seen.append, "progress_steps": every, "sampling": sampling}
        metrics = list(Training(net("cpu", "float64"), *blobs(), epochs=2, batch_size=40, rng=0, **options))
        if every == 7:
            assert [(p.loss, p.accuracy) for p in seen] == [(m.loss, m.accuracy) for m in metrics]
        return seen

    single = told(1)
    assert [p.step for p in single] == list(range(1, 15))
    last = 10 if sampling == "without-replacement" else 40
    for every, ends in ((2, [2, 4, 6, 9, 11, 13]), (3, [3, 6, 10, 13]), (7, [7, 14])):
        several = told(every)
        assert [p.step for p in several] == ends
        for p in several:
            steps = single[p.step - every : p.step]
            sizes = [last if step.step % 7 == 0 else 40 for step in steps]
            correct = [round(step.accuracy * size) for step, size in zip(steps, sizes, strict=True)]  # type: ignore[operator]
            assert p.loss == pytest.approx(np.mean([step.loss for step in steps]), rel=1e-12)
            assert p.accuracy == sum(correct) / sum(sizes)


def test_progress_and_hook_are_called_on_time_when_steps_are_replayed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def told() -> list[Any]:
        seen: list[Any] = []
        run = Training(
            net("cpu"), *blobs(), epochs=3, batch_size=8, rng=0, progress=seen.append, progress_steps=5,
            hook=lambda training: seen.append((training.step, host_params(training.network).tobytes())), hook_steps=12,
        )  # fmt: skip
        list(run)
        return seen

    expected, calls = told(), []
    replay = NumpyReplay.__call__
    monkeypatch.setattr(NumpyReplay, "__call__", lambda *args: (calls.append(len(args[1])), replay(*args))[1])
    assert [seen[0] for seen in expected if isinstance(seen, tuple)] == [12, 24, 36, 48, 60, 72, 84, 96]
    for steps in (3, 50):
        calls.clear()
        monkeypatch.setattr(type(get_backend("cpu")), "graph_steps", steps)
        assert told() == expected
        assert max(calls) == min(steps, 5)


def test_a_hook_is_called_every_so_many_steps() -> None:
    seen: list[int] = []

    def run(**options: Any) -> list[int]:
        seen.clear()
        list(Training(net("cpu"), *blobs(), epochs=2, batch_size=40, rng=0, **options))
        return list(seen)

    def hook(training: Any) -> None:
        seen.append(training.step)

    assert run(hook=hook, hook_steps=3) == [3, 6, 9, 12]
    assert run(hook=hook, hook_steps=7) == [7, 14]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_divergence_names_step_and_layer_and_keeps_the_last_good_network(backend: Backend) -> None:
    x, t = blobs()
    network = net(backend)
    with pytest.raises(
        DivergenceError, match=r"diverged at step \d+: the first NaN or infinity is in the .*Affine"
    ) as caught:
        list(Training(network, x, t, epochs=3, batch_size=40, optimizer=SGD(1e30), rng=0))
    assert np.isfinite(host_params(network)).all()
    reference = net(backend)
    steps = caught.value.step - 1
    assert 1 <= steps < 21
    list(Training(reference, x, t, iterations=steps, batch_size=40, optimizer=SGD(1e30), rng=0))
    np.testing.assert_array_equal(host_params(network), host_params(reference))


def test_nan_in_the_input_is_named(backend: Backend) -> None:
    x, t = blobs()
    x[130, 2] = math.nan
    network = net(backend)
    before = host_params(network)
    with pytest.raises(ValueError, match=r"x: nan in row 130, column 2 \(counted from 0\): expected finite"):
        Training(network, x, t, epochs=1, batch_size=10, rng=0)
    with pytest.raises(ValueError, match=r"the test data's x: nan in row 130, column 2"):
        Training(network, *blobs(), epochs=1, batch_size=10, rng=0, test=(x, t))
    np.testing.assert_array_equal(host_params(network), before)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_nan_in_the_weights_is_named(backend: Backend) -> None:
    network = net(backend)
    network.params["b2"] = network.params["b2"] + math.inf
    with pytest.raises(
        DivergenceError, match="step 1: the first NaN or infinity is in the output of Affine2"
    ):
        list(Training(network, *blobs(), epochs=1, batch_size=10, rng=0))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"epochs": 1, "batch_size": 251},
            "expected a batch size from 1 to the 250 samples given, got 251",
        ),
        ({"epochs": 1, "hook_steps": 0}, "expected hook_steps to be a whole number of at least 1, got 0"),
        ({"epochs": 1, "hook": print}, "a hook needs hook_steps, the number of steps between its calls"),
        ({"epochs": 1, "hook_steps": 3}, "hook_steps=3 needs a hook, the function to call: give hook="),
        ({"iterations": 0}, "expected iterations to be a whole number of at least 1, got 0"),
        ({"epochs": 1, "batch_size": 0}, "expected batch_size to be a whole number of at least 1, got 0"),
        ({}, "give either epochs or iterations"),
        ({"epochs": 1, "iterations": 1}, "give either epochs or iterations"),
        ({"epochs": 0}, "expected epochs to be a whole number of at least 1, got 0"),
        (
            {"epochs": 1, "sampling": "sorted"},
            "unknown sampling 'sorted': expected one of without-replacement, with",
        ),
    ],
)
def test_wrong_options_before_the_first_step(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Training(net("cpu"), *blobs(), **options)


def test_wrong_data_before_the_first_step(backend: Backend) -> None:
    x, t = blobs()
    with pytest.raises(ValueError, match="expected labels 0 to 2, got 3"):
        Training(net(backend), x, np.where(np.arange(250) == 200, 3, t), epochs=1)
    with pytest.raises(ValueError, match="250 samples but 249 targets"):
        Training(net(backend), x, t[1:], epochs=1)
    with pytest.raises(ValueError, match=r"Affine1: expected input \(N, 4\), got \(1, 3\)"):
        Training(net(backend), x[:, :3], t, epochs=1)
    with pytest.raises(ValueError, match="expected labels 0 to 2, got -1"):
        Training(net(backend), x, t, epochs=1, test=(x, t - 1))


def test_data_that_are_not_arrays_or_on_another_device(backend: Backend) -> None:
    x, t = blobs()
    with pytest.raises(TypeError, match="expected an array .* got list"):
        Training(net(backend), x.tolist(), t, epochs=1)
    with pytest.raises(ValueError, match="expected an array of samples, got a single number"):
        Training(net(backend), x, np.asarray(3), epochs=1)
    if backend.name != "strict":
        elsewhere = get_backend("strict").asarray(x)
        with pytest.raises(TypeError, match=r"the training data is on strict \(device1\); convert it"):
            Training(net(backend), elsewhere, t, epochs=1)
        with pytest.raises(TypeError, match=r"the target is on strict \(device1\); convert it"):
            Training(net(backend), x, get_backend("strict").asarray(t), epochs=1)


@pytest.mark.parametrize("lr", [-0.1, math.nan, math.inf])
def test_wrong_learning_rate(lr: float) -> None:
    with pytest.raises(ValueError, match="expected a finite learning rate of at least 0"):
        SGD(lr)


def test_host_is_only_read_at_the_end_of_an_epoch(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = 0
    to_numpy = type(backend).to_numpy

    def spy(self: Backend, array: Any) -> Any:
        nonlocal calls
        calls += 1
        return to_numpy(self, array)

    run = Training(net(backend), *blobs(), epochs=3, batch_size=10, rng=0, test=blobs(30))
    monkeypatch.setattr(type(backend), "to_numpy", spy)
    list(run)
    assert calls == 3 * (3 + 2)  # losses, counts, whether the parameters are finite; test loss and count


@pytest.mark.only("strict")
def test_a_step_does_not_wait_for_the_device(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    run = backprop.training.step.TrainStep(
        net(backend), dict(zip("xt", map(backend.asarray, blobs()), strict=True)), SGD(0.1), 10, False
    )

    def refuse(*_: Any) -> None:
        raise AssertionError("a step read a value from the device")

    for name in ("__float__", "__bool__", "__int__", "__index__", "__complex__", "to_device"):
        monkeypatch.setattr(type(run.data["x"]), name, refuse)
    numbers = backend.asarray([[0.1]], dtype="float32")
    run.capture.call(backend.asarray(np.arange(250))[None, :], numbers)


def test_invalid_options() -> None:
    for options, message in [
        ({"epochs": 1.5}, "expected epochs to be a whole number of at least 1, got 1.5"),
        ({"epochs": 1, "batch_size": 10.0}, "expected batch_size to be a whole number"),
        ({"epochs": True}, "expected epochs to be a whole number of at least 1, got True"),
        (
            {"epochs": 1, "progress_steps": 0},
            "expected progress_steps to be a whole number of at least 1, got 0",
        ),
        ({"epochs": 1, "optimizer": 0.1}, r"expected an Optimizer, such as SGD\(0.1\), got 0.1"),
        ({"epochs": 1, "test": (*blobs(), 1)}, r"expected test=\(x_test, t_test\), got a tuple"),
        ({"epochs": 1, "test": blobs()[0]}, r"expected test=\(x_test, t_test\), got a ndarray"),
    ]:
        with pytest.raises((TypeError, ValueError), match=message):
            Training(net("cpu"), *blobs(), **options)  # type: ignore[arg-type]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_divergence_in_the_last_update(backend: Backend) -> None:
    network = net(backend)
    before = host_params(network)
    with pytest.raises(
        DivergenceError, match="step 1: the first NaN or infinity is in the (updated parameters|gradient of)"
    ) as caught:
        list(Training(network, *blobs(), iterations=1, optimizer=SGD(1e300), rng=0))
    assert caught.value.step == 1
    np.testing.assert_array_equal(host_params(network), before)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("progress", [None, lambda progress: None])
def test_a_diverged_epoch_is_not_run_to_its_end(progress: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = 0
    step = backprop.training.step.TrainStep.__call__

    def spy(self: Any, *args: Any) -> Any:
        nonlocal steps
        steps += 1
        return step(self, *args)

    monkeypatch.setattr(backprop.training.step.TrainStep, "__call__", spy)
    monkeypatch.setattr(backprop.training.loop, "CHECK_STEPS", 20)
    with pytest.raises(DivergenceError):
        list(
            Training(
                net("cpu"), *blobs(), epochs=1, batch_size=1, optimizer=SGD(1e30), rng=0, progress=progress,
                capture=False,
            )
        )  # fmt: skip
    assert steps <= 50


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int32", "bool one-hot", "float one-hot"])
def test_labels_of_every_dtype(dtype: str, backend: Backend) -> None:
    x, t = blobs(60)
    labels = np.eye(3)[t].astype(dtype.split()[0]) if "one-hot" in dtype else t.astype(dtype)
    (metrics,) = Training(net(backend), x, labels, epochs=1, batch_size=20, rng=0, test=(x, labels))
    (expected,) = Training(net(backend), x, t, epochs=1, batch_size=20, rng=0, test=(x, t))
    assert (metrics.loss, metrics.test_accuracy) == (expected.loss, expected.test_accuracy)


def test_big_endian_data(backend: Backend) -> None:
    x, t = blobs(60)
    (metrics,) = Training(net(backend), x.astype(">f4"), t.astype(">i8"), epochs=1, batch_size=20, rng=0)
    (expected,) = Training(net(backend), x, t, epochs=1, batch_size=20, rng=0)
    assert metrics.loss == expected.loss


def test_custom_optimizer(backend: Backend) -> None:
    class Plain(Optimizer):
        """SGD that leaves the scale alone."""

        def apply(self, params: Any, grads: Any, slots: Any, scalars: Any) -> None:
            for key in params:
                params[key] -= 0.1 * grads[key]

    flat = []
    for optimizer in (Plain(), SGD(0.1)):
        network = net(backend, "float64")
        list(Training(network, *blobs(), epochs=2, batch_size=40, rng=0, optimizer=optimizer))
        flat.append(host_params(network))
    np.testing.assert_allclose(*flat, rtol=1e-10, atol=1e-12)
    with pytest.raises(NotImplementedError, match="an optimizer has a rule or an apply"):
        Optimizer().update({"W": np.ones(1)}, {"W": np.ones(1)})


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_divergence_in_the_penalty_is_found_before_the_update(backend: Backend) -> None:
    x, t = blobs()
    rng = np.random.default_rng(0)
    W = backend.asarray(rng.standard_normal((4, 3)))
    network = Network([Affine(W, backend.asarray(np.zeros(3)))], weight_decay=1e308)
    before = host_params(network)
    with pytest.raises(DivergenceError, match="step 1: .*the penalty of weight decay; .* before that step's"):
        list(Training(network, x.astype(np.float64), t, iterations=3, optimizer=SGD(1e-300), rng=0))
    np.testing.assert_array_equal(host_params(network), before)


def test_an_error_leaves_the_optimizer_at_its_step(backend: Backend) -> None:
    def fail(progress: Any) -> None:
        assert optimizer.steps == progress.step
        if progress.step == 6:
            raise RuntimeError("enough")

    optimizer = SGD(0.1)
    options: Any = {"optimizer": optimizer, "progress": fail, "progress_steps": 3, "rng": 0}
    with pytest.raises(RuntimeError, match="enough"):
        list(Training(net(backend), *blobs(), epochs=1, batch_size=10, **options))
    assert optimizer.steps == 6


@pytest.mark.parametrize("batch_size", [1, 3, 7, 9])
def test_a_batch_of_one_is_refused_before_the_first_step(batch_size: int) -> None:
    x, t = blobs(64)

    def make() -> MultiLayerNet:
        return MultiLayerNet(4, [6], 3, use_batchnorm=True, rng=0)

    network = make()
    before = host_params(network)
    with pytest.raises(ValueError, match=f"64 samples in batches of {batch_size} leave one alone: BatchNorm"):
        Training(network, x, t, epochs=1, batch_size=batch_size)
    np.testing.assert_array_equal(host_params(network), before)
    assert float(network.state["running_weight1"]) == 0.0
    list(Training(make(), x, t, epochs=1, batch_size=10))
    list(Training(net("cpu"), x, t, epochs=1, batch_size=9))
    if batch_size > 1:
        list(Training(make(), x, t, iterations=2, batch_size=batch_size))


@pytest.mark.filterwarnings("ignore:(overflow|invalid value):RuntimeWarning")
def test_divergence_on_large_inputs_suggests_scaling() -> None:
    x = np.random.default_rng(0).standard_normal((60, 4)).astype("float32") * np.float32(1e6)
    t = (x[:, 0] > 0.0).astype(int)
    network = TwoLayerNet(4, 8, 2, weight_init_std=1.0, rng=0)
    with (
        pytest.warns(InputWarning, match="the inputs are large"),
        pytest.raises(DivergenceError, match=r"scale them, or standardize every column; a smaller learning"),
    ):
        fit(network, x, t, optimizer=SGD(10.0), epochs=40, batch_size=10, rng=0)
