"""`backprop train`."""

from __future__ import annotations

import argparse
import shlex
import sys
import time
import warnings
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from backends import get_backend

from .. import runs
from ..checkpoints import Checkpoint, CheckpointError, followed, read_checkpoint
from ..choices import UsageError
from ..datasets import Dataset, Fingerprint, dataset_at, split, with_channels
from ..datasets.dataset import HostArray
from ..files import replace_file
from ..history import last_of
from ..pictures import learn_style
from ..progress import progress_line
from ..report import write_report
from ..run_data import BY_CLASS, check_run_data, load_run_data
from ..saving import restore_network
from ..text import visible
from ..training import DivergenceError, Metrics, Progress, Training
from .build import build_network, build_optimizer, steps_of
from .configuration import as_toml, settings
from .report import make_optimizer
from .signals import Interrupted, Signals
from .views import Json, Lines, View, named

ROWS = 1000
"""Samples that are moved at once."""


def run(options: argparse.Namespace) -> int:
    """Train as the options say; show the run on stdout and a live line on stderr, keep it in a folder."""
    with Signals() as signals, ExitStack() as stack:
        locked = options.resume is not None and not options.no_save
        folder = _folder(options, stack) if locked else None
        job = _Job(options)
        if not (locked or options.no_save):
            folder = _folder(options, stack)
        keeper = _Keeper(folder, options, job.facts, stack.enter_context(ThreadPoolExecutor(1)))
        training = job.training(keeper, stack)
        signals.training = training
        try:
            job.show(training, keeper)
            job.train(training, keeper)
        except DivergenceError as error:
            raise keeper.with_last_good(error) from None
        except BrokenPipeError:
            stopped = visible(keeper.stopped(training))
            print(f"backprop: nobody reads the output; stopped {stopped}", file=sys.stderr)
            raise
        if training.stopped:
            assert signals.signum is not None
            raise Interrupted(signals.signum, keeper.stopped(training))
        job.finish(training, keeper)
        if signals.signum is not None:
            raise Interrupted(signals.signum, "after the last step; the run is complete")
    return 0


