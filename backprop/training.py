"""The training loop: batches, steps, and metrics once an epoch. It never prints.

Losses and counts stay on the device until the epoch ends; then one look at them tells whether one
was NaN or infinite. In that case the epoch is run again from its start, step by step, to find the
layer where it began, and the network is left as it was before that step's update.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from numbers import Integral
from typing import Any, Literal, get_args

import numpy as np

from backends import Array, backend_of, get_backend, namespace_of

from .layers import Layer
from .networks import Network, check_same_length
from .optimizers import SGD, Optimizer

Sampling = Literal["without-replacement", "with-replacement"]
LOOK_STEPS = 1000
"""After how many steps of a long epoch the loss is looked at, to stop a run that has diverged."""

SAMPLINGS: tuple[str, ...] = get_args(Sampling)


@dataclass(frozen=True)
class Metrics:
    """What is known at the end of an epoch."""

    epoch: int
    """Epochs so far, counting this one; the last may be a part of one."""
    step: int
    """Steps so far."""
    loss: float
    """Mean training loss over the epoch's steps, each before its update."""
    accuracy: float | None
    """The same for the accuracy on the batches; None where the loss does not classify."""
    test_loss: float | None
    """Loss on the test data after the epoch; None without test data."""
    test_accuracy: float | None
    """Accuracy on the test data after the epoch."""
    seconds: float
    """Training time so far, without the evaluations on test data."""


@dataclass(frozen=True)
class Progress:
    """What is known within an epoch, for a progress line."""

    step: int
    loss: float
    accuracy: float | None


class DivergenceError(ArithmeticError):
    """Training met a NaN or an infinity: at which step, and where it first appeared."""

    def __init__(self, step: int, where: str, state: str = "as it was before that step's update") -> None:
        super().__init__(
            f"training diverged at step {step}: the first NaN or infinity is in {where}; "
            f"the network is {state}; try a smaller learning rate"
        )
        self.step, self.where = step, where


class BatchTooLargeError(MemoryError):
    """A step does not fit into the device's memory: what it needs, what is free, which batch would fit."""

    def __init__(self, device: str, batch_size: int, needed: int, free: int | None) -> None:
        known = "" if free is None else f" and {free / 1e6:,.0f} MB are free"
        fits = f"about {max(batch_size * free // needed, 1):,}" if free else f"{max(batch_size // 2, 1):,}"
        super().__init__(
            f"out of memory on {device}: a step with a batch of {batch_size:,} needs about "
            f"{needed / 1e6:,.0f} MB{known}; try a batch size of {fits}"
        )


