"""`backprop train`: build the network and the training from the options, run it, and show its progress."""

from __future__ import annotations

import os
import shlex
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..backends import get_backend, world
from ..datasets import Dataset, Fingerprint, dataset_at, with_channels
from ..files import advised, replace_file
from ..lookup import UsageError
from ..networks.network import Network
from ..pictures import learn_style
from ..report import write_report
from ..saving import run_folder
from ..saving.checkpoint import Checkpoint, read_checkpoint
from ..saving.history import Metrics
from ..saving.run_data import BY_CLASS, check_run_data, hold_out, load_run_data
from ..training.best_weights import BestWeights
from ..training.loop import DivergenceError, Training
from ..training.progress import progress_line
from ..training.recorder import RunRecorder, follow, resume
from .build import build_network, build_optimizer, network_from_checkpoint, steps_of
from .screen import say
from .settings import TrainSettings
from .signals import Interrupted, Signals
from .start import check_takes, leak_of, step_of
from .toml import as_toml
from .views import Json, Lines, View


def main(options: TrainSettings) -> int:
    """Train with these options; print results to stdout, a progress line to stderr, and save the run."""
    processes = world()
    with Signals() as signals, ExitStack() as stack:
        if processes.rank:
            stack.enter_context(redirect_stdout(stack.enter_context(open(os.devnull, "w"))))
            warnings.simplefilter("ignore")
        job = Job(options, stack)
        training = job.training(stack)
        with job.recorded(training):
            signals.training = training
            job.show_start(training)
            job.train(training)
            metrics = None if training.stopped else job.test(training)
        signum = max(processes.gather(signals.signum or 0))
        if metrics is None:
            raise Interrupted(signum, job.where_it_stopped(training))
        job.show_end(training, metrics)
        if signum:
            raise Interrupted(signum, "after the last step; the run is complete")
    return 0


