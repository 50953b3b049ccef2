"""The steps of an epoch: forward, loss, backward and update, recorded where the backend can."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from backends import Array, namespace_of

from .layers import Layer
from .networks import Network
from .optimizers import Optimizer


class BatchTooLargeError(MemoryError):
    """A step does not fit into the device's memory: what it needs, what is free, which batch would fit."""

    def __init__(self, device: str, batch_size: int, needed: int, free: int | None) -> None:
        known = "" if free is None else f" and {free / 1e6:,.0f} MB are free"
        fits = f"about {max(batch_size * free // needed, 1):,}" if free else f"{max(batch_size // 2, 1):,}"
        super().__init__(
            f"out of memory on {device}: a step with a batch of {batch_size:,} needs about "
            f"{needed / 1e6:,.0f} MB{known}; try a batch size of {fits}"
        )


class Run:
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


class Epoch:
    """One pass over the batches of an order of the samples; losses and counts stay on the device.

    It begins at the step `first`, with the results of the steps before, if there are any.
    """

    def __init__(
        self,
        run: Run,
        order: np.ndarray,
        steps: int,
        done: int,
        first: int = 0,
        earlier: Sequence[np.ndarray] = (),
    ) -> None:
        self.run, self.samples, self.done = run, len(order), done
        network, size = run.network, run.batch_size
        self.backend, self.count = network.backend, steps
        numbers = [run.optimizer.numbers(run.optimizer.steps + i + 1) for i in range(steps)]
        self.order = self.backend.asarray(order)
        self.numbers = self.backend.asarray(np.asarray(numbers).reshape(steps, -1), dtype=network.dtype)
        self.full = len(order) // size
        self.rows = self.backend.xp.reshape(self.order[: self.full * size], (self.full, size))
        self.first = self.ran = first
        self.results: list[tuple[int, tuple[Array, ...]]] = []  # the first step of each part, and its own
        if earlier:
            self.results.append((0, tuple(map(self.backend.asarray, earlier))))

    def rows_of(self, start: int, stop: int) -> Array:
        """The sample numbers of steps that have batches of one size."""
        return (
            self.rows[start:stop, ...]
            if start < self.full
            else self.order[None, self.full * self.run.batch_size :]
        )

    def parts(self, until: Callable[[int], int]) -> Iterator[int]:
        """Run the epoch part by part, none past `until` of its first step; yields the steps so far."""
        runner = self.run.runner()
        most = self.backend.graph_steps if self.run.capture else 1
        while self.ran < self.count:
            start, last = self.ran, min(self.full, self.count)
            stop = start + 1 if most == 1 or start >= last else min(start + most, until(start), last)
            self.results.append((start, runner(self.rows_of(start, stop), self.numbers[start:stop, ...])))
            self.ran = stop
            yield stop

    def read(self, first: int = 0) -> tuple[np.ndarray, float | None]:
        """The losses of the steps since `first`, and the share of their samples that was correct."""
        losses, *corrects = self.kept(first)
        if not corrects:
            return losses.astype(np.float64), None
        size = self.run.batch_size
        samples = min(self.ran * size, self.samples) - first * size
        return losses.astype(np.float64), int(corrects[0].sum()) / samples

    def kept(self, first: int = 0) -> list[np.ndarray]:
        """The losses of the steps since `first`, and the counts of the correct if there are any."""
        parts = []
        for start, results in reversed(self.results):
            parts.append([values[max(first - start, 0) :] for values in results])
            if start <= first:
                break
        return [
            self.backend.to_numpy(self.backend.xp.concat(values))
            for values in zip(*reversed(parts), strict=True)
        ]


def within_memory(run: Run, steps: Iterator[int]) -> Iterator[int]:
    """The steps; where memory runs out, an error that says which batch would fit."""
    try:
        yield from steps
    except MemoryError:
        needed = run.batch_size * _bytes_per_sample(run)
        device, free = run.network.backend.device, run.network.backend.free_memory
    else:
        return
    raise BatchTooLargeError(device, run.batch_size, needed, free) from None


def _bytes_per_sample(run: Run) -> int:
    """Roughly what a step holds for a sample: every layer's input and output, and their gradients."""
    network = run.network
    x = network.scaled(run.data["x"][:1, ...])
    numbers: int = math.prod(x.shape)
    for layer in network.layers.values():
        x = layer.forward(x)
        numbers += 3 * math.prod(x.shape)
    return numbers * int(network.dtype.removeprefix("float")) // 8


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