def fit(
    network: Network,
    x: Any,
    t: Any,
    *,
    optimizer: Optimizer | None = None,
    epochs: int | None = None,
    iterations: int | None = None,
    batch_size: int = 100,
    sampling: Sampling = "without-replacement",
    rng: np.random.Generator | int | None = None,
    test: tuple[Any, Any] | None = None,
    progress: Callable[[Progress], None] | None = None,
    progress_steps: int = 50,
    capture: bool = True,
) -> Iterator[Metrics]:
    """Train `network` on x and t; yield `Metrics` at the end of every epoch. Iterating trains.

    Parameters
    ----------
    x, t : host arrays, or arrays on the network's device. They go to the device once, as they are;
        uint8 inputs stay uint8 there and are divided by 255 batch by batch.
    optimizer : `SGD(0.1)` by default
    epochs, iterations : how long; give one. An epoch is ⌈N / batch_size⌉ steps.
    batch_size : samples a step; the last batch of an epoch without replacement may be smaller
    sampling : `"without-replacement"` takes every sample once an epoch, in a new order each time;
        `"with-replacement"` draws every batch from all samples, as the book does
    rng : a `numpy.random.Generator` or a seed for the order of the samples, drawn on the host
    test : `(x_test, t_test)` to evaluate on after every epoch
    capture : record the step and replay it where the backend can, which is faster; a step that cannot
        be recorded is called as it is, after a `backends.CaptureWarning` with the cause
    progress : called every `progress_steps` steps; reading the loss then waits for the device

    Raises `ValueError` for a target out of range or a batch larger than the data, before the
    first step; `DivergenceError` when a loss is no longer finite; `BatchTooLargeError` when a step
    does not fit into the device's memory.

    Source: *Deep Learning from Scratch*, section 5.7.4.

    >>> from backprop import TwoLayerNet, fit
    >>> rng = np.random.default_rng(0)
    >>> x = rng.standard_normal((200, 2)).astype("float32")
    >>> t = (x[:, 0] > x[:, 1]).astype("int64")
    >>> network = TwoLayerNet(2, 8, 2, weight_init_std=0.5, rng=0)
    >>> for metrics in fit(network, x, t, epochs=20, batch_size=10, rng=0):
    ...     pass
    >>> metrics.step, metrics.accuracy > 0.97
    (400, True)
    """
    check_same_length(x, t)
    n = x.shape[0]
    _check_whole(epochs=epochs, iterations=iterations, batch_size=batch_size, progress_steps=progress_steps)
    per_epoch = _check_batches(n, batch_size, sampling)
    total = _total_steps(epochs, iterations, per_epoch)
    if optimizer is not None and not isinstance(optimizer, Optimizer):
        raise TypeError(f"fit: expected an Optimizer, such as SGD(0.1), got {optimizer!r}")
    if test is not None and not (isinstance(test, (tuple, list)) and len(test) == 2):
        raise TypeError(f"fit: expected test=(x_test, t_test), got a {type(test).__name__}")
    run = _Run(network, *_on_device(network, x, t), optimizer or SGD(0.1), batch_size, capture)
    held_out = None if test is None else _on_device(network, *test)
    return _epochs(
        run, held_out, n, total, per_epoch, sampling, np.random.default_rng(rng), progress, progress_steps
    )


class _Run:
    """A network with its data on the device, and steps of training."""

    def __init__(
        self, network: Network, x: Array, t: Array, optimizer: Optimizer, batch_size: int, capture: bool
    ) -> None:
        self.network, self.optimizer, self.batch_size = network, optimizer, batch_size
        optimizer.prepare(network.flat_params if network.params else {})
        self.data = {"x": x, "t": t}
        self.capture = capture
        self._captured: Callable[..., tuple[Array, ...]] | None = None
        self._settings: list[Any] = []

    def batch(self, data: Mapping[str, Array], chosen: Array) -> tuple[Array, Array]:
        """The samples with these numbers, and their targets."""
        take = namespace_of(chosen).take
        return self.network.scaled(take(data["x"], chosen, axis=0)), take(data["t"], chosen, axis=0)

    def step(
        self, params: Any, grads: Any, slots: Any, data: Any, chosen: Array, numbers: Any
    ) -> tuple[Array, ...]:
        """Forward, loss, backward, update; the loss, and the count of the correct where there is one."""
        network, loss = self.network, self.network.last_layer
        x, t = self.batch(data, chosen)
        y = network.forward(x, training=True)
        value = network.penalized(loss.forward(y, t, training=True))
        correct = (loss.correct(y, t),) if loss.counts_correct else ()
        network.backward_params(self.optimizer.dout(numbers))
        self.optimizer.step(params, grads, slots, numbers)
        return value, *correct

    def steps(
        self, params: Any, grads: Any, state: Any, slots: Any, data: Any, rows: Array, numbers: Array
    ) -> tuple[Array, ...]:
        """A step for every row of sample numbers, with its row of the optimizer's numbers."""
        results, network = [], self.network
        with (
            network.flat_params.standing_in(params),
            network.flat_grads.standing_in(grads),
            network.state.standing_in(state),
        ):
            for i in range(rows.shape[0]):
                own = [numbers[i, j] for j in range(numbers.shape[1])]
                results.append(self.step(params, grads, slots, data, rows[i, ...], own))
        return tuple(_stacked(values) for values in zip(*results, strict=True))

    def runner(self) -> Callable[..., tuple[Array, ...]]:
        """`steps` as a function of the rows and the numbers, captured anew when a setting has changed."""
        network = self.network
        state = network.flat_params, network.flat_grads, network.state, self.optimizer.slots, self.data
        if not (self.capture and network.backend.has_views and network.params):
            return partial(self.steps, *state)
        settings = self.settings()
        given_up = getattr(self._captured, "why", "")
        if self._captured is None or (settings != self._settings and not given_up):
            self._captured = network.backend.capture(self.steps, *state, watch=self.settings)
            self._settings = settings
        return self._captured

    def settings(self) -> list[Any]:
        """What a recorded step has frozen."""
        return _settings(self.optimizer, self.network.last_layer, *self.network.layers.values())

    def forget(self) -> None:
        """Let go of what the layers have kept of the last step: with it, of a recording's arrays."""
        for node in (*self.network.layers.values(), self.network.last_layer):
            node.saved = None


