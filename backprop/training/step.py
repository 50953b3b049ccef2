"""The steps of an epoch: forward, loss, backward and update, recorded where the backend can."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..backends import Array, namespace_of
from ..networks.network import Network
from ..optimizers import Optimizer
from .capture import Recorder
from .fingerprint import Watch


class BatchTooLargeError(MemoryError):
    """A step does not fit into the device's memory: what it needs, what is free, which batch would fit."""

    def __init__(self, device: str, batch_size: int, needed: int, free: int | None) -> None:
        known = "" if free is None else f" and {free / 1e6:,.0f} MB are free"
        fits = f"about {max(batch_size * free // needed, 1):,}" if free else f"{max(batch_size // 2, 1):,}"
        super().__init__(
            f"out of memory on {device}: a step with a batch of {batch_size:,} needs about "
            f"{needed / 1e6:,.0f} MB{known}; try a batch size of {fits}"
        )


@dataclass(frozen=True)
class Means:
    """Loss and accuracy as means over the last steps, each before its update."""

    step: int
    """The last of the steps."""
    mean_of: int
    """How many steps."""
    loss: float
    accuracy: float | None
    """None where the loss does not classify."""


CHANGED = 4
"""How many of the mappings of `Run.state` a step changes."""


class Run:
    """A network with its data on the device, and steps of training."""

    def __init__(
        self, network: Network, x: Array, t: Array, optimizer: Optimizer, batch_size: int, capture: bool
    ) -> None:
        self.network, self.optimizer, self.batch_size = network, optimizer, batch_size
        optimizer.prepare(network.flat_params if network.params else {})
        self.data = {"x": x, "t": t}
        watch = Watch(network, optimizer)
        self.recorder = Recorder(network.backend, self.steps, self.state, CHANGED, watch)
        if not (capture and network.backend.has_views and network.backend.can_record and network.params):
            self.recorder.why = "not asked for"

    def state(self) -> tuple[Mapping[str, Array], ...]:
        """What a step reads and changes, the gradients among it, and the data, which it only reads."""
        network = self.network
        return network.flat_params, network.state, self.optimizer.slots, network.flat_grads, self.data

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
        network.backward_params(self.optimizer.loss_scale(numbers))
        self.optimizer.apply(params, grads, slots, numbers)
        return value, *correct

    def steps(
        self, params: Any, state: Any, slots: Any, grads: Any, data: Any, rows: Array, numbers: Array
    ) -> tuple[Array, ...]:
        """A step for every row of sample numbers, with its row of the optimizer's numbers."""
        results, network = [], self.network
        with (
            network.flat_params.swapped(params),
            network.flat_grads.swapped(grads),
            network.state.swapped(state),
        ):
            for i in range(rows.shape[0]):
                own = [numbers[i, j] for j in range(numbers.shape[1])]
                results.append(self.step(params, grads, slots, data, rows[i, ...], own))
        return tuple(_stacked(values) for values in zip(*results, strict=True))

    def forget(self) -> None:
        """Let go of what the layers have kept of the last step: with it, of a recording's arrays."""
        for node in (*self.network.layers.values(), self.network.last_layer):
            node.saved = None


class Snapshot:
    """All that a step changes, as it is now."""

    def __init__(self, run: Run) -> None:
        network = run.network
        # Without views there are no gradients before the first step.
        self.kinds: tuple[Any, ...] = run.state()[: CHANGED if network.backend.has_views else CHANGED - 1]
        xp = network.backend.xp
        self.values = [
            {key: xp.asarray(value, copy=True) for key, value in kind.items()} for kind in self.kinds
        ]

    def restore(self) -> None:
        """Put it back."""
        for kind, values in zip(self.kinds, self.values, strict=True):
            for key, value in values.items():
                kind[key] = value


