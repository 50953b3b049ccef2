"""The training loop: batches, steps, and metrics once an epoch. It never prints.

Losses and counts stay on the device until the epoch ends; then one look at them tells whether one
was NaN or infinite. In that case the epoch is run again from its start, step by step, to find the
layer where it began, and the network is left as it was before that step's update.
"""

from __future__ import annotations

import math
import re
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from itertools import islice
from typing import Any

import numpy as np

from ..diagnosis import Guessing, LearningWarning, no_better_than_guessing, some_samples
from ..networks.checks import check_same_length
from ..networks.network import Network
from ..optimizers.optimizers import SGD, Optimizer
from ..saving.checkpoint import Checkpoint, CheckpointError, ResumeWarning
from ..saving.config import describe
from ..saving.history import HistoryArrays, Metrics, history_of
from ..saving.network import check_fit, network_arrays, on_host, put, restore_network
from .arguments import (
    Sampling,
    check_hook,
    check_last_batch,
    check_validation,
    check_whole,
    is_pair,
    steps_per_epoch,
    total_steps,
)
from .data import TrainingData
from .divergence import DivergenceError, finite, locate
from .epoch import Epoch, Means
from .memory import BatchTooLargeError, within_memory
from .step import TrainStep
from .validation import BestEpoch, BestWeights, as_validated, is_from_before

__all__ = ["BatchTooLargeError", "DivergenceError", "Metrics", "Progress", "Training"]

LOOK_STEPS = 1000
"""After how many steps of a long epoch the loss is looked at, to stop a run that has diverged."""

ENOUGH, ENOUGH_AT_END = 200, 100
"""After how many steps it is looked at whether a network is better than guessing: first, and at the end."""

FALLING = 0.98
"""The share of the epoch's loss before that a falling loss is below."""

ADDRESS = re.compile(r" at 0x[0-9A-Fa-f]+")
"""Where a function lies in memory, in its `repr`."""


@dataclass(frozen=True)
class Progress:
    """What is known within an epoch, for a progress line."""

    step: int
    loss: float
    accuracy: float | None


@dataclass(frozen=True)
class _Plan:
    """How the samples are drawn, and for how many steps."""

    total: int
    per_epoch: int
    samples: int
    batch_size: int
    sampling: Sampling


class _Stop(Exception):  # noqa: N818 - no error
    """The training was asked to stop."""