class _Epoch:
    """One pass over the batches of an order of the samples; losses and counts stay on the device."""

    def __init__(self, run: _Run, order: np.ndarray, steps: int, done: int) -> None:
        self.run, self.samples, self.done = run, len(order), done
        network, size = run.network, run.batch_size
        self.backend, self.count = network.backend, steps
        numbers = [run.optimizer.numbers(run.optimizer.steps + i + 1) for i in range(steps)]
        self.order = self.backend.asarray(order)
        self.numbers = self.backend.asarray(np.asarray(numbers).reshape(steps, -1), dtype=network.dtype)
        self.full = len(order) // size
        self.rows = self.backend.xp.reshape(self.order[: self.full * size], (self.full, size))
        self.ran = 0
        self.results: list[tuple[int, tuple[Array, ...]]] = []

    def rows_of(self, start: int, stop: int) -> Array:
        """The sample numbers of steps that have batches of one size."""
        return (
            self.rows[start:stop, ...]
            if start < self.full
            else self.order[None, self.full * self.run.batch_size :]
        )

    def parts(self, look: int) -> Iterator[int]:
        """Run the epoch part by part; yields after every `look` steps."""
        runner = self.run.runner()
        most = self.backend.graph_steps if self.run.capture else 1
        while self.ran < self.count:
            start = self.ran
            until = min(start - start % look + look, self.count)
            stop = start + 1 if start >= self.full else min(start + most, until, self.full)
            self.results.append((stop, runner(self.rows_of(start, stop), self.numbers[start:stop, ...])))
            self.ran = stop
            if stop % look == 0:
                yield stop

    def read(self, first: int = 0) -> tuple[np.ndarray, float | None]:
        """The losses of the steps since `first`, and the share of their samples that was correct."""
        parts = [results for stop, results in self.results if stop > first]
        losses, *corrects = [
            self.backend.to_numpy(self.backend.xp.concat(values)) for values in zip(*parts, strict=True)
        ]
        if not corrects:
            return losses.astype(np.float64), None
        size = self.run.batch_size
        samples = min(self.ran * size, self.samples) - first * size
        return losses.astype(np.float64), int(corrects[0].sum()) / samples


