"""`backprop train`."""

from __future__ import annotations

import argparse
import math
import shlex
import sys
import time
import warnings
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..backends import get_backend
from ..datasets import Dataset, Fingerprint, dataset_at, split, with_channels
from ..datasets.dataset import HostArray
from ..datasets.split import split_rng, warn_of_scarce_classes
from ..files import replace_file
from ..lookup import UsageError
from ..networks.network import Network
from ..pictures import learn_style
from ..report import write_report
from ..saving import run_folder
from ..saving.checkpoint import Checkpoint, CheckpointError, followed, read_checkpoint
from ..saving.history import last_of
from ..saving.network import restore_network
from ..saving.run_data import BY_CLASS, check_run_data, load_run_data
from ..training.loop import DivergenceError, Metrics, Training
from ..training.progress import progress_line
from ..training.validation import BestEpoch
from .advice import ELSEWHERE, advised
from .build import build_network, build_optimizer, network_to_go_on_with, steps_of
from .configuration import as_toml, settings
from .report import make_optimizer
from .screen import say
from .signals import Interrupted, Signals
from .start import check_takes, leak_of, options_from, step_of
from .views import Json, Lines, View, named

LINES = 100
"""About how many lines within epochs a run has in its history; more epochs than that are enough."""

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
            say(f"backprop: nobody reads the output; stopped {keeper.stopped(training)}", file=sys.stderr)
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
        start = options_from(options) if options.resume is None else None
        of_a_run = start is not None or options.resume is not None
        whole = load_run_data(options.data) if of_a_run else dataset_at(options.data)
        self.fingerprint = Fingerprint.of(whole)
        self.checkpoint = None if options.resume is None else read_checkpoint(options.resume)
        by_class = self.checkpoint is None or self.checkpoint.description.get("split") == BY_CLASS
        self.rng = np.random.default_rng(options.seed)
        self.start = None if start is None else read_checkpoint(start)
        self.network = self._network(whole)
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
                "pictures": style and style.to_dict(),
            }
        }
        if self.held_out and by_class:
            self.facts["split"] = BY_CLASS
        if self.start:
            self.facts["started_from"] = step_of(options_from(options), self.start)
            if leak := leak_of(options, self.start, self.fingerprint):
                self.facts["learnt_from_all"] = True
                if self.held_out:
                    warnings.warn(f"--validation: {leak}", stacklevel=2)

    def _network(self, data: Dataset) -> Network:
        """The network: a new one, or that of the run that is resumed or started from."""
        options = self.options
        if self.start:
            network = network_to_go_on_with(options, options_from(options), self.start, self.backend)
            check_takes(network, data, options_from(options))
            return network
        if self.checkpoint and options_from(options) is not None:
            return network_to_go_on_with(options, options.resume, self.checkpoint, self.backend)
        return build_network(options, data, self.backend, self.rng)

    def training(self, keeper: _Keeper, stack: ExitStack) -> Training:
        """The training, resumed if that is asked for."""
        options, data, checkpoint = self.options, self.data, self.checkpoint
        if checkpoint:
            check_run_data(options.resume, checkpoint.description, self.fingerprint, data.name)
        name, (x, t) = (
            ("validation", self.held_out) if self.held_out else ("test", (data.x_test, data.t_test))
        )
        held_out: dict[str, Any] = {name: (self._shaped(x), t)}
        training = Training(
            self.network,
            self._shaped(data.x_train),
            data.t_train,
            optimizer=self.optimizer,
            iterations=self.steps,
            batch_size=options.batch_size,
            sampling=options.sampling,
            rng=self.rng,
            progress=(lambda _: keeper.log(training)) if options.log_every else None,
            progress_steps=options.log_every or 50,
            capture=not options.no_capture,
            hook=keeper.save if keeper.save_steps else None,
            hook_steps=keeper.save_steps,
            patience=options.patience,
            **held_out,
        )
        training.started = True  # what keeps it from that says so
        if keeper.folder is not None:
            training.mean_steps = options.log_every or _mean_steps(training)
        line = progress_line(self.steps, shown=False if options.json or options.quiet else None, stays=False)
        training.line = stack.enter_context(line)
        if checkpoint:
            training.restore(checkpoint, options.resume)
        with advised(ELSEWHERE, run_folder.RunFolderError):
            keeper.begin(training, self.view)
        return training

    def show(self, training: Training, keeper: _Keeper) -> None:
        """The first lines on the screen."""
        place = {"out": keeper.name, "resumed": self.options.resume, "step": training.step}
        if self.start:
            place |= {"from": options_from(self.options), "from_step": self.facts["started_from"]}
        self.view.start({**_settings(self), "threads": training.threads, **place})
        if keeper.later:
            self.view.note(f"the next checkpoint takes the place of the later one, {keeper.later[-1]}")

    def train(self, training: Training, keeper: _Keeper) -> None:
        """Train to the end, to a signal, or until the validation loss no longer falls."""
        at = training.step
        for metrics in training:
            keeper.epoch(training, metrics)
            self.view.epoch(metrics)
        if training.stopped_early and training.best:
            epoch = training.best.epoch
            if training.step == at:
                self.view.note(
                    f"this run was stopped early before: no epoch since {epoch} was better by its loss on "
                    f"the validation data; to go on, give more --patience than {self.options.patience}"
                )
                return
            self.view.note(
                f"stopped early: no epoch since {epoch} was better by its loss on the validation data"
            )

    def finish(self, training: Training, keeper: _Keeper) -> None:
        """The last checkpoint, the report, and the final figures."""
        kept = keeper.finish(training)
        metrics = trained = training.history[-1]
        if self.held_out:
            metrics = self._tested(training, keeper)
            keeper.tested(metrics)
        report = keeper.report(self.data)
        guessing = None if training.looked_into else training.judged()
        if guessing:
            kept["warning"] = f"after step {metrics.step:,} {guessing}"
        self.view.end(
            {
                "test_accuracy": metrics.test_accuracy,
                "epoch": metrics.epoch,
                "step": trained.step,
                "seconds": time.perf_counter() - self.began,
                "steps_per_second": trained.step / trained.seconds if trained.seconds else None,
                **kept,
                **report,
            }
        )

    def _tested(self, training: Training, keeper: _Keeper) -> Metrics:
        """The metrics of the best epoch, on the test data: the network is set to it."""
        metrics, best = training.history[-1], training.best
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
        self.logged = 0  # the last step of a line within an epoch
        self.view: View

    def begin(self, training: Training, view: View) -> None:
        """The settings and the history so far."""
        self.view = view
        if self.options.resume is not None:
            self.saved = Path(self.options.resume)
            self.best = self._kept(training.best)
        if self.folder is None:
            return
        replace_file(self.folder / run_folder.CONFIG, as_toml(settings(self.options)))
        if self.saved is None:
            run_folder.write_history(self.folder, [])  # in place of that of a run without a checkpoint
            return
        self._rewrite_history(training)
        found = run_folder.checkpoints(self.folder)
        self.later = found[found.index(self.saved) + 1 :] if self.saved in found else []
        if self.best:
            run_folder.save_best(self.folder, self.best, self._kept(BestEpoch().of(training.history[:-1])))

    def _kept(self, best: Metrics | None) -> Checkpoint | None:
        """The checkpoint of this epoch, the best one, where there is one."""
        assert self.saved is not None
        if not (self.options.validation and best):
            return None
        for path in (
            self.saved.parent / run_folder.BEST,
            self.saved.parent / run_folder.BEST_WHOLE,
            self.saved,
        ):
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
        """The lines up to the last epoch's end: what came after it, the test's result too, comes anew."""
        assert self.folder is not None
        self.logged = training.history[-1].step if training.history else 0
        steps = [
            line
            for line in run_folder.read_history(self.folder)
            if line["event"] == "steps" and line["step"] <= self.logged
        ]
        lines = [*steps, *({"event": "epoch", **named(m, self.held_out)} for m in training.history)]
        run_folder.write_history(self.folder, sorted(lines, key=lambda line: line["step"]))

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
            self.log(training)
            self.wait()
            if self.best is None:
                (self.folder / run_folder.BEST).unlink(missing_ok=True)  # of an epoch that is done anew
            self.later = []
            checkpoint = self.checkpoint(training)
            self._writing = self._writer.submit(run_folder.save, self.folder, checkpoint, self.options.keep)

    def wait(self) -> None:
        """Wait for the checkpoint that is being written; raises what kept it from that."""
        with advised(ELSEWHERE if self.saved is None else f"make room, then {self._how_to_go_on()}"):
            self.saved = self._writing.result() or self.saved

    def _how_to_go_on(self) -> str:
        return f"go on with: backprop train --resume {shlex.quote(str(self.folder))}"

    def epoch(self, training: Training, metrics: Metrics) -> None:
        """A line of the history, and the checkpoints that an epoch brings."""
        before = self.best
        better = training.best is metrics
        if better:
            self.best = self.checkpoint(training)
        if self.folder is None:
            return
        self.log(training)
        run_folder.add_history(self.folder, {"event": "epoch", **named(metrics, self.held_out)})
        if better and self.best:  # before the checkpoint that tells of it
            self.wait()
            run_folder.save_best(self.folder, self.best, before)
        if self.save_steps is None:
            self.save(training)

    def log(self, training: Training) -> None:
        """The lines of the history within an epoch, as far as they are not there yet."""
        means = training.means(self.logged)
        if self.folder is not None and means:
            run_folder.add_history(self.folder, *({"event": "steps", **asdict(one)} for one in means))
            self.logged = means[-1].step

    def tested(self, metrics: Metrics) -> None:
        """A line of the history with what the best epoch reaches on the test data."""
        if self.folder is not None:
            line = {key: getattr(metrics, key) for key in ("epoch", "step", "test_loss", "test_accuracy")}
            if not math.isfinite(line["test_loss"]):
                line["test_loss"] = None
            run_folder.add_history(self.folder, {"event": "test", **line})

    def stopped(self, training: Training) -> str:
        """Save what there is; where it stopped, and how to go on."""
        where = f"after step {training.step:,}"
        if self.folder is None:
            return f"{where}; nothing was kept"
        self.save(training)
        self.wait()
        return f"{where}; {self._how_to_go_on()}"

    def with_last_good(self, error: DivergenceError) -> DivergenceError:
        """The error, with the checkpoint from before it."""
        self.wait()
        kept = "no checkpoint was kept" if self.saved is None else f"the last good checkpoint is {self.saved}"
        error.args = (f"{error}; {kept}",)
        return error

    def finish(self, training: Training) -> dict[str, Any]:
        """The last checkpoint, by name."""
        if self.folder is None:
            return {}
        self.wait()
        here = self.saved is not None and self.saved.parent == self.folder
        if self.save_steps is not None or not here:  # else the last epoch has saved it
            self.save(training)
            self.wait()
        shown = self.folder / run_folder.BEST if self.best else self.saved
        return {"checkpoint": str(shown)}

    def report(self, data: Dataset) -> dict[str, Any]:
        """The run's page on these data, by name; what keeps it from being written is said, and no more."""
        if self.folder is None:
            return {}
        return {"report": None if self.options.no_report else self._written(data)}

    def _written(self, data: Dataset) -> str | None:
        assert self.folder is not None
        try:
            return str(write_report(self.folder, make_optimizer=make_optimizer, data=data))
        except Exception as error:  # whatever it is: the training is done and kept
            warnings.warn(f"no report: {error}; 'backprop report {self.folder}' tries again", stacklevel=2)
            return None