class Job:
    """A run of the command: network, data, optimizer, recorder and output."""

    def __init__(self, options: TrainSettings, stack: ExitStack) -> None:
        self.options, self.began = options, time.perf_counter()
        self.backend = get_backend(options.device)
        if options.precision == "tf32" and self.backend.name != "cupy":
            raise UsageError(
                f"--precision tf32 is for a GPU (--device gpu), but the device is {self.backend.device}"
            )
        if options.patience and not options.validation:
            raise UsageError("--patience N needs validation data: give --validation 0.1")
        start = options.start_from if options.resume is None else None
        of_a_run = start is not None or options.resume is not None
        # Lock the folder of a resumed run first; create that of a new run only if nothing else fails.
        self.recorder = None if options.resume is None else _recorder(options, stack)
        whole = load_run_data(options.data) if of_a_run else dataset_at(options.data)
        self.fingerprint = Fingerprint.of(whole)
        self.checkpoint = self._checkpoint(whole.name)
        by_class = self.checkpoint is None or self.checkpoint.description.get("split") == BY_CLASS
        self.rng = np.random.default_rng(options.seed)
        self.start = None if start is None else read_checkpoint(start)
        self.network = self._network(whole)
        self.data, self.held_out = _split(whole, options, by_class)
        self.steps = steps_of(options, len(self.data.x_train))
        self.optimizer = build_optimizer(options, self.steps)
        self.view: View = Json() if options.json else Lines(self._held_out_name, quiet=options.quiet)
        self.facts = self._facts(by_class)
        if options.resume is None:
            self.recorder = _recorder(options, stack)
        if self.recorder is not None:
            self.recorder.job = self

    def _checkpoint(self, data: str) -> Checkpoint | None:
        """The checkpoint to resume from; raises if it is from a run on other data than these."""
        path = self.options.resume
        if path is None:
            return None
        checkpoint = (self.recorder and self.recorder.resumed) or read_checkpoint(path)
        check_run_data(path, checkpoint.description, self.fingerprint, data)
        return checkpoint

    @property
    def _held_out_name(self) -> str:
        """Which held-out data the table of epochs shows."""
        return "validation" if self.held_out else "test"

    def _network(self, data: Dataset) -> Network:
        """The network: a new one, or the one from the run to resume or start from."""
        options = self.options
        if self.start and options.start_from:
            network = network_from_checkpoint(options, options.start_from, self.start, self.backend)
            check_takes(network, data, options.start_from)
            return network
        if self.checkpoint and options.resume and options.start_from:
            return network_from_checkpoint(options, options.resume, self.checkpoint, self.backend)
        return build_network(options, data, self.backend, self.rng)

    def _facts(self, by_class: bool) -> dict[str, Any]:
        """Facts for the checkpoints about the data, and about the run that this one starts from."""
        style = learn_style(self.data.x_train)
        entry = {"name": self.data.name, "sha256": self.fingerprint.sha256}
        facts: dict[str, Any] = {"data": {**entry, "pictures": style and style.to_dict()}}
        if self.held_out and by_class:
            facts["split"] = BY_CLASS
        if self.start and self.options.start_from:
            facts["started_from"] = step_of(self.options.start_from, self.start)
            if leak := leak_of(self.options, self.start, self.fingerprint):
                facts["learnt_from_all"] = True
                if self.held_out:
                    warnings.warn(f"--validation: {leak}", stacklevel=2)
        return facts

    def training(self, stack: ExitStack) -> Training:
        """The training, with a progress line while `stack` is open."""
        options, data = self.options, self.data
        x, t = self.held_out or (data.x_test, data.t_test)
        held_out: dict[str, Any] = {self._held_out_name: (self._shaped(x), t)}
        training = Training(
            self.network,
            self._shaped(data.x_train),
            data.t_train,
            optimizer=self.optimizer,
            iterations=self.steps,
            batch_size=options.batch_size,
            sampling=options.sampling,
            rng=self.rng,
            progress_steps=options.log_every or 50,
            capture=not options.no_capture,
            patience=options.patience,
            shards=options.shards,
            **held_out,
        )
        training.started = True  # if it never starts, an error says why
        training.best_weights = BestWeights(self.network) if self.held_out else None
        shown = False if options.json or options.quiet or training.communicator.rank else None
        if show := stack.enter_context(progress_line(self.steps, shown=shown, stays=False)):
            training.on_progress.append(show)
        return training

    def _shaped(self, x: np.ndarray) -> np.ndarray:
        return with_channels(x, self.network.input_shape)

    @contextmanager
    def recorded(self, training: Training) -> Iterator[None]:
        """While active, save the training, unless `--no-save`; resume it first if asked to."""
        with ExitStack() as stack:
            if self.recorder is not None:
                stack.enter_context(self.recorder.record(training))
            elif training.communicator.rank and not self.options.no_save:
                follow(training)
            elif self.checkpoint and self.options.resume:
                resume(training, Path(self.options.resume), self.checkpoint)
            try:
                yield
            except DivergenceError as error:
                if self.options.no_save:
                    error.args = (f"{error}; no checkpoint was saved",)
                raise
            except BrokenPipeError:
                if self.recorder is not None:
                    self.recorder.save(training)
                where = self.where_it_stopped(training)
                say(f"backprop: the output was closed; stopped {where}", file=sys.stderr)
                raise

    def where_it_stopped(self, training: Training) -> str:
        """Where the training stopped, and how to resume it."""
        recorder = self.recorder
        hint = "nothing was saved" if recorder is None else f"resume with: {recorder.how_to_resume()}"
        return f"after step {training.step:,}; {hint}"

    def show_start(self, training: Training) -> None:
        """Show the settings and the run's folder."""
        recorder = self.recorder
        out = None if recorder is None else str(recorder.folder)
        place = {"out": out, "resumed": self.options.resume, "step": training.step}
        if self.start:
            place |= {"from": self.options.start_from, "from_step": self.facts["started_from"]}
        self.view.start({**self._settings(training), "threads": training.threads, **place})
        if recorder is not None and recorder.later:
            self.view.note(f"the next checkpoint replaces the later one, {recorder.later[-1]}")

    def _settings(self, training: Training) -> dict[str, Any]:
        options, backend, data = self.options, self.backend, self.data
        return {
            "network": repr(self.network).partition(";")[0] + ")",
            "parameters": self.network.size,
            "dtype": self.network.dtype,
            **options.shown(),
            "shards": training.shards,
            "processes": training.communicator.size,
            "capture": not options.no_capture,
            "device": backend.device,
            "backend": backend.name,
            "version": backend.version,
            "why": backend.why if options.device == "auto" else "",
            "data": data.name,
            "train_samples": len(data.x_train),
            "validation_samples": len(self.held_out[0]) if self.held_out else 0,
            "test_samples": len(data.x_test),
            "steps": self.steps,
            "optimizer": type(self.optimizer).__name__,
            "lr": self.optimizer.rate(1 + options.warm_up),
        }

    def train(self, training: Training) -> None:
        """Train to the end, to a signal, or until early stopping."""
        at = training.step
        for metrics in training:
            self.view.epoch(metrics)
        if not (training.stopped_early and training.best):
            return
        better = f"no epoch since {training.best.epoch} had a lower loss on the validation data"
        if training.step == at:
            more = f"to continue, give more --patience than {self.options.patience}"
            self.view.note(f"this run has already stopped early: {better}; {more}")
        else:
            self.view.note(f"stopped early: {better}")

    def test(self, training: Training) -> Metrics:
        """Return the final metrics; with validation data, restore the best network and test it first."""
        metrics = training.history[-1]
        if not self.held_out:
            return metrics
        if self.recorder is not None:
            self.recorder.save_end(training)  # whatever the test brings
        if training.best_weights and training.best_weights.kept and training.best:
            metrics = training.best
            training.restore_best()
            self.view.note(f"best on the validation data: epoch {metrics.epoch}")
        asarray = self.backend.asarray
        x, t = asarray(self._shaped(self.data.x_test)), asarray(self.data.t_test)
        loss, accuracy = self.network.evaluate(x, t)
        metrics = replace(metrics, test_loss=loss, test_accuracy=accuracy)
        if self.recorder is not None:
            self.recorder.add_test(metrics)
        return metrics

    def show_end(self, training: Training, metrics: Metrics) -> None:
        """Show the final results, and where the run is saved."""
        last, recorder = training.history[-1], self.recorder
        result: dict[str, Any] = {
            "test_accuracy": metrics.test_accuracy,
            "epoch": metrics.epoch,
            "step": last.step,
            "seconds": time.perf_counter() - self.began,
            "steps_per_second": last.step / last.seconds if last.seconds else None,
        }
        if recorder is not None:
            result["checkpoint"] = str(recorder.checkpoint)
        if not training.learning_checked and (problem := training.learning_problem()):
            result["warning"] = f"after step {metrics.step:,} {problem}"
        if recorder is not None:
            result["report"] = None if recorder.page is None else str(recorder.page)
        self.view.end(result)


