"""One epoch: its steps in chunks and segments, and their losses and counts, which stay on the device."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from ..backends import Array, HostArray
from ..saving.history import Means
from .state import TrainState
from .step import TrainStep


class Epoch:
    """One pass over the samples in a given order; losses and counts stay on the device.

    The steps run in chunks, each of which may be one replay. Chunks form segments: a segment lies between two
    points where user code may change anything, such as two calls of a hook or of `progress`. It keeps a copy
    of the state it starts from, and returns to it if its replays turn out to be wrong.

    Parameters
    ----------
    order : the samples' indices
    steps : the number of steps
    done : the number of training steps before this epoch
    first, earlier : for a resumed epoch, the step to begin at, and the results of the steps before it
    while_waiting : called at the end, while the device may still compute
    """

    segment_start: int
    """The first step of the current segment."""
    state_at_start: TrainState
    """A copy of the state before that step."""
    scalars: Array
    """The optimizer's scalars for the segment's steps, one row each."""
    first_row: int
    """The step of the first row."""

    def __init__(
        self,
        step: TrainStep,
        order: np.ndarray,
        steps: int,
        done: int,
        first: int = 0,
        earlier: Sequence[np.ndarray] = (),
        while_waiting: Callable[[], None] = lambda: None,
    ) -> None:
        self.step, self.samples, self.done, self.while_waiting = step, len(order), done, while_waiting
        network, size = step.network, step.batch_size
        self.backend, self.count = network.backend, steps
        self.steps_before = step.optimizer.steps
        self.order = self.backend.asarray(order)
        self.full = min(len(order) // size, steps)
        self.rows = self.backend.xp.reshape(self.order[: self.full * size], (self.full, size))
        self.ran = self.segment_start = first
        self.params_finite: bool | None = None
        """Whether no parameter is NaN or infinite; None if it is not known."""
        self._results: list[tuple[int, Sequence[Any]]] = [(0, earlier)] if earlier else []
        """Each chunk's first step and results, which are on the device from `_unread` on."""
        self._unread = len(self._results)

    def indices(self, start: int, stop: int) -> Array:
        """The samples' indices for steps with batches of one size, one row per step."""
        if start < self.full:
            return self.rows[start:stop, ...]
        return self.order[None, self.full * self.step.batch_size :]

    def scalars_of(self, start: int, stop: int) -> Array:
        """The optimizer's scalars for these steps of the current segment."""
        return self.scalars[start - self.first_row : stop - self.first_row, ...]

    def run(self, chunk_end: Callable[[int], int], segment_end: Callable[[int], int]) -> Iterator[int]:
        """Run the epoch chunk by chunk; yield the number of steps so far.

        A chunk that starts at step i ends by `chunk_end(i)`; a segment ends by `segment_end(i)`.
        """
        while self.ran < self.count:
            yield from self._run_segment(chunk_end, min(segment_end(self.ran), self.count))

    def _run_segment(self, chunk_end: Callable[[int], int], stop: int) -> Iterator[int]:
        self._begin_segment(stop)
        capture, reached = self.step.capture, self.ran
        last = min(self.full, stop) - 1  # the last step with a whole batch runs alone and is verified
        while self.ran < stop:
            start = self.ran
            if start == last:
                size, run = 1, capture.verify
            elif start > last:
                size, run = 1, capture.call
            else:
                size, run = self._chunk_size(start, min(chunk_end(start), last)), capture.run
            rows, scalars = self.indices(start, start + size), self.scalars_of(start, start + size)
            self._results.append((start, run(rows, scalars)))
            self.ran = start + size
            if self.ran == stop:
                if stop == self.count:
                    self.while_waiting()
                self._settle()
            if capture.needs_rerun:
                self._rewind(stop)
            elif self.ran > reached:
                reached = self.ran
                if self.ran == stop:
                    self.step.optimizer.steps = self.steps_before + stop
                yield reached

    def _chunk_size(self, start: int, stop: int) -> int:
        if self.step.capture.why:
            return 1
        return self.step.capture.chunk_size(min(self.backend.graph_steps, stop - start), self.step.batch_size)

    def _mark_start(self) -> None:
        self.segment_start, self.state_at_start = self.ran, self.step.state().copy()
        self.params_finite = None

    def _begin_segment(self, stop: int) -> None:
        self._mark_start()
        self.first_row = self.ran
        scalars = [self.step.optimizer.scalars(self.steps_before + i + 1) for i in range(self.ran, stop)]
        width = len(scalars[0]) if scalars else 0
        self.scalars = self.backend.asarray(
            np.asarray(scalars).reshape(len(scalars), width), dtype=self.step.network.dtype
        )
        self.step.capture.begin(stop - self.ran)

    def _rewind(self, stop: int) -> None:
        """Return to the start of the segment."""
        self.step.state().restore(self.state_at_start)
        while self._results and self._results[-1][0] >= self.segment_start:
            self._results.pop()
        self._unread = min(self._unread, len(self._results))
        self.ran = self.segment_start
        self.step.capture.begin(stop - self.ran)

    def verify(self) -> None:
        """Verify the replays so far, when a segment is left before its end."""
        capture, reached = self.step.capture, self.ran
        if capture.unverified:
            capture.verify_replays(self.indices(reached - 1, reached), self.scalars_of(reached - 1, reached))
        if capture.needs_rerun:
            self._rewind(reached)
            while self.ran < reached:
                rows, scalars = self.indices(self.ran, self.ran + 1), self.scalars_of(self.ran, self.ran + 1)
                self._results.append((self.ran, capture.call(rows, scalars)))
                self.ran += 1
        self.step.join()

    def read(self, first: int = 0) -> tuple[np.ndarray, float | None]:
        """The losses of the steps since `first`, and their accuracy; None without classes."""
        losses, *corrects = self.results(first)
        if not corrects:
            return losses.astype(np.float64), None
        size = self.step.batch_size
        samples = min(self.ran * size, self.samples) - first * size
        return losses.astype(np.float64), int(corrects[0].sum()) / samples

    def means(self, every: int, first: int = 0) -> Iterator[Means]:
        """Means over each `every` steps since `first`; steps left over at the end are ignored."""
        losses, *corrects = self.results(first)
        size = self.step.batch_size
        for stop in range(every, len(losses) + 1, every):
            part, end = slice(stop - every, stop), first + stop
            accuracy = None
            if corrects:
                samples = min(end * size, self.samples) - (end - every) * size
                accuracy = int(corrects[0][part].sum()) / samples
            yield Means(self.done + end, every, float(losses[part].mean(dtype=np.float64)), accuracy)

    def results(self, first: int = 0) -> list[np.ndarray]:
        """The losses of the steps since `first` and, if it classifies, the counts of correct samples."""
        if self._unread < len(self._results):
            self._keep(self.backend.read(*self._on_device()))
        parts: list[Sequence[Any]] = []
        for start, results in reversed(self._results):
            parts.append(results if start >= first else [values[first - start :] for values in results])
            if start <= first:
                break
        return [np.concatenate(values) for values in zip(*reversed(parts), strict=True)]

    def check_params(self) -> bool:
        """Return whether no parameter is NaN or infinite."""
        if self.params_finite is None:
            (found,) = self.backend.read(self._all_finite())
            self.params_finite = bool(found)
        return self.params_finite

    def _settle(self) -> None:
        """Read at once whether the segment's replays were right, its results, and whether it diverged."""
        finite, *values = self.step.capture.settle(self._all_finite(), *self._on_device())
        self.params_finite = bool(finite)
        self._keep(values)
        self.step.join()

    def _all_finite(self) -> Array:
        xp = self.backend.xp
        return xp.all(xp.isfinite(self.step.network.flat_params["flat"]))

    def _on_device(self) -> list[Array]:
        """The results that have not been read."""
        return [values for _, results in self._results[self._unread :] for values in results]

    def _keep(self, values: Sequence[HostArray]) -> None:
        """Put the values read in place of the results on the device."""
        remaining = iter(values)
        for i in range(self._unread, len(self._results)):
            start, results = self._results[i]
            self._results[i] = start, [next(remaining) for _ in results]
        self._unread = len(self._results)