def _folder(options: argparse.Namespace, stack: ExitStack) -> Path:
    """The folder of the run, made and locked."""
    with advised(ELSEWHERE, run_folder.RunFolderError):
        if options.out is not None:
            folder = Path(options.out)
        elif options.resume is not None:
            folder = Path(options.resume).parent
        else:
            folder = run_folder.new_folder(options.net or "network")
        run_folder.usable(folder)
        stack.enter_context(run_folder.locked(folder))
    there = [*run_folder.checkpoints(folder), *folder.glob(run_folder.BEST)]
    if there and (options.resume is None or Path(options.resume).resolve().parent != folder.resolve()):
        raise run_folder.RunFolderError(
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
        left, out = split(data.t_train, options.validation, split_rng(options.seed), by_class=by_class)
    except ValueError as error:
        raise UsageError(f"--validation {options.validation}: {error}") from None
    if by_class:
        warn_of_scarce_classes(data.t_train[left], data.t_train[out])
    held_out = data.x_train[out], data.t_train[out]
    x_train, t_train = _moved_up(data.x_train, left), _moved_up(data.t_train, left)
    return replace(data, x_train=x_train, t_train=t_train), held_out


def _moved_up(array: HostArray, rows: HostArray) -> HostArray:
    """These rows, in rising order, as the first ones of the array, which is written over."""
    for start in range(0, len(rows), ROWS):
        part = rows[start : start + ROWS]
        array[start : start + len(part)] = array[part]  # no row lies before its new place
    return array[: len(rows)]


def _mean_steps(training: Training) -> int:
    """The steps of a line within an epoch: alike in all epochs, and about a hundred lines in all."""
    in_epoch = math.ceil(LINES * training.per_epoch / training.total)
    return math.ceil(training.per_epoch / in_epoch) if in_epoch > 1 else training.total


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