class Recorder(RunRecorder):
    """A recorder for the command, which also saves its settings and whose errors name its options."""

    elsewhere = "give another folder with --out DIR, or save nothing with --no-save"
    job: Job

    def __init__(self, folder: Path, options: TrainSettings) -> None:
        super().__init__(
            folder,
            save_every=options.save_every,
            keep=options.keep,
            log_every=options.log_every,
            report=not options.no_report,
            resume=False if options.resume is None else options.resume,
        )
        self.settings, self.command = options.kept(), options.command_line

    def begin(self, training: Training) -> None:
        """Begin, and write `config.toml`, unless the run cannot be resumed."""
        super().begin(training)
        replace_file(self.folder / run_folder.CONFIG, as_toml(self.settings))

    def check_resumed(self, resumed: Checkpoint) -> None:
        """The job has checked the data."""

    def how_to_resume(self) -> str:
        """The command that resumes this run."""
        return f"backprop train --resume {shlex.quote(str(self.folder))}"

    def facts(self, training: Training) -> dict[str, Any]:
        """The job's facts about its data, and about the run that it started from."""
        return self.job.facts

    def stamp(self) -> dict[str, Any]:
        """The command with its settings, and the time."""
        return {"run": {"command": self.command, "settings": self.settings, "saved": time.time()}}

    def write_page(self, training: Training) -> Path:
        """Write the report, with the data that the job has loaded."""
        return write_report(self.folder, data=self.job.data)


def _recorder(options: TrainSettings, stack: ExitStack) -> Recorder | None:
    """A recorder with its folder created and locked; None with `--no-save`."""
    if options.no_save or world().rank:
        return None
    if options.out is not None:
        folder = Path(options.out)
    elif options.resume is not None:
        folder = Path(options.resume).parent
    else:
        with advised(Recorder.elsewhere, run_folder.RunFolderError):
            folder = run_folder.new_folder(options.net or "network")
    return stack.enter_context(Recorder(folder, options))


def _split(
    data: Dataset, options: TrainSettings, by_class: bool
) -> tuple[Dataset, tuple[np.ndarray, np.ndarray] | None]:
    """The data to train on, and the samples that `--validation` holds out."""
    if not options.validation:
        return data, None
    try:
        return hold_out(data, options.validation, options.seed, by_class=by_class)
    except ValueError as error:
        raise UsageError(f"--validation {options.validation}: {error}") from None