class Training(Iterator[Metrics]):
    """A run of training: iterating it trains `network` on x and t, and gives `Metrics` after every epoch.

    `fit` is this with the loop. Between two steps, that is in a hook, and before or after an epoch,
    `checkpoint` has all that is needed to go on from there, bit for bit.

    Ctrl-C ends the step first: the network is whole. An interactive session goes on after the loop with
    what there is; a script gets its KeyboardInterrupt. A second Ctrl-C does not wait.

    Parameters
    ----------
    x, t : host arrays, or arrays on the network's device. They go to the device once. Pixels
        from 0 to 255 are bytes there and are divided by 255 batch by batch (`Network.inputs`).
    optimizer : `SGD(0.1)` by default
    epochs, iterations : how long; give one. An epoch is ⌈N / batch_size⌉ steps.
    batch_size : samples a step; the last batch of an epoch without replacement may be smaller
    sampling : `"without-replacement"` takes every sample once an epoch, in a new order each time;
        `"with-replacement"` draws every batch from all samples, as the book does
    rng : a `numpy.random.Generator` or a seed for the order of the samples, drawn on the host
    test : `(x_test, t_test)` to evaluate on after every epoch
    validation : `(x, t)` to judge the epochs by, or the share of the samples to hold back for that, which
        every class gives alike and `rng` draws; `best` is the epoch with the lowest loss on it
    patience : end after this many epochs that were no better than `best`
    capture : record the step and replay it where the backend can, which is faster; a step that cannot
        be recorded is called as it is, after a `backprop.backends.CaptureWarning` with the cause
    progress : called every `progress_steps` steps; reading the loss then waits for the device
    hook, hook_steps : `hook` is called with the training every `hook_steps` steps, counted from the first
        one, for instance to save it: `lambda training: write_checkpoint(path, training.checkpoint())`
    resume : a checkpoint of `Training.checkpoint`, to go on from as if nothing had happened; the network
        and the optimizer are set to it, and all else has to be as it was. More steps may be asked for: a
        last epoch that was only a part of one is then completed. Where the result may not be the same to
        the last bit, as with another version of NumPy, a `ResumeWarning` says why

    Raises `ValueError` for a target out of range or a batch larger than the data, before the
    first step; `CheckpointError` for a checkpoint that does not fit; `DivergenceError` when a loss is no
    longer finite; `BatchTooLargeError` when a step does not fit into the device's memory.

    Source: *Deep Learning from Scratch*, section 5.7.4.

    >>> from backprop import Training, TwoLayerNet
    >>> rng = np.random.default_rng(0)
    >>> x = rng.standard_normal((200, 2)).astype("float32")
    >>> t = (x[:, 0] > x[:, 1]).astype("int64")
    >>> network = TwoLayerNet(2, 8, 2, weight_init_std=0.5, rng=0)
    >>> for metrics in Training(network, x, t, epochs=20, batch_size=10, rng=0):
    ...     pass
    >>> metrics.step, metrics.accuracy > 0.97
    (400, True)
    """

    stopped = False
    """Whether it has ended before its last step, because `stop` was called."""

    line: Callable[[Progress], None] | None = None
    """Shows the same as `progress` is told, and changes nothing."""

    best_weights: BestWeights | None = None
    """The network of the best epoch, where somebody wants it kept."""

    _at_the_end: Checkpoint | None = None

    mean_steps: int | None = None
    """Over how many steps `means` are; None for none."""

    looked_into = False
    """Whether it is known if the network is better than guessing."""

    _look_at = ENOUGH

    started = True
    """Whether it has been iterated or saved; one that is dropped before warns."""

    def __init__(
        self,
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
        hook: Callable[[Training], None] | None = None,
        hook_steps: int | None = None,
        resume: Checkpoint | None = None,
        validation: float | tuple[Any, Any] | None = None,
        patience: int | None = None,
    ) -> None:
        check_same_length(x, t)
        check_whole(
            epochs=epochs, iterations=iterations, batch_size=batch_size, progress_steps=progress_steps
        )
        check_whole(hook_steps=hook_steps, patience=patience)
        check_validation(validation, patience)
        check_hook(hook, hook_steps)
        if optimizer is not None and not isinstance(optimizer, Optimizer):
            raise TypeError(f"expected an Optimizer, such as SGD(0.1), got {optimizer!r}")
        if test is not None and not is_pair(test):
            raise TypeError(f"expected test=(x_test, t_test), got a {type(test).__name__}")
        self._rng = np.random.default_rng(rng)
        self._data = TrainingData(network, x, t, validation, test, self._rng)
        n = len(self._data)
        per_epoch = steps_per_epoch(n, batch_size, sampling)
        total = total_steps(epochs, iterations, per_epoch)
        self._step = TrainStep(network, self._data.train, optimizer or SGD(0.1), batch_size, capture)
        self.network = network
        self._data.scale()
        if total >= per_epoch and sampling == "without-replacement":
            check_last_batch(network, self._data.train["x"], batch_size)
        self._plan = _Plan(total, per_epoch, n, batch_size, sampling)
        self.optimizer = self._step.optimizer
        self.patience, self._best_epoch = patience, BestEpoch()
        self.progress, self.progress_steps = progress, progress_steps
        self.hook, self.hook_steps = hook, hook_steps
        self.history: list[Metrics] = []
        self._done, self._seconds = 0, 0.0
        self._stopping = self._interrupted = False
        self._means: list[Means] = []  # of the last epoch
        self._epoch: Epoch | None = None  # the one that has begun and is not over
        self._part: Epoch | None = None  # the last one, if it was a part: more steps would complete it
        self._history_arrays = HistoryArrays()
        if resume is not None:
            self.restore(resume)
        self.started = False

    def __del__(self) -> None:
        if not self.started:
            warnings.warn(
                "a Training was made and never iterated, so nothing was trained: call fit(…), which trains, "
                "or loop over it",
                RuntimeWarning,
                stacklevel=2,
            )

    @property
    def step(self) -> int:
        """Steps so far."""
        return self._done + (self._epoch.ran if self._epoch else 0)

    @property
    def total(self) -> int:
        """Steps in all."""
        return self._plan.total

    @property
    def threads(self) -> int | None:
        """The CPU threads of its matrix products; None where the CPU does not compute."""
        with self._limited():
            return self.network.backend.threads

    def _limited(self) -> AbstractContextManager[None]:
        return self.network.limit_threads(self._plan.batch_size)

    @property
    def best(self) -> Metrics | None:
        """The first epoch with the lowest validation loss; None without validation."""
        return self._best_epoch.of(self.history)

    @property
    def stopped_early(self) -> bool:
        """Whether `patience` has ended it before its last step."""
        if not (self.patience and self.best) or self._done >= self._plan.total or self._epoch:
            return False
        return self.history[-1].epoch - self.best.epoch >= self.patience

    @property
    def per_epoch(self) -> int:
        """Steps in a whole epoch."""
        return self._plan.per_epoch

    def means(self, since: int) -> list[Means]:
        """The means after the step `since` of the epoch that has begun, or else of the last one.

        The very first is the first batch by itself, before any update.
        """
        means = self._means if self._epoch is None else self._means_of(self._epoch, since)
        return [one for one in means if one.step > since]

    def _means_of(self, epoch: Epoch, since: int = 0) -> list[Means]:
        """The means of the epoch after the step `since`, and perhaps some before it."""
        every, passed = self.mean_steps, max(since - epoch.done, 0)
        if every is None:
            return []
        first = islice(epoch.means(1), every > 1 and epoch.done == passed == 0)
        return [*first, *epoch.means(every, passed - passed % every)]

    def stop(self) -> None:
        """Ask it to end after the present step, or batch of an evaluation; a signal handler may do so."""
        self._stopping = True

    def __next__(self) -> Metrics:
        self.started = True
        self._data.set_inputs()
        if self._at_the_end:
            restore_network(self.network, self._at_the_end)
            self._at_the_end = None
        ended = self._done >= self._plan.total or self.stopped_early
        if ended and not self._interrupted:
            raise StopIteration
        try:
            if self._stopping:
                raise _Stop
            with self._deferred_interrupt(), self._limited():
                return self._next()
        except DivergenceError:  # which has put everything back to a step before
            raise
        except BaseException as error:
            if self._epoch:
                self.optimizer.steps = self._steps_before + self._epoch.ran
            if not isinstance(error, _Stop):
                raise
            self.stopped = self._done < self._plan.total
        if self._interrupted and not hasattr(sys, "ps1"):
            raise KeyboardInterrupt(f"after step {self.step:,}")
        raise StopIteration

    def _next(self) -> Metrics:
        epoch = self._epoch = self._epoch or self._begin()
        began = time.perf_counter()
        try:
            losses, accuracy = self._train(epoch)
        finally:
            self._seconds += time.perf_counter() - began
        done = self._done + epoch.count
        evaluated = self._evaluate(done)
        loss, number = float(losses.mean()), len(self.history) + 1
        metrics = Metrics(number, done, loss, accuracy, seconds=self._seconds, **evaluated)
        self.history.append(metrics)
        self._means = self._means_of(epoch)
        self._done, self._epoch = done, None
        self._part = epoch if epoch.count < self._plan.per_epoch else None
        if self.best_weights and self.best is metrics:
            self.best_weights.keep(metrics, part=self._part is not None)
        self.optimizer.steps = self._steps_before + epoch.count
        if self.line:
            self.line(Progress(done, loss, accuracy))
        if not self.looked_into:
            self._look_into()
        return metrics

    def _look_into(self) -> None:
        """Say so, once, if the network is no better than guessing and will not be, or at the end is not."""
        at_end = self._done == self._plan.total or self.stopped_early
        if self._done < (ENOUGH_AT_END if at_end else self._look_at):
            return
        self._look_at = 2 * self._done
        found = self.judged()
        if found and (found.definite or at_end):
            self.looked_into = True
            warnings.warn(f"after step {self.step:,} {found}", LearningWarning, stacklevel=4)
        elif found is None:
            self.looked_into = True

    def judged(self) -> Guessing | None:
        """What makes the network no better than guessing on the training data; None if it is better."""
        data, backend = self._step.data, self.network.backend
        losses = [metrics.loss for metrics in self.history[-2:]]
        rows = backend.asarray(some_samples(self._plan.samples))
        x, t = (backend.xp.take(data[name], rows, axis=0) for name in ("x", "t"))
        return no_better_than_guessing(
            self.network,
            x,
            t,
            self.optimizer,
            batch_size=self._plan.batch_size,
            falling=len(losses) == 2 and losses[1] < FALLING * losses[0],
        )

    def _begin(self, position: int = 0, earlier: Sequence[np.ndarray] = ()) -> Epoch:
        """The next epoch, from its step `position` on, with the results that it has had before."""
        plan, self._steps_before = self._plan, self.optimizer.steps
        self._drawn_from = self._rng.bit_generator.state
        order = _order(plan.samples, plan.per_epoch * plan.batch_size, plan.sampling, self._rng)
        count = min(plan.per_epoch, plan.total - self._done)
        return Epoch(self._step, order, count, self._done, position, earlier)

    def _train(self, epoch: Epoch) -> tuple[np.ndarray, float | None]:
        """Run the epoch to its end, or to where it is asked to stop."""
        look = self.progress_steps if self.progress or self.line else LOOK_STEPS
        for i in within_memory(self._step, epoch.run(partial(_next_multiple, look), self._hook_after)):
            looked = i % look == 0 or i == self._hook_after(i - 1)
            if looked and not self._seen(epoch, look):
                break
            if self._stopping:
                epoch.verify()
                break
        self._step.release()
        losses, accuracy = epoch.read()
        if not (np.isfinite(losses).all() and finite(self.network.flat_params["flat"])):
            raise locate(epoch)
        if epoch.ran < epoch.count:
            raise _Stop
        return losses, accuracy

    def _hook_after(self, step: int) -> int:
        """The first step of the epoch after `step` at which the hook is called; far away if there is none."""
        if not (self.hook and self.hook_steps):
            return sys.maxsize
        return step + self.hook_steps - (self._done + step) % self.hook_steps

    def _seen(self, epoch: Epoch, look: int) -> bool:
        """Look at the last steps, and call who wants to know; whether all of it is finite."""
        i = epoch.ran
        self.optimizer.steps = self._steps_before + i
        losses, accuracy = epoch.read(i - (i % look or look))
        if not np.isfinite(losses).all():
            return False
        if i % look == 0:
            progress = Progress(self.step, float(losses.mean()), accuracy)
            if self.line:
                self.line(progress)
            if self.progress:
                self.progress(progress)
                epoch.observed = True
        if self.hook and self.hook_steps and self.step % self.hook_steps == 0:
            if not finite(self.network.flat_params["flat"]):
                return False
            self._step.release()
            self.hook(self)
        return True

    def _evaluate(self, step: int) -> dict[str, float | None]:
        """Loss and accuracy on what is held out, by the names in `Metrics`."""

        def go_on() -> None:
            if self._stopping:
                raise _Stop

        found: dict[str, float | None] = {"test_loss": None, "test_accuracy": None}
        for name, (x, t) in self._data.held_out.items():
            loss, accuracy = self.network.evaluate_validated(x, t, between=go_on)
            if not math.isfinite(loss):
                raise DivergenceError(step, f"the loss on the {name} data", "trained up to that step")
            found |= {f"{name}_loss": loss, f"{name}_accuracy": accuracy}
        return found

    def restore_best(self) -> None:
        """Set the network to its best epoch; `checkpoint` and what follows are still from the last step."""
        if not (self.best_weights and self.best):
            return
        if not self.best_weights.kept:
            warnings.warn(
                f"the network is that of step {self.step:,}, not of the best epoch, {self.best.epoch}, whose "
                "weights were not in the checkpoint that was resumed",
                ResumeWarning,
                stacklevel=3,
            )
            return
        self._at_the_end = self.checkpoint()
        self.best_weights.put_back()

    def checkpoint(self) -> Checkpoint:
        """All that is needed to go on: network, optimizer, generator, place in the epoch, history."""
        if self._at_the_end:
            return self._at_the_end
        self.started = True
        self._data.set_inputs()
        network, optimizer, epoch = self.network, self.optimizer, self._epoch or self._part
        arrays = {**network_arrays(network), **on_host("optimizer", optimizer.slots, network.backend)}
        arrays |= self._history_arrays.of(self.history)
        arrays |= self.best_weights.arrays() if self.best_weights else {}
        steps, generator, position = optimizer.steps, self._rng.bit_generator.state, 0
        if epoch:
            steps, generator, position = self._steps_before + epoch.ran, self._drawn_from, epoch.ran
            arrays |= {f"epoch.{i}": values for i, values in enumerate(epoch.results())}
        digest = self._data.validation_digest
        description = {
            "network": describe(network),
            "optimizer": {"class": type(optimizer).__name__, "settings": repr(optimizer), "steps": steps},
            "training": {
                "step": self.step,
                "position": position,
                "seconds": self._seconds,
                "generator": _plain(generator),
                **self._drawing(),
                **({"validation": digest} if digest else {}),
            },
            "last": asdict(self.history[-1]) if self.history else None,
            "machine": self._machine(),
        }
        return Checkpoint(description, arrays)

    def restore(self, checkpoint: Checkpoint, path: str = "the checkpoint") -> None:
        """Set network, optimizer and place to a checkpoint's. `CheckpointError` if it does not fit.

        A `ResumeWarning` says why what comes may not be the run that was never interrupted.
        """
        optimizer, backend = self.optimizer, self.network.backend
        try:
            state, kept = checkpoint.description["training"], checkpoint.description["optimizer"]
            history = history_of(checkpoint)
            position, step, steps = int(state["position"]), int(state["step"]), int(kept["steps"])
            its = {"optimizer": kept["class"], **{name: state[name] for name in self._drawing()}}
            judged_by = state.get("validation")
            generator, seconds = _arrays(state["generator"]), float(state["seconds"])
            machine, settings = dict(checkpoint.description.get("machine", {})), str(kept["settings"])
        except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise CheckpointError(f"{path} is not of a training run: {error!r} in its description") from None
        mine_by = self._data.validation_digest
        mine = {"optimizer": type(optimizer).__name__, **self._drawing()}
        wrong = [f"{name} {mine[name]} here, {its[name]} there" for name in mine if mine[name] != its[name]]
        if wrong:
            held = "; it was judged by validation data, which fit(validation=…) takes" if judged_by else ""
            hint = held if mine_by is None else ""
            raise CheckpointError(f"{path} is of another run: {', '.join(wrong)}{hint}")
        if judged_by and mine_by and judged_by != mine_by:
            raise CheckpointError(
                f"{path} is of a run that was judged by other validation data: give the same, or for a share "
                "the same rng"
            )
        earlier = [value for key, value in sorted(checkpoint.arrays.items()) if key.startswith("epoch.")]
        within = 0 <= position <= min(step, steps, self._plan.per_epoch)
        if not within or (position and [value.shape for value in earlier] != [(position,)] * self._results):
            raise CheckpointError(
                f"{path} is not of a training run: it does not have {position} steps of an epoch"
            )
        if step > self._plan.total:
            raise CheckpointError(
                f"{path} is at step {step:,}, past the {self._plan.total:,} that are wanted"
            )
        slots = on_host("optimizer", optimizer.slots, backend)
        check_fit(path, slots, checkpoint, "optimizer")
        try:
            self._rng.bit_generator.state = generator
        except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise CheckpointError(f"{path} is of another random generator: {error}") from None
        restore_network(self.network, checkpoint, path)
        self._data.follow_network()
        put(optimizer.slots, checkpoint, "optimizer", backend)
        if mine_by and is_from_before(checkpoint):
            history = [as_validated(metrics) for metrics in history]
        self.history, self._seconds, self._best_epoch = history, seconds, BestEpoch()
        self._done, optimizer.steps = step - position, steps - position
        if position:
            self._epoch = self._begin(position, earlier)
            self._complete_or_leave(steps)
        if self.best_weights and self.best:
            self.best_weights.take(checkpoint.arrays, self.best.step)
        if step < self._plan.total and (why := "; ".join(self._inexact(machine, settings))):
            text = f"{path}: what is resumed may not be, bit for bit, a run without a break: {why}"
            warnings.warn(text, ResumeWarning, stacklevel=3)

    @property
    def _results(self) -> int:
        """How many numbers a step leaves: the loss, and the count of the correct if there is one."""
        return 1 + self.network.last_layer.counts_correct

    def _complete_or_leave(self, steps: int) -> None:
        """Go on with an epoch that was a part when the run ended, in place of it; or leave it as the end."""
        if not self.history or self.history[-1].step < self.step:
            return  # its results are not in yet
        if self.step < self._plan.total:
            self.history.pop()
            return
        self._done, self._epoch, self._part = self.step, None, self._epoch
        self.optimizer.steps = steps

    def _inexact(self, machine: Mapping[str, Any], settings: str) -> Iterator[str]:
        """Why what comes may not be the run that was never interrupted."""
        here = self._machine() if machine else {}
        for name in {**here, **machine}:
            mine, its = here.get(name, "unknown"), machine.get(name, "unknown")
            if mine != its:
                yield f"{name} {mine} here, {its} there"
        if not machine:
            yield "it does not say on what machine it was computed"
        if ADDRESS.sub("", repr(self.optimizer)) != ADDRESS.sub("", settings):
            why = ", as when a schedule is stretched to more steps" if callable(self.optimizer.lr) else ""
            rate = f"the rate of step {self.step + 1:,} is {self.optimizer.rate(self.step + 1):.6g}"
            yield f"the optimizer is {self.optimizer!r} here, {settings} there{why}; {rate}"
        before = self.history[-2].step if len(self.history) > 1 else 0
        if self.history and not self._epoch and self.history[-1].step - before < self._plan.per_epoch:
            yield "its last epoch is a part of one, and a file of format 1 does not have how it goes on"

    def _machine(self) -> dict[str, Any]:
        with self._limited():
            return self.network.backend.machine

    def _drawing(self) -> dict[str, Any]:
        """What the order of the samples depends on."""
        plan = self._plan
        return {"samples": plan.samples, "batch_size": plan.batch_size, "sampling": plan.sampling}

    @contextmanager
    def _deferred_interrupt(self) -> Iterator[None]:
        """Make the first Ctrl-C wait for the end of a step, where nobody else handles it."""
        main = threading.current_thread() is threading.main_thread()
        if not main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
            yield
            return

        def handle(*_: Any) -> None:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            self._interrupted = True
            self.stop()

        signal.signal(signal.SIGINT, handle)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, signal.default_int_handler)


def _next_multiple(of: int, step: int) -> int:
    """The first multiple after `step`."""
    return step - step % of + of


def _plain(state: Any) -> Any:
    """A generator's state with lists in place of arrays."""
    if isinstance(state, Mapping):
        return {key: _plain(value) for key, value in state.items()}
    return state.tolist() if isinstance(state, np.ndarray | np.generic) else state


def _arrays(state: Any) -> Any:
    """The inverse of `_plain`."""
    if isinstance(state, Mapping):
        return {key: _arrays(value) for key, value in state.items()}
    return np.asarray(state, np.uint64) if isinstance(state, list) else state


def _order(n: int, size: int, sampling: Sampling, rng: np.random.Generator) -> np.ndarray:
    """The indices of an epoch's samples, drawn on the host."""
    return rng.permutation(n) if sampling == "without-replacement" else rng.integers(0, n, size)
