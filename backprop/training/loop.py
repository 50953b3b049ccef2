"""The training loop: batches, steps, and metrics once an epoch. It never prints.

Losses and counts stay on the device until the epoch ends; a single read then shows whether any of them is
NaN or infinite. If so, the steps are run again one by one to find the layer where it first appeared, and the
network is left as it was before that step's update.
"""

from __future__ import annotations

import math
import platform
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from functools import partial
from itertools import islice
from typing import Any

import numpy as np

from .. import __version__
from ..backends import Communicator, HostArray, world
from ..diagnosis import LearningProblem, LearningWarning, find_learning_problem, sample_indices
from ..inputs import Mapped
from ..layers.book_style.draws import book_layers
from ..networks.checks import check_same_length
from ..networks.network import Network
from ..optimizers import SGD, Optimizer
from ..saving.checkpoint import Checkpoint, CheckpointError, ResumeWarning
from ..saving.history import HistoryArrays, Means, Metrics
from ..saving.network import check_fit, network_arrays, on_host, put, restore_network
from ..saving.network_config import network_config
from ..saving.optimizer_config import optimizer_config
from ..text import indefinite
from .agreement import check_alike, digest
from .arguments import (
    Sampling,
    check_hook,
    check_last_batch,
    check_shards,
    check_smallest_shard,
    check_validation,
    check_whole,
    default_shards,
    is_pair,
    steps_per_epoch,
    total_steps,
)
from .best_weights import BestWeights, as_validated, is_from_before
from .data import TrainingData
from .divergence import DivergenceError, locate
from .early_stopping import EarlyStopping
from .epoch import Epoch
from .evaluation import evaluated
from .exchange import Exchange
from .interrupts import deferred_ctrl_c
from .memory import BatchTooLargeError, within_memory
from .order import SampleOrder
from .ordered_sum import ShardSum
from .resume import UNREADABLE, SavedTraining
from .sharded_step import ShardedStep
from .shards import Shards
from .step import TrainStep

__all__ = ["BatchTooLargeError", "DivergenceError", "Metrics", "Progress", "Training"]

CHECK_STEPS = 1000
"""How many steps of a long epoch run between two checks for divergence."""

ENOUGH, ENOUGH_AT_END = 200, 100
"""The fewest steps before a network is compared with guessing: during a training, and at its end."""

FALLING = 0.98
"""A loss counts as falling if it is below this share of the previous epoch's."""


@dataclass(frozen=True)
class Progress:
    """The results so far within an epoch, for a progress line."""

    step: int
    loss: float
    accuracy: float | None


class _Stop(Exception):  # noqa: N818 - no error
    """The training was asked to stop."""


