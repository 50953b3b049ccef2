"""The training loop: batches, steps, and metrics once an epoch. It never prints.

Losses and counts stay on the device until the epoch ends; then one look at them tells whether one
was NaN or infinite. In that case the epoch is run again from its start, step by step, to find the
layer where it began, and the network is left as it was before that step's update.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from numbers import Integral
from typing import Any, Literal, get_args

import numpy as np

from backends import Array, backend_of, get_backend, namespace_of

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
    progress : called every `progress_steps` steps; reading the loss then waits for the device

    Raises `ValueError` for a target out of range or a batch larger than the data, before the
    first step; `DivergenceError` when a loss is no longer finite.

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
    run = _Run(network, *_on_device(network, x, t), optimizer or SGD(0.1), batch_size)
    held_out = None if test is None else _on_device(network, *test)
    return _epochs(
        run, held_out, n, total, per_epoch, sampling, np.random.default_rng(rng), progress, progress_steps
    )


class _Run:
    """A network with its data on the device, and one step of training."""

    def __init__(self, network: Network, x: Array, t: Array, optimizer: Optimizer, batch_size: int) -> None:
        self.network, self.x, self.t = network, x, t
        self.optimizer, self.batch_size = optimizer, batch_size
        self.counts_correct = network.last_layer.counts_correct
        self.losses: list[Array] = []
        self.corrects: list[Array] = []

    def batch(self, order: Array, i: int) -> tuple[Array, Array]:
        """The i-th batch of an epoch in the given order."""
        xp = namespace_of(order)
        start = i * self.batch_size
        chosen = order[start : min(start + self.batch_size, order.shape[0])]
        return self.network.scaled(xp.take(self.x, chosen, axis=0)), xp.take(self.t, chosen, axis=0)

    def step(self, order: Array, i: int) -> None:
        """Forward, loss, backward, update on the i-th batch; loss and count stay on the device."""
        network = self.network
        x, t = self.batch(order, i)
        y = network.forward(x, training=True)
        self.losses.append(network.last_layer.forward(y, t, training=True))
        if self.counts_correct:
            self.corrects.append(network.last_layer.correct(y, t))
        network.backward_params(self.optimizer.dout)
        self.optimizer.update_scaled(network.flat_params, network.flat_grads)

    def read(self, order: Array, first: int, last: int) -> tuple[np.ndarray, float | None]:
        """The losses of these steps of the epoch, and the share of their samples that was correct."""
        xp, to_numpy = self.network.backend.xp, self.network.backend.to_numpy
        losses = to_numpy(xp.stack(self.losses[first:last])).astype(np.float64)
        if not self.counts_correct:
            return losses, None
        samples = min(last * self.batch_size, order.shape[0]) - first * self.batch_size
        return losses, int(to_numpy(xp.sum(xp.stack(self.corrects[first:last])))) / samples


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
        steps = min(per_epoch, total - done)
        order = network.backend.asarray(_order(n, per_epoch * run.batch_size, sampling, rng))
        start = _copy(network)
        run.losses, run.corrects = [], []
        for i in range(steps):
            run.step(order, i)
            if progress and (i + 1) % progress_steps == 0:
                losses, accuracy = run.read(order, i + 1 - progress_steps, i + 1)
                if not np.isfinite(losses).all():
                    break
                progress(Progress(done + i + 1, float(losses.mean()), accuracy))
            elif (i + 1) % LOOK_STEPS == 0 and not _finite(run.losses[-1]):
                break
        losses, accuracy = run.read(order, 0, len(run.losses))
        if not (np.isfinite(losses).all() and _finite(network.flat_params["flat"])):
            raise _locate(run, start, order, len(losses), done)
        done += steps
        seconds += time.perf_counter() - began
        test_loss, test_accuracy = (None, None) if test is None else network.evaluate_checked(*test)
        if test_loss is not None and not math.isfinite(test_loss):
            raise DivergenceError(done, "the loss on the test data", "trained up to that step")
        yield Metrics(epoch, done, float(losses.mean()), accuracy, test_loss, test_accuracy, seconds)


def _order(n: int, size: int, sampling: Sampling, rng: np.random.Generator) -> np.ndarray:
    """The indices of an epoch's samples, drawn on the host."""
    return rng.permutation(n) if sampling == "without-replacement" else rng.integers(0, n, size)


def _on_device(network: Network, x: Any, t: Any) -> tuple[Array, Array]:
    """x and t on the network's device, after a look at the targets on the host."""
    check_same_length(x, t)
    backend = network.backend
    x = backend.asarray(x) if _on_host(x) else x
    t = backend.asarray(t) if _on_host(t) else t
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


def _copy(network: Network) -> Array:
    """The parameters as they are now."""
    return network.backend.xp.asarray(network.flat_params["flat"], copy=True)


def _locate(run: _Run, start: Array, order: Array, steps: int, done: int) -> DivergenceError:
    """Run the epoch again to where the first value is not finite, and stop before that update."""
    params = run.network.flat_params
    params["flat"] = start
    for i in range(steps):
        before = _copy(run.network)
        where = _first_bad(run, *run.batch(order, i))
        if where is None:
            run.optimizer.update_scaled(params, run.network.flat_grads)
            where = None if _finite(params["flat"]) else "the updated parameters"
        if where:
            params["flat"] = before
            return DivergenceError(done + i + 1, where)
    return DivergenceError(done + steps, "a value that a second run did not meet")


def _first_bad(run: _Run, x: Array, t: Array) -> str | None:
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
    dout = network.last_layer.backward(run.optimizer.dout)
    for name, layer in reversed(network.layers.items()):
        dout = layer.backward(dout)
        for key, gradient in layer.grads.items():
            if not _finite(gradient):
                return f"the gradient of {key} in {name}"
    return None


def _finite(array: Array) -> bool:
    xp = namespace_of(array)
    return bool(backend_of(array).to_numpy(xp.all(xp.isfinite(array))))