def _epochs(
    run: _Run,
    test: tuple[Array, Array] | None,
    n: int,
    total: int,
    per_epoch: int,
    sampling: Sampling,
    rng: np.random.Generator,
    progress: Callable[[Progress], None] | None,
    progress_steps: int,
) -> Iterator[Metrics]:
    network, seconds, done, epoch = run.network, 0.0, 0, 0
    while done < total:
        began = time.perf_counter()
        epoch += 1
        order = _order(n, per_epoch * run.batch_size, sampling, rng)
        now = _Epoch(run, order, min(per_epoch, total - done), done)
        start = _Snapshot(run)
        for i in _within_memory(run, now.parts(progress_steps if progress else LOOK_STEPS)):
            losses, accuracy = now.read(i - progress_steps) if progress else now.read(i - 1)
            if not np.isfinite(losses).all():
                break
            if progress:
                progress(Progress(done + i, float(losses.mean()), accuracy))
        run.forget()
        losses, accuracy = now.read()
        if not (np.isfinite(losses).all() and _finite(network.flat_params["flat"])):
            raise _locate(now, start)
        done += now.count
        run.optimizer.steps += now.count
        seconds += time.perf_counter() - began
        test_loss, test_accuracy = (None, None) if test is None else network.evaluate_checked(*test)
        if test_loss is not None and not math.isfinite(test_loss):
            raise DivergenceError(done, "the loss on the test data", "trained up to that step")
        yield Metrics(epoch, done, float(losses.mean()), accuracy, test_loss, test_accuracy, seconds)


def _within_memory(run: _Run, steps: Iterator[int]) -> Iterator[int]:
    """The steps; where memory runs out, an error that says which batch would fit."""
    try:
        yield from steps
    except MemoryError:
        needed = run.batch_size * _bytes_per_sample(run)
        device, free = run.network.backend.device, run.network.backend.free_memory
    else:
        return
    raise BatchTooLargeError(device, run.batch_size, needed, free) from None


def _bytes_per_sample(run: _Run) -> int:
    """Roughly what a step holds for a sample: every layer's input and output, and their gradients."""
    network = run.network
    x = network.scaled(run.data["x"][:1, ...])
    numbers: int = math.prod(x.shape)
    for layer in network.layers.values():
        x = layer.forward(x)
        numbers += 3 * math.prod(x.shape)
    return numbers * int(network.dtype.removeprefix("float")) // 8


def _order(n: int, size: int, sampling: Sampling, rng: np.random.Generator) -> np.ndarray:
    """The indices of an epoch's samples, drawn on the host."""
    return rng.permutation(n) if sampling == "without-replacement" else rng.integers(0, n, size)


def _on_device(network: Network, x: Any, t: Any) -> tuple[Array, Array]:
    """x and t on the network's device, after a look at the targets on the host."""
    check_same_length(x, t)
    backend = network.backend
    try:
        x = backend.asarray(x) if _on_host(x) else x
        t = backend.asarray(t) if _on_host(t) else t
    except MemoryError:
        free = backend.free_memory
        known = "" if free is None else f", {free / 1e6:,.0f} MB are free"
        raise MemoryError(
            f"out of memory on {backend.device}: the data need {(x.nbytes + t.nbytes) / 1e6:,.0f} MB{known}; "
            "give fewer samples, or images as uint8, a quarter of float32"
        ) from None
    network.check_owned(x, "training data")
    network.check_owned(t, "target")
    return x, network.as_target_for(x, t)


def _on_host(array: Array) -> bool:
    return bool(get_backend("cpu").owns(array))


def _check_whole(**numbers: Any) -> None:
    for name, value in numbers.items():
        if value is not None and (not isinstance(value, Integral) or value < 1):
            raise ValueError(f"fit: expected {name} to be a whole number of at least 1, got {value!r}")


def _check_batches(n: int, batch_size: int, sampling: str) -> int:
    """The steps of an epoch."""
    if sampling not in SAMPLINGS:
        raise ValueError(f"unknown sampling {sampling!r}: expected one of {', '.join(SAMPLINGS)}")
    if batch_size > n:
        raise ValueError(f"expected a batch size from 1 to the {n} samples there are, got {batch_size}")
    return math.ceil(n / batch_size)


def _total_steps(epochs: int | None, iterations: int | None, per_epoch: int) -> int:
    if (epochs is None) == (iterations is None):
        raise ValueError("fit: give either epochs or iterations")
    return epochs * per_epoch if epochs is not None else iterations or 0