class Training(Iterator[Metrics]):
    """A training run: iterating over it trains `network` on x and t, and yields `Metrics` after every epoch.

    `fit` includes the loop. In a hook, and before or after an epoch, `checkpoint` returns everything needed
    to resume from there, bit for bit.

    Ctrl-C finishes the current step first, so the network stays consistent. The loop then ends: an
    interactive session continues after it, a script gets a KeyboardInterrupt. A second Ctrl-C stops at once.

    Parameters
    ----------
    x, t : host arrays, or arrays on the network's device. They are moved to the device once. Pixels
        from 0 to 255 are kept there as bytes and divided by 255 batch by batch (`Network.inputs`).
        On NumPy, memory-mapped arrays (`numpy.load(path, mmap_mode="r")`) may be larger than the memory:
        they are read as needed, for a few checks at the start and then batch by batch
    optimizer : `SGD(0.1)` by default
    epochs, iterations : how long to train; give one of them. An epoch is ⌈N / batch_size⌉ steps.
    batch_size : samples per step; the last batch of an epoch without replacement may be smaller
    sampling : `"without-replacement"` uses every sample once per epoch, in a new order each time;
        `"with-replacement"` draws every batch from all samples, as the book does
    rng : a `numpy.random.Generator` or a seed for the order of the samples, drawn on the host
    test : `(x_test, t_test)` to evaluate on after every epoch
    validation : `(x, t)` to validate on after every epoch, or the share of the samples to hold out for that,
        drawn by `rng` from every class alike; `best` is the epoch with the lowest validation loss
    patience : stop after this many epochs that were no better than `best`
    capture : record the step and replay it if the backend can, which is faster; a step that cannot be
        recorded is called each time, after a `backprop.backends.CaptureWarning` with the cause
    progress : called every `progress_steps` steps, of several processes in the first; reading the loss then
        waits for the device
    hook, hook_steps : `hook` is called with the training every `hook_steps` steps, counted from the first
        one, for instance to save it: `lambda training: write_checkpoint(path, training.checkpoint())`
    resume : a checkpoint from `Training.checkpoint` to resume from, as if nothing had happened. It sets the
        network and the optimizer; everything else must be as it was, except that more steps may be given:
        an incomplete last epoch is then completed. If the result may differ in the last bits, for instance
        with another version of NumPy, a `ResumeWarning` says why

    shards : cut every batch into so many parts and add up their gradients in order. The number is part of
        the result, as rounding depends on it; the number of processes is not: started under MPI, N processes
        share the shards and compute what one computes, bit for bit. By default 1, with several processes the
        smallest power of two that is at least their number, and for a resumed run that of its checkpoint
    communicator : the processes that train together; by default all with which this one was started, under
        `mpiexec` or `srun`. `Communicator()` is this process alone

    Raises `ValueError` before the first step for a target out of range or a batch larger than the data;
    `CheckpointError` for a checkpoint that does not fit; `DivergenceError` if a loss becomes NaN or infinite;
    `BatchTooLargeError` if a step does not fit into the device's memory.

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
    """Whether the training ended before its last step because `stop` was called."""

    best_weights: BestWeights | None = None
    """The weights of the best epoch; None if they are not kept."""

    _at_the_end: Checkpoint | None = None

    mean_steps: int | None = None
    """How many steps each of `means` covers; None if there are none."""

    learning_checked = False
    """Whether the comparison with guessing is done: the network is better, or a warning was given."""

    _next_learning_check = ENOUGH

    started = True
    """Whether the training was iterated over or saved; one that is dropped without either warns."""

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
        shards: int | None = None,
        communicator: Communicator | None = None,
    ) -> None:
        check_same_length(x, t)
        check_whole(
            epochs=epochs, iterations=iterations, batch_size=batch_size, progress_steps=progress_steps
        )
        check_whole(hook_steps=hook_steps, patience=patience, shards=shards)
        check_validation(validation, patience)
        check_hook(hook, hook_steps)
        if optimizer is not None and not isinstance(optimizer, Optimizer):
            raise TypeError(f"expected an Optimizer, such as SGD(0.1), got {optimizer!r}")
        if test is not None and not is_pair(test):
            raise TypeError(f"expected test=(x_test, t_test), got {indefinite(type(test).__name__)}")
        self.communicator = world() if communicator is None else communicator
        self.network = network
        generator = self._common(np.random.default_rng(rng))
        with network.backend.current():
            self._data = TrainingData(network, x, t, validation, test, generator)
            samples = len(self._data)
            per_epoch = steps_per_epoch(samples, batch_size, sampling)
            total = total_steps(epochs, iterations, per_epoch)
            self._capture = capture and total >= network.backend.fewest_steps
            self._shards_given = shards is not None
            self._step = self._made_step(shards, optimizer or SGD(0.1), batch_size)
            self._data.scale()
            sizes = [batch_size]
            if total >= per_epoch and sampling == "without-replacement":
                check_last_batch(network, self._data.train["x"], batch_size)
                sizes.append(samples % batch_size)
            check_smallest_shard(network, self._data.train["x"], sizes, self.shards)
        self._order = SampleOrder(samples, batch_size, per_epoch, total, sampling, generator)
        self.optimizer = self._step.optimizer
        self.early_stopping = EarlyStopping(patience)
        self.progress, self.progress_steps = progress, progress_steps
        self.hook, self.hook_steps = hook, hook_steps
        self.on_progress: list[Callable[[Progress], None]] = []
        """Functions called when `progress` is, and after an epoch; they must not change anything."""
        self.on_steps: list[tuple[int, Callable[[Training], None]]] = []
        """More hooks, each with its number of steps; called after `hook`."""
        self.on_epoch: list[Callable[[Training, Metrics], None]] = []
        """Functions called after every epoch, before the body of the loop over the training."""
        self._hook_steps: list[int] = []  # after how many steps process 0 has hooks
        self.history: list[Metrics] = []
        self._done, self._seconds = 0, 0.0
        self._asked = self._stopping = self._interrupted = False
        self._means: list[Means] = []  # of the last complete or partial epoch
        self._epoch: Epoch | None = None  # the unfinished epoch
        self._part: Epoch | None = None  # the last epoch, if incomplete: more steps would complete it
        self._history_arrays = HistoryArrays()
        if self.communicator.size > 1:
            self._meet(epochs, iterations)
        if resume is not None:
            self.restore(resume)
        self.started = False

    @property
    def shards(self) -> int:
        """The number of parts into which every batch is cut; part of the result."""
        return self._step.shards.count

    def _common(self, generator: np.random.Generator) -> np.random.Generator:
        """The generator, in the state that it has in process 0; all must compute with one library."""
        if self.communicator.size > 1:
            check_alike(self.communicator, {"device": self.network.backend.name}, {})
            generator.bit_generator.state = self.communicator.broadcast(generator.bit_generator.state)
        return generator

    def _made_step(self, given: int | None, optimizer: Optimizer, batch_size: int) -> TrainStep:
        """A step by so many shards; None for one, or for several processes a power of two."""
        count = default_shards(self.communicator.size) if given is None else given
        check_shards(count, self.communicator.size, batch_size)
        if count == 1:
            return TrainStep(self.network, self._data.train, optimizer, batch_size, self._capture)
        shards = Shards(count, self.communicator.size)
        exchange = Exchange(
            self.network,
            optimizer,
            ShardSum(shards, self.communicator, self.network.backend),
            asked_to_stop=lambda: self._asked,
            stop=self._stop_here,
        )
        return ShardedStep(self.network, self._data.train, optimizer, batch_size, self._capture, exchange)

    def _meet(self, epochs: int | None, iterations: int | None) -> None:
        """Check that all processes train alike, and begin with the network of process 0."""
        network, backend, data = self.network, self.network.backend, self._step.data
        rows = backend.asarray(sample_indices(self._order.samples))
        samples = [backend.to_numpy(backend.xp.take(data[name], rows, axis=0)) for name in ("x", "t")]
        held_out = {part: tuple(x.shape) for part, (x, _) in self._data.held_out.items()}
        machine = self._machine()
        shown, _, _ = repr(network).rpartition(" on ")  # which of several GPUs
        facts = {
            "backprop": __version__,
            "Python": platform.python_version(),
            **{name: machine.get(name) for name in ("NumPy", "backend")},
            "network": f"{shown} of {[tuple(p.shape) for p in network.params.values()]}",
            "optimizer": optimizer_config(self.optimizer),
            "data": f"{tuple(data['x'].shape)} {digest(*samples)}",
            "held-out data": held_out,
            "shards": self.shards,
            "epochs": epochs,
            "iterations": iterations,
            "patience": self.early_stopping.patience,
            "hook_steps": self.hook_steps,
            **self._order.config(),
        }
        check_alike(self.communicator, facts, machine)
        with backend.current():
            for arrays in (network.flat_params, network.state):
                for key in arrays:
                    value = self.communicator.broadcast(backend.to_numpy(arrays[key]))
                    arrays[key] = backend.asarray(value)

    def __del__(self) -> None:
        if not self.started:
            warnings.warn(
                "a Training was made and never iterated over, so nothing was trained: call fit(…), which "
                "trains, or loop over it",
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
        return self._order.total

    @property
    def threads(self) -> int | None:
        """The CPU threads that matrix products use; None on another device."""
        with self._computing():
            return self.network.backend.threads

    def __repr__(self) -> str:
        return f"Training({type(self.network).__name__}: {self.step:,} of {self.total:,} steps)"

    def _repr_html_(self) -> str:
        """The history and its curves, for a notebook."""
        from .display import training_html

        return training_html(self)

    def _computing(self) -> AbstractContextManager[None]:
        return self.network.computing(self._order.batch_size)

    @property
    def best(self) -> Metrics | None:
        """The first epoch with the lowest validation loss; None without validation."""
        return self.early_stopping.best(self.history)

    @property
    def stopped_early(self) -> bool:
        """Whether `patience` ended the training before its last step."""
        if self._done >= self.total or self._epoch:
            return False
        return self.early_stopping.ends(self.history)

    @property
    def per_epoch(self) -> int:
        """Steps in a complete epoch."""
        return self._order.per_epoch

    def means(self, since: int) -> list[Means]:
        """The means after the step `since`, in the unfinished epoch or else in the last one.

        The first of all covers the first batch alone, before any update.
        """
        means = self._means if self._epoch is None else self._means_of(self._epoch, since)
        return [mean for mean in means if mean.step > since]

    def _means_of(self, epoch: Epoch, since: int = 0) -> list[Means]:
        """The means of the epoch after the step `since`, and possibly some before it."""
        every, passed = self.mean_steps, max(since - epoch.done, 0)
        if every is None:
            return []
        first = islice(epoch.means(1), every > 1 and epoch.done == passed == 0)
        return [*first, *epoch.means(every, passed - passed % every)]

    def stop(self) -> None:
        """Ask the training to end after the current step, or evaluation batch; safe in a signal handler.

        Of several processes, all end after the same step.
        """
        self._asked = True
        if self.communicator.size == 1:
            self._stop_here()

    def _stop_here(self) -> None:
        self._stopping = True

    def __next__(self) -> Metrics:
        self.started = True
        self._data.set_inputs()
        if self._at_the_end:
            restore_network(self.network, self._at_the_end)
            self._at_the_end = None
        ended = self._done >= self.total or self.stopped_early
        if ended and not self._interrupted:
            raise StopIteration
        try:
            if self._stopping:
                raise _Stop
            with deferred_ctrl_c(self._interrupt), self._computing():
                metrics = self._next()
                for listener in self.on_epoch:
                    listener(self, metrics)
                return metrics
        except DivergenceError:  # the state is already back at the step before
            raise
        except BaseException as error:
            if self._epoch:
                self.optimizer.steps = self._steps_before + self._epoch.ran
            if not isinstance(error, _Stop):
                raise
            self.stopped = self._done < self.total
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
        self._part = epoch if epoch.count < self.per_epoch else None
        if self.best_weights and self.best is metrics:
            self.best_weights.keep(metrics, part=self._part is not None)
        self.optimizer.steps = self._steps_before + epoch.count
        for listener in self.on_progress if self.communicator.rank == 0 else ():
            listener(Progress(done, loss, accuracy))
        if not self.learning_checked:
            self._check_learning()
        return metrics

    def _check_learning(self) -> None:
        """Warn once if the network is no better than guessing, at the end or with no chance of improving."""
        at_end = self._done == self.total or self.stopped_early
        if self._done < (ENOUGH_AT_END if at_end else self._next_learning_check):
            return
        self._next_learning_check = 2 * self._done
        problem = self.learning_problem()
        if problem and (problem.definite or at_end):
            self.learning_checked = True
            if self.communicator.rank:
                return
            warnings.warn(f"after step {self.step:,} {problem}", LearningWarning, stacklevel=4)
        elif problem is None:
            self.learning_checked = True

    def samples(self) -> dict[str, tuple[HostArray, HostArray]]:
        """Samples and targets on the host: `"train"`, and `"validation"` and `"test"` if given.

        Memory-mapped ones are read when they are indexed.
        """
        train = self._data.train
        parts = {"train": (train["x"], train["t"]), **self._data.held_out}
        return {part: (self._on_host(x), self._on_host(t)) for part, (x, t) in parts.items()}

    def _on_host(self, array: Any) -> Any:
        return array if isinstance(array, Mapped) else self.network.backend.to_numpy(array)

    def learning_problem(self) -> LearningProblem | None:
        """Why the network is no better than guessing on the training data; None if it is better."""
        data, backend = self._step.data, self.network.backend
        losses = [metrics.loss for metrics in self.history[-2:]]
        rows = backend.asarray(sample_indices(self._order.samples))
        x, t = (backend.xp.take(data[name], rows, axis=0) for name in ("x", "t"))
        return find_learning_problem(
            self.network,
            x,
            t,
            self.optimizer,
            batch_size=self._order.batch_size,
            falling=len(losses) == 2 and losses[1] < FALLING * losses[0],
        )

    def _begin(self, position: int = 0, earlier: Sequence[np.ndarray] = ()) -> Epoch:
        """Begin the next epoch at its step `position`, with the results of its earlier steps."""
        self._steps_before = self.optimizer.steps
        count = min(self.per_epoch, self.total - self._done)
        ahead = self._order.draw_ahead if self._done + count < self.total else lambda: None
        return Epoch(self._step, self._order.draw(), count, self._done, position, earlier, ahead)

    def _train(self, epoch: Epoch) -> tuple[np.ndarray, float | None]:
        """Run the epoch to its end; return its losses and accuracy. Raises `_Stop` if asked to stop."""
        every = self.progress_steps if self.progress or self.on_progress else CHECK_STEPS
        every, calls, self._hook_steps = self.communicator.broadcast(
            (every, self.progress is not None, [steps for steps, _ in self._hooks()])
        )
        reports = partial(_next_multiple, every)
        free_after = self._report_or_hook_after(reports) if calls else self._hook_after
        for i in within_memory(self._step, epoch.run(reports, free_after)):
            self._step.ask()
            due = i % every == 0 or i == self._hook_after(i - 1)
            with self.network.backend.current():  # a hook may leave another device as the current one
                if due and not self._report(epoch, every):
                    break
            if self._stopping:
                epoch.verify()
                break
        self._step.release()
        losses, accuracy = epoch.read()
        if not (np.isfinite(losses).all() and epoch.check_params()):
            raise locate(epoch)
        if epoch.ran < epoch.count:
            raise _Stop
        return losses, accuracy

    def _hooks(self) -> Iterator[tuple[int, Callable[[Training], None]]]:
        """The hook, then `on_steps`, each with its number of steps."""
        if self.hook and self.hook_steps:
            yield self.hook_steps, self.hook
        yield from self.on_steps

    def _hook_after(self, step: int) -> int:
        """The first step of the epoch after `step` after which a hook is called; `sys.maxsize` for none."""
        next_calls = (step + every - (self._done + step) % every for every in self._hook_steps)
        return min(next_calls, default=sys.maxsize)

    def _report_or_hook_after(self, reports: Callable[[int], int]) -> Callable[[int], int]:
        """The first step of the epoch after another after which callbacks may change anything."""
        return lambda step: min(reports(step), self._hook_after(step))

    def _report(self, epoch: Epoch, every: int) -> bool:
        """Report the last steps to listeners and hooks; return whether loss and weights are finite."""
        i = epoch.ran
        self.optimizer.steps = self._steps_before + i
        losses, accuracy = epoch.read(i - (i % every or every))
        if not np.isfinite(losses).all():
            return False
        if i % every == 0 and self.communicator.rank == 0:
            progress = Progress(self.step, float(losses.mean()), accuracy)
            for listener in self.on_progress:
                listener(progress)
            if self.progress:
                self.progress(progress)
                epoch.params_finite = None
        if any(self.step % steps == 0 for steps in self._hook_steps) and not epoch.check_params():
            return False
        for hook in [hook for every, hook in self._hooks() if self.step % every == 0]:
            if not epoch.check_params():
                return False
            self._step.release()
            hook(self)
            epoch.params_finite = None
        return True

    def _evaluate(self, step: int) -> dict[str, float | None]:
        """Loss and accuracy on the held-out data, by their names in `Metrics`."""

        def check_stop() -> None:
            if self._stopping:
                raise _Stop

        found: dict[str, float | None] = {"test_loss": None, "test_accuracy": None}
        for name, (x, t) in self._data.held_out.items():
            loss, accuracy = evaluated(self.network, x, t, self.communicator, between=check_stop)
            if not math.isfinite(loss):
                raise DivergenceError(step, f"the loss on the {name} data", "trained up to that step")
            found |= {f"{name}_loss": loss, f"{name}_accuracy": accuracy}
        return found

    def restore_best(self) -> None:
        """Restore the network of the best epoch; `checkpoint` and further training use the last step."""
        if not (self.best_weights and self.best):
            return
        if not self.best_weights.kept:
            warnings.warn(
                f"the network is from step {self.step:,}, not from the best epoch, {self.best.epoch}, whose "
                "weights were not in the checkpoint",
                ResumeWarning,
                stacklevel=3,
            )
            return
        self._at_the_end = self.checkpoint()
        self.best_weights.put_back()

    def checkpoint(self) -> Checkpoint:
        """Return everything needed to resume: network, optimizer, generator, position and history."""
        if self._at_the_end:
            return self._at_the_end
        self.started = True
        self._data.set_inputs()
        network, optimizer, epoch = self.network, self.optimizer, self._epoch or self._part
        arrays = {**network_arrays(network), **on_host("optimizer", optimizer.slots, network.backend)}
        arrays |= self._history_arrays.of(self.history)
        arrays |= self.best_weights.arrays() if self.best_weights else {}
        steps, position = optimizer.steps, 0
        if epoch:
            steps, position = self._steps_before + epoch.ran, epoch.ran
            with network.backend.current():
                arrays |= {f"epoch.{i}": values for i, values in enumerate(epoch.results())}
        validation = self._data.validation_digest
        description = {
            "network": network_config(network),
            "optimizer": {**optimizer_config(optimizer), "steps": steps},
            "training": {
                "step": self.step,
                "position": position,
                "seconds": self._seconds,
                "generator": self._order.generator(redraw=epoch is not None),
                **self._order.config(),
                **({"validation": validation} if validation else {}),
                **({"shards": self.shards} if self.shards > 1 else {}),
            },
            "last": asdict(self.history[-1]) if self.history else None,
            "machine": self._machine(),
        }
        return Checkpoint(description, arrays)

    def restore(self, checkpoint: Checkpoint, path: str = "the checkpoint") -> None:
        """Restore network, optimizer and position from a checkpoint; `CheckpointError` if it does not fit.

        A `ResumeWarning` says why the resumed run may differ from an uninterrupted one.
        """
        optimizer, config = self.optimizer, self._config()
        saved = SavedTraining.read(checkpoint, path, config, optimizer)
        self._take_shards(saved.shards, path)
        saved.check_config(config, self._data.validation_digest)
        saved.check_place(self.per_epoch, self.total, self._results)
        backend = self.network.backend
        check_fit(path, on_host("optimizer", optimizer.slots, backend), checkpoint, "optimizer")
        try:
            self._order.set_generator(saved.generator)
        except UNREADABLE as error:
            raise CheckpointError(f"{path} has the state of another random generator: {error}") from None
        with backend.current():
            restore_network(self.network, checkpoint, path)
            self._data.follow_network()
            put(optimizer.slots, checkpoint, "optimizer", backend)
        self.history, self._seconds = saved.history, saved.seconds
        if self._data.validation_digest and is_from_before(checkpoint):
            self.history = list(map(as_validated, self.history))
        self.early_stopping = EarlyStopping(self.early_stopping.patience)
        self._done, optimizer.steps = saved.step - saved.position, saved.optimizer_steps - saved.position
        if saved.position:
            self._epoch = self._begin(saved.position, saved.results)
            self._complete_or_leave(saved.optimizer_steps)
        if self.best_weights and self.best:
            self.best_weights.take(checkpoint.arrays, self.best.step)
        why = [*saved.differences(self._machine(), optimizer), *self._lost_part(), *self._lost_draws()]
        if saved.step < self.total and why:
            text = f"{path}: the resumed run may differ from an uninterrupted one: {'; '.join(why)}"
            warnings.warn(text, ResumeWarning, stacklevel=3)

    def _take_shards(self, count: int, path: str) -> None:
        """Continue by as many shards as before; raises `CheckpointError` if others were asked for."""
        if count == self.shards:
            return
        if self._shards_given:
            raise CheckpointError(
                f"{path} is from another run: shards {self.shards} here, {count} there; the number is part "
                "of the result"
            )
        self._step = self._made_step(count, self.optimizer, self._order.batch_size)

    def _config(self) -> dict[str, Any]:
        """The settings that a checkpoint must share."""
        return {"optimizer": type(self.optimizer).__name__, **self._order.config()}

    @property
    def _results(self) -> int:
        """The number of results per step: the loss and, if it classifies, the count of correct samples."""
        return 1 + self.network.last_layer.counts_correct

    def _complete_or_leave(self, steps: int) -> None:
        """Complete an epoch that was incomplete at the end of a run, or leave it if no steps follow."""
        if not self.history or self.history[-1].step < self.step:
            return  # the run stopped within the epoch, before its metrics
        if self.step < self.total:
            self.history.pop()
            return
        self._done, self._epoch, self._part = self.step, None, self._epoch
        self.optimizer.steps = steps

    def _lost_part(self) -> Iterator[str]:
        """Yield a warning if a checkpoint of format 1 ended within an epoch, whose order it lacks."""
        before = self.history[-2].step if len(self.history) > 1 else 0
        if self.history and not self._epoch and self.history[-1].step - before < self.per_epoch:
            yield "its last epoch is incomplete, and a file of format 1 does not say how to complete it"

    def _lost_draws(self) -> Iterator[str]:
        """Yield a warning for every layer in the book's style that draws random numbers."""
        for name, layer in book_layers(self.network.layers):
            if layer.attributes.draws:
                yield f"{name} draws random numbers by itself, and their generator is not in the checkpoint"

    def _machine(self) -> dict[str, Any]:
        with self._computing():
            return self.network.backend.machine

    def _interrupt(self) -> None:
        self._interrupted = True
        self.stop()


def _next_multiple(of: int, step: int) -> int:
    """The first multiple after `step`."""
    return step - step % of + of