class _Job:
    """What is trained on what, and what is shown of it."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options, self.began = options, time.perf_counter()
        self.backend = get_backend(options.device)
        if options.precision == "tf32" and self.backend.name != "cupy":
            raise UsageError(
                f"--precision tf32 is for a GPU (--device gpu), but the device is {self.backend.device}"
            )
        if options.patience and not options.validation:
            raise UsageError("--patience N needs data to judge by: give --validation 0.1")
        whole = dataset_at(options.data) if options.resume is None else load_run_data(options.data)
        self.fingerprint = Fingerprint.of(whole)
        self.checkpoint = None if options.resume is None else read_checkpoint(options.resume)
        by_class = self.checkpoint is None or self.checkpoint.description.get("split") == BY_CLASS
        self.rng = np.random.default_rng(options.seed)
        self.network = build_network(options, whole, self.backend, self.rng)
        self.data, self.held_out = _split(whole, options, by_class)
        self.steps = steps_of(options, len(self.data.x_train))
        self.optimizer = build_optimizer(options, self.steps)
        held = "validation" if self.held_out else "test"
        self.view: View = Json(held) if options.json else Lines(held, quiet=options.quiet)
        style = learn_style(self.data.x_train)
        self.facts: dict[str, Any] = {
            "data": {
                "name": whole.name,
                "sha256": self.fingerprint.sha256,
                "pictures": style and style.as_entry(),
            }
        }
        if self.held_out and by_class:
            self.facts["split"] = BY_CLASS

    def training(self, keeper: _Keeper, stack: ExitStack) -> Training:
        """The training, resumed if that is asked for."""
        options, data, checkpoint = self.options, self.data, self.checkpoint
        if checkpoint:
            check_run_data(options.resume, checkpoint.description, self.fingerprint, data.name)
        x_test, t_test = self.held_out or (data.x_test, data.t_test)
        training = Training(
            self.network,
            self._shaped(data.x_train),
            data.t_train,
            optimizer=self.optimizer,
            iterations=self.steps,
            batch_size=options.batch_size,
            sampling=options.sampling,
            rng=self.rng,
            test=(self._shaped(x_test), t_test),
            progress=keeper.logged if options.log_every else None,
            progress_steps=options.log_every or 50,
            capture=not options.no_capture,
            hook=keeper.save if keeper.save_steps else None,
            hook_steps=keeper.save_steps,
        )
        training.started = True  # what keeps it from that says so
        line = progress_line(self.steps, shown=False if options.json or options.quiet else None, stays=False)
        training.line = stack.enter_context(line)
        if checkpoint:
            training.go_on_from(checkpoint, options.resume)
        keeper.begin(training, self.view)
        return training

    def show(self, training: Training, keeper: _Keeper) -> None:
        """The first lines on the screen."""
        place = {"out": keeper.name, "resumed": self.options.resume, "step": training.step}
        self.view.start({**_settings(self), **place})
        if keeper.later:
            self.view.note(f"the next checkpoint takes the place of the later one, {keeper.later[-1]}")

    def train(self, training: Training, keeper: _Keeper) -> None:
        """Train to the end, to a signal, or until the validation loss no longer falls."""
        while not self._stops_early(training, keeper):
            metrics = next(training, None)
            if metrics is None:
                return
            keeper.epoch(training, metrics)
            self.view.epoch(metrics)

    def _stops_early(self, training: Training, keeper: _Keeper) -> bool:
        """Whether `--patience` is at its end, which is said."""
        patience, best = self.options.patience, keeper.best_epoch.of(training.history)
        if not (patience and best) or training.step >= self.steps:
            return False
        if training.history[-1].epoch - best.epoch < patience:
            return False
        self.view.note(f"stopped early: no epoch since {best.epoch} was better on the validation data")
        return True

    def finish(self, training: Training, keeper: _Keeper) -> None:
        """The last checkpoint, the report, and the final figures."""
        kept = keeper.finish(training, self.data)
        metrics = trained = training.history[-1]
        if self.held_out:
            metrics = self._tested(training, keeper)
        self.view.end(
            {
                "test_accuracy": metrics.test_accuracy,
                "epoch": metrics.epoch,
                "step": trained.step,
                "seconds": time.perf_counter() - self.began,
                "steps_per_second": trained.step / trained.seconds if trained.seconds else None,
                **kept,
            }
        )

    def _tested(self, training: Training, keeper: _Keeper) -> Metrics:
        """The metrics of the best epoch, on the test data: the network is set to it."""
        metrics, best = training.history[-1], keeper.best_epoch.of(training.history)
        if keeper.best is not None and best is not None:
            metrics = best
            restore_network(self.network, keeper.best)
            self.view.note(f"best on the validation data: epoch {metrics.epoch}")
        asarray = self.backend.asarray
        x, t = asarray(self._shaped(self.data.x_test)), asarray(self.data.t_test)
        loss, accuracy = self.network.evaluate(x, t)
        return replace(metrics, test_loss=loss, test_accuracy=accuracy)

    def _shaped(self, x: np.ndarray) -> np.ndarray:
        return with_channels(x, self.network.input_shape)


class _Keeper:
    """Keeps the run in its folder, if it has one; a thread writes while the training goes on."""

    def __init__(
        self, folder: Path | None, options: argparse.Namespace, facts: dict[str, Any], writer: Executor
    ) -> None:
        self.folder, self.options, self.facts = folder, options, facts
        self._writer, self._writing = writer, Future[Path | None]()
        self._writing.set_result(None)
        self.name = None if folder is None else str(folder)
        every = options.save_every
        self.save_steps = every if folder is not None and every != "epoch" else None
        self.held_out = "validation" if options.validation else "test"
        self.saved: Path | None = None
        self.later: list[Path] = []
        self.best: Checkpoint | None = None
        self.best_epoch = _Best()
        self.view: View

    def begin(self, training: Training, view: View) -> None:
        """The settings and the history so far."""
        self.view = view
        if self.options.resume is not None:
            self.saved = Path(self.options.resume)
            self.best = self._kept(self.best_epoch.of(training.history))
        if self.folder is None:
            return
        replace_file(self.folder / runs.CONFIG, as_toml(settings(self.options)))
        if self.saved is None:
            runs.write_history(self.folder, [])  # in place of that of a run without a checkpoint
            return
        self._rewrite_history(training)
        found = runs.checkpoints(self.folder)
        self.later = found[found.index(self.saved) + 1 :] if self.saved in found else []
        if self.best:
            runs.save_best(self.folder, self.best, self._kept(_Best().of(training.history[:-1])))

    def _kept(self, best: Metrics | None) -> Checkpoint | None:
        """The checkpoint of this epoch, the best one, where there is one."""
        assert self.saved is not None
        if not (self.options.validation and best):
            return None
        for path in (self.saved.parent / runs.BEST, self.saved.parent / runs.BEST_WHOLE, self.saved):
            try:
                found = read_checkpoint(path)
                with followed(path):
                    step, last = found.description.get("training", {}).get("step"), last_of(found.description)
                    if last and step == last["step"] == best.step:
                        return found
            except FileNotFoundError:
                continue
            except CheckpointError as error:
                warnings.warn(str(error), stacklevel=2)
        return None

    def _rewrite_history(self, training: Training) -> None:
        """The lines up to here: what came after the checkpoint is done anew."""
        assert self.folder is not None
        steps = [
            line
            for line in runs.read_history(self.folder)
            if line.get("event") == "steps" and line["step"] <= training.step
        ]
        lines = [*steps, *({"event": "epoch", **named(m, self.held_out)} for m in training.history)]
        runs.write_history(self.folder, sorted(lines, key=lambda line: line["step"]))

    def checkpoint(self, training: Training) -> Checkpoint:
        """The training, with the settings it came from."""
        checkpoint = training.checkpoint()
        run = {
            "command": self.options.command_line,
            "settings": settings(self.options),
            "saved": time.time(),
        }
        checkpoint.description.update(self.facts, run=run)
        return checkpoint

    def save(self, training: Training) -> None:
        """A checkpoint in the folder, when the one before is written."""
        if self.folder is not None:
            self.wait()
            if self.best is None:
                (self.folder / runs.BEST).unlink(missing_ok=True)  # of an epoch that is done anew
            self.later = []
            checkpoint = self.checkpoint(training)
            self._writing = self._writer.submit(runs.save, self.folder, checkpoint, self.options.keep)

    def wait(self) -> None:
        """Wait for the checkpoint that is being written; raises what kept it from that."""
        self.saved = self._writing.result() or self.saved

    def epoch(self, training: Training, metrics: Metrics) -> None:
        """A line of the history, and the checkpoints that an epoch brings."""
        before = self.best
        better = self.options.validation and self.best_epoch.of(training.history) is metrics
        if better:
            self.best = self.checkpoint(training)
        if self.folder is None:
            return
        runs.add_history(self.folder, {"event": "epoch", **named(metrics, self.held_out)})
        if better and self.best:  # before the checkpoint that tells of it
            self.wait()
            runs.save_best(self.folder, self.best, before)
        if self.save_steps is None:
            self.save(training)

    def logged(self, progress: Progress) -> None:
        """A line of the history within an epoch."""
        if self.folder is not None:
            line = {"step": progress.step, "loss": progress.loss, "accuracy": progress.accuracy}
            runs.add_history(self.folder, {"event": "steps", **line})

    def stopped(self, training: Training) -> str:
        """Save what there is; where it stopped, and how to go on."""
        where = f"after step {training.step:,}"
        if self.folder is None:
            return f"{where}; nothing was kept"
        self.save(training)
        self.wait()
        return f"{where}; go on with: backprop train --resume {shlex.quote(str(self.folder))}"

    def with_last_good(self, error: DivergenceError) -> DivergenceError:
        """The error, with the checkpoint from before it."""
        self.wait()
        kept = "no checkpoint was kept" if self.saved is None else f"the last good checkpoint is {self.saved}"
        error.args = (f"{error}; {kept}",)
        return error

    def finish(self, training: Training, data: Dataset) -> dict[str, Any]:
        """The last checkpoint and the report on these data, by name."""
        if self.folder is None:
            return {}
        self.wait()
        here = self.saved is not None and self.saved.parent == self.folder
        if self.save_steps is not None or not here:  # else the last epoch has saved it
            self.save(training)
            self.wait()
        shown = self.folder / runs.BEST if self.best else self.saved
        return {"checkpoint": str(shown), "report": self.report(data)}

    def report(self, data: Dataset) -> str | None:
        """The page of the run; what keeps it from being written is said, and no more than that."""
        if self.folder is None or self.options.no_report:
            return None
        try:
            return str(write_report(self.folder, make_optimizer=make_optimizer, data=data))
        except Exception as error:  # whatever it is: the training is done and kept
            warnings.warn(f"no report: {error}; 'backprop report {self.folder}' tries again", stacklevel=2)
            return None


def _folder(options: argparse.Namespace, stack: ExitStack) -> Path:
    """The folder of the run, made and locked."""
    if options.out is not None:
        folder = Path(options.out)
    elif options.resume is not None:
        folder = Path(options.resume).parent
    else:
        folder = runs.new_folder(options.net)
    runs.usable(folder)
    stack.enter_context(runs.locked(folder))
    there = [*runs.checkpoints(folder), *folder.glob(runs.BEST)]
    if there and (options.resume is None or Path(options.resume).resolve().parent != folder.resolve()):
        raise runs.RunFolderError(
            f"{folder} has a run already, {there[-1].name}: go on with it by --resume {folder}, or give "
            "another folder with --out"
        )
    return folder


def _split(
    data: Dataset, options: argparse.Namespace, by_class: bool = True
) -> tuple[Dataset, tuple[np.ndarray, np.ndarray] | None]:
    """The data without what `--validation` holds back, and that; the rest stays in the memory it has."""
    if not options.validation:
        return data, None
    try:
        left, out = split(data.t_train, options.validation, options.seed, by_class=by_class)
    except ValueError as error:
        raise UsageError(f"--validation {options.validation}: {error}") from None
    if by_class:
        _say_what_is_scarce(data.t_train[left], data.t_train[out])
    held_out = data.x_train[out], data.t_train[out]
    x_train, t_train = _moved_up(data.x_train, left), _moved_up(data.t_train, left)
    return replace(data, x_train=x_train, t_train=t_train), held_out


def _moved_up(array: HostArray, rows: HostArray) -> HostArray:
    """These rows, in rising order, as the first ones of the array, which is written over."""
    for start in range(0, len(rows), ROWS):
        part = rows[start : start + ROWS]
        array[start : start + len(part)] = array[part]  # no row lies before its new place
    return array[: len(rows)]


def _say_what_is_scarce(train: np.ndarray, held: np.ndarray) -> None:
    """Warn of classes that have one sample, or none, on either side of the split."""
    counts = ((k, int((train == k).sum()), int((held == k).sum())) for k in np.unique(train).tolist())
    scarce = [f"class {k} has {n} to train on and {m} to validate on" for k, n, m in counts if min(n, m) < 2]
    if scarce:
        more = f", and {len(scarce) - 3} more such classes" if len(scarce) > 3 else ""
        warnings.warn(f"--validation: {'; '.join(scarce[:3])}{more}", stacklevel=2)


class _Best:
    """The first epoch with the lowest loss on what was held out; every epoch is looked at once."""

    def __init__(self) -> None:
        self._seen = 0
        self._found: Metrics | None = None

    def of(self, history: list[Metrics]) -> Metrics | None:
        """The best of the history, which has grown since the last call; None before the first epoch."""
        for metrics in history[self._seen :]:
            if self._found is None or _held_out_loss(metrics) < _held_out_loss(self._found):
                self._found = metrics
        self._seen = len(history)
        return self._found


def _held_out_loss(metrics: Metrics) -> float:
    return 0.0 if metrics.test_loss is None else metrics.test_loss


def _settings(job: _Job) -> dict[str, Any]:
    options, backend, data = job.options, job.backend, job.data
    return {
        "network": repr(job.network).partition(";")[0] + ")",
        "parameters": job.network.size,
        "dtype": job.network.dtype,
        "precision": options.precision,
        "capture": not options.no_capture,
        "device": backend.device,
        "backend": backend.name,
        "version": backend.version,
        "threads": backend.threads,
        "why": backend.why if options.device == "auto" else "",
        "data": data.name,
        "train_samples": len(data.x_train),
        "validation_samples": len(job.held_out[0]) if job.held_out else 0,
        "test_samples": len(data.x_test),
        "steps": job.steps,
        "batch_size": options.batch_size,
        "sampling": options.sampling,
        "optimizer": type(job.optimizer).__name__,
        "lr": job.optimizer.rate(1 + options.warm_up),
        "schedule": options.schedule,
        "warm_up": options.warm_up,
        "weight_decay": options.weight_decay,
        "clip_norm": options.clip_norm,
        "seed": options.seed,
    }