class _Snapshot:
    """All that a step changes, as it is now."""

    def __init__(self, run: _Run) -> None:
        network = run.network
        self.kinds = (network.flat_params, network.state, run.optimizer.slots)
        xp = network.backend.xp
        self.values = [
            {key: xp.asarray(value, copy=True) for key, value in kind.items()} for kind in self.kinds
        ]

    def restore(self) -> None:
        for kind, values in zip(self.kinds, self.values, strict=True):
            for key, value in values.items():
                kind[key] = value


def _locate(epoch: _Epoch, start: _Snapshot) -> DivergenceError:
    """Run the epoch again to where the first value is not finite, and stop before that update."""
    run, params = epoch.run, epoch.run.network.flat_params
    start.restore()
    for i in range(epoch.ran):
        before = _Snapshot(run)
        numbers = [epoch.numbers[i, j] for j in range(epoch.numbers.shape[1])]
        where = _first_bad(run, *run.batch(run.data, epoch.rows_of(i, i + 1)[0, ...]), numbers)
        if where is None:
            run.optimizer.step(params, run.network.flat_grads, run.optimizer.slots, numbers)
            where = None if _finite(params["flat"]) else "the updated parameters"
        if where:
            before.restore()
            run.optimizer.steps += i
            return DivergenceError(epoch.done + i + 1, where)
    return DivergenceError(epoch.done + epoch.ran, "a value that a second run did not meet")


def _first_bad(run: _Run, x: Array, t: Array, numbers: Any) -> str | None:
    """Forward and backward on one batch; the first value that is not finite, by name."""
    network = run.network
    if not _finite(x):
        return "the input"
    for name, layer in network.layers.items():
        x = layer.forward(x, training=True)
        if not _finite(x):
            return f"the output of {name}"
    if not _finite(network.last_layer.forward(x, t, training=True)):
        return f"the value of {network.last_layer.name}"
    dout = network.last_layer.backward(run.optimizer.dout(numbers))
    for name, layer in reversed(network.layers.items()):
        dout = layer.backward(dout)
        for key, gradient in layer.grads.items():
            if not _finite(gradient):
                return f"the gradient of {key} in {name}"
    return None


def _settings(*parts: Any) -> list[Any]:
    """What a recorded step has frozen of layers, loss and optimizer: numbers, names, switches, arrays."""
    return [
        {key: _frozen(value) for key, value in vars(part).items() if key not in CARRIED} for part in parts
    ]


CARRIED = ("_saved", "_params", "_grads", "state", "slots", "steps", "cache")
"""Attributes that a step may change: they are given to it, or no later step depends on them."""


def _frozen(value: Any) -> Any:
    """A value to compare, for what may change under a recording; arrays by identity."""
    if isinstance(value, int | float | str | bool | type(None) | np.generic):
        return type(value), repr(value)
    if isinstance(value, np.random.Generator):
        return repr(value.bit_generator.state)
    if isinstance(value, Mapping):
        return [(repr(key), _frozen(item)) for key, item in value.items()]
    if isinstance(value, list | tuple):
        return [_frozen(item) for item in value]
    if isinstance(value, Layer):
        return _settings(value)
    return _Same(value)


class _Same:
    """Equal to the same object alone, and keeps it alive so that no other takes its place."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.value is other.value


def _stacked(values: Sequence[Array]) -> Array:
    """0-d arrays as one vector, a few at a time: for more, CuPy sends their addresses from the host."""
    xp = namespace_of(values[0])
    parts = [xp.reshape(value, (1,)) for value in values]
    while len(parts) > 1:
        parts = [xp.concat(parts[i : i + 8]) for i in range(0, len(parts), 8)]
    return parts[0]


def _finite(array: Array) -> bool:
    xp = namespace_of(array)
    return bool(backend_of(array).to_numpy(xp.all(xp.isfinite(array))))