class Epoch:
    """One pass over the batches of an order of the samples; losses and counts stay on the device.

    It begins at the step `first`, with the results of the steps before, if there are any.
    """

    began: int
    """The first step of the present stretch."""
    start: Snapshot
    """What there was before it."""
    numbers: Array
    """The optimizer's numbers of its steps, a row each."""
    first_number: int
    """The step of the first row."""
    told = False
    """Whether somebody was told of the last step, who may have changed something."""

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
        self.steps_before = run.optimizer.steps
        self.order = self.backend.asarray(order)
        self.full = min(len(order) // size, steps)
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

    def numbers_of(self, start: int, stop: int) -> Array:
        """The optimizer's numbers of these steps of the present stretch."""
        return self.numbers[start - self.first_number : stop - self.first_number, ...]

    def parts(self, look: Callable[[int], int], end: Callable[[int], int]) -> Iterator[int]:
        """Run the epoch part by part, none past `look` of its first step; yields the steps so far.

        What lies between two steps that `end` gives is a stretch: what happens at its end may change
        anything, and sees what called steps would have left.
        """
        while self.ran < self.count:
            yield from self._stretch(look, min(end(self.ran), self.count))

    def _stretch(self, look: Callable[[int], int], stop: int) -> Iterator[int]:
        self._begin_stretch(stop)
        recorder, reached = self.run.recorder, self.ran
        last = min(self.full, stop) - 1  # the last step with a whole batch, by itself, is proven
        while self.ran < stop:
            start = self.ran
            if start == last:
                size, run = 1, recorder.prove
            elif start > last:
                size, run = 1, recorder.call
            else:
                size, run = self._part(start, min(look(start), last)), recorder.run
            rows, numbers = self.rows_of(start, start + size), self.numbers_of(start, start + size)
            self.results.append((start, run(rows, numbers)))
            self.ran = start + size
            if recorder.in_doubt:
                self._begin_again(stop)
            elif self.ran > reached:
                reached = self.ran
                if self.ran == stop:
                    self.run.optimizer.steps = self.steps_before + stop
                yield reached
                if self.told:
                    self.told = False
                    recorder.has_changed()
                    self.began, self.start = self.ran, Snapshot(self.run)

    def _part(self, start: int, stop: int) -> int:
        return 1 if self.run.recorder.why else min(self.backend.graph_steps, stop - start)

    def _begin_stretch(self, stop: int) -> None:
        """From here to `stop` nobody but the steps changes anything."""
        run = self.run
        self.began, self.start, self.first_number = self.ran, Snapshot(run), self.ran
        numbers = [run.optimizer.scalars(self.steps_before + i + 1) for i in range(self.ran, stop)]
        width = len(numbers[0]) if numbers else 0
        self.numbers = self.backend.asarray(
            np.asarray(numbers).reshape(len(numbers), width), dtype=run.network.dtype
        )
        run.recorder.begin(stop - self.ran)

    def _begin_again(self, stop: int) -> None:
        """Put everything back to the start of the stretch."""
        self.start.restore()
        while self.results and self.results[-1][0] >= self.began:
            self.results.pop()
        self.ran = self.began
        self.run.recorder.begin(stop - self.ran)

    def settle(self) -> None:
        """Prove what has been replayed so far, where a stretch is left before its end."""
        recorder, reached = self.run.recorder, self.ran
        if recorder.unproven:
            recorder.settle(self.rows_of(reached - 1, reached), self.numbers_of(reached - 1, reached))
        if recorder.in_doubt:
            self._begin_again(reached)
            while self.ran < reached:
                rows = self.rows_of(self.ran, self.ran + 1), self.numbers_of(self.ran, self.ran + 1)
                self.results.append((self.ran, recorder.call(*rows)))
                self.ran += 1

    def read(self, first: int = 0) -> tuple[np.ndarray, float | None]:
        """The losses of the steps since `first`, and the share of their samples that was correct."""
        losses, *corrects = self.kept(first)
        if not corrects:
            return losses.astype(np.float64), None
        size = self.run.batch_size
        samples = min(self.ran * size, self.samples) - first * size
        return losses.astype(np.float64), int(corrects[0].sum()) / samples

    def means(self, every: int, first: int = 0) -> Iterator[Means]:
        """Means over every `every` steps since `first`; steps that are left over have none."""
        losses, *corrects = self.kept(first)
        for stop in range(every, len(losses) + 1, every):
            part, end = slice(stop - every, stop), first + stop
            accuracy = None
            if corrects:
                samples = min(end * self.run.batch_size, self.samples) - (end - every) * self.run.batch_size
                accuracy = int(corrects[0][part].sum()) / samples
            yield Means(self.done + end, every, float(losses[part].mean(dtype=np.float64)), accuracy)

    def kept(self, first: int = 0) -> list[np.ndarray]:
        """The losses of the steps since `first`, and the counts of the correct if there are any."""
        parts: list[Sequence[Array]] = []
        for start, results in reversed(self.results):
            parts.append(results if start >= first else [values[first - start :] for values in results])
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


def _stacked(values: Sequence[Array]) -> Array:
    """0-d arrays as one vector, a few at a time: for more, CuPy sends their addresses from the host."""
    xp = namespace_of(values[0])
    parts = [xp.reshape(value, (1,)) for value in values]
    while len(parts) > 1:
        parts = [xp.concat(parts[i : i + 8]) for i in range(0, len(parts), 8)]
    return parts[0]
