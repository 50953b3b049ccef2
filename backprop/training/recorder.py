"""`RunRecorder`: save a training run in a folder, so that it can be inspected, used and resumed."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from ..datasets import Dataset, data_digest
from ..dtypes import is_whole
from ..files import advised
from ..pictures import learn_style
from ..saving import history_file, run_folder
from ..saving.checkpoint import Checkpoint, CheckpointError, ResumeWarning, followed, read_checkpoint
from ..saving.history import Metrics, last_of
from ..saving.network import check_saved
from .arguments import check_whole
from .best_weights import without_best
from .divergence import DivergenceError
from .early_stopping import EarlyStopping
from .loop import Training

LINES = 100
"""About how many lines within epochs a history has; a run with more epochs has none."""


class RunRecorder:
    """Saves a training run in a folder: its history, its checkpoints and, at the end, a report.

    `fit(…, recorder=RunRecorder("runs/mine"))` creates the folder and locks it until the training ends.
    Checkpoints are written in the background. With validation data, the best epoch has a checkpoint of its
    own, `best.safetensors`, which `load_network("runs/mine")` and `backprop predict runs/mine` then use.
    Ctrl-C during a step saves before it ends the training; a `DivergenceError` names the last good
    checkpoint. Recording does not change the training's results: validation and patience are arguments of
    `fit`.

    Parameters
    ----------
    folder : created if missing; its parent must exist, unless that is `runs`
    save_every : `"epoch"`, or a number of steps
    keep : how many checkpoints to keep, besides the best
    log_every : steps per line within an epoch; by default the history has about 100 such lines
    report : whether to write `report.html` at the end
    resume : True to resume from the last checkpoint in the folder, or the path of another checkpoint or run
        to resume from; everything else must be as it was, see `Training`

    Entering the recorder, which `record` does by itself, raises `RunFolderError` if the folder cannot be
    used, is in use or already has a run, and `CheckpointError` if there is nothing to resume. `record` raises
    `CheckpointError` if the data differ. A subclass may override `how_to_resume`, `check_resumed`, `facts`,
    `stamp` and `write_page`, as the command line's does.

    >>> from tempfile import TemporaryDirectory
    >>> import numpy as np
    >>> from backprop import RunRecorder, TwoLayerNet, fit, load_network
    >>> rng = np.random.default_rng(0)
    >>> x = rng.standard_normal((200, 2)).astype("float32")
    >>> t = (x[:, 0] > x[:, 1]).astype("int64")
    >>> def train(epochs, **options):
    ...     network = TwoLayerNet(2, 8, 2, weight_init_std=0.5, rng=0)
    ...     recorder = RunRecorder(f"{folder}/mine", report=False, **options)
    ...     return fit(network, x, t, epochs=epochs, rng=0, validation=0.2, recorder=recorder)
    >>> with TemporaryDirectory() as folder:
    ...     first = train(epochs=2)
    ...     both = train(epochs=3, resume=True)
    ...     network = load_network(f"{folder}/mine")
    >>> len(first.history), len(both.history), both.history[:2] == first.history
    (2, 3, True)
    """

    elsewhere = "give RunRecorder another folder"
    """What to do if the folder cannot be used."""

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        save_every: Literal["epoch"] | int = "epoch",
        keep: int = 2,
        log_every: int | None = None,
        report: bool = True,
        resume: bool | str | os.PathLike[str] = False,
    ) -> None:
        self.folder = Path(folder)
        if save_every != "epoch" and (not is_whole(save_every) or save_every < 1):
            raise ValueError(f'expected save_every="epoch" or a number of steps, got {save_every!r}')
        self.save_steps = None if save_every == "epoch" else save_every
        check_whole(keep=keep, log_every=log_every)
        self.keep, self.log_every, self.report = keep, log_every, report
        self._source = self.folder if resume is True else None if resume is False else Path(resume)
        self.saved: Path | None = None
        """The last checkpoint written or resumed from."""
        self.resumed: Checkpoint | None = None
        """The checkpoint to resume from, until it is restored."""
        self.later: list[Path] = []
        """Checkpoints later than the one resumed from; the next save replaces them."""
        self.page: Path | None = None
        """The report, once written."""
        self._facts: dict[str, Any] = {}
        self._best: Checkpoint | None = None
        self._logged = 0  # the last step of a line within an epoch
        self._place: tuple[int, int] | None = None  # of the last checkpoint
        self._entered: ExitStack | None = None
        self._recorded = False  # whether it has been given a training since it was entered

    def __enter__(self) -> Self:
        """Make and lock the folder; read the checkpoint to resume from."""
        if self._source is not None and not self.folder.exists():
            run_folder.latest(self._source)  # raises before a folder is created
        with ExitStack() as stack:
            with advised(self.elsewhere, run_folder.RunFolderError):
                run_folder.usable(self.folder)
                stack.enter_context(run_folder.locked(self.folder))
            self.saved = None if self._source is None else run_folder.latest(self._source)
            self._check_folder()
            self.resumed = None if self.saved is None else read_checkpoint(self.saved)
            self._writer = stack.enter_context(ThreadPoolExecutor(1))
            self._writing = Future[Path | None]()
            self._writing.set_result(None)
            self.page, self._recorded = None, False
            self._entered = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Finish writing the last checkpoint, and unlock the folder."""
        assert self._entered is not None
        entered, self._entered = self._entered, None
        entered.close()

    def _check_folder(self) -> None:
        """Raise a `RunFolderError` if the folder has another run."""
        there = [*run_folder.checkpoints(self.folder), *self.folder.glob(run_folder.BEST)]
        if there and (self.saved is None or self.saved.parent.resolve() != self.folder.resolve()):
            raise run_folder.RunFolderError(
                f"{self.folder} already has a run, {there[-1].name}: resume it with "
                f"{self.how_to_resume()}, or {self.elsewhere}"
            )

    @contextmanager
    def record(self, training: Training) -> Iterator[None]:
        """While active, save the training that is looped over.

        Raises `ValueError` for a second training in a recorder that has been entered.

        >>> from tempfile import TemporaryDirectory
        >>> import numpy as np
        >>> from backprop import Training, TwoLayerNet
        >>> x, t = np.eye(8, dtype="float32"), np.arange(8) % 2
        >>> training = Training(TwoLayerNet(8, 3, 2), x, t, epochs=2, batch_size=2)
        >>> with TemporaryDirectory() as folder:
        ...     with RunRecorder(f"{folder}/mine", report=False).record(training):
        ...         for metrics in training:
        ...             print(metrics.epoch, metrics.step)
        1 4
        2 8
        """
        check_saved(training.network)
        if training.communicator.rank:
            follow(training)
            yield
            return
        with ExitStack() as stack:
            if self._entered is None:
                stack.enter_context(self)
            elif self._recorded:
                raise ValueError(f"the recorder of {self.folder} keeps a training already: make one for each")
            self._recorded = True
            with advised(self.elsewhere, run_folder.RunFolderError):
                self.begin(training)
            stack.enter_context(self._listening(training))
            try:
                yield
            except DivergenceError as error:
                self._name_last_good(error)
                raise
            except KeyboardInterrupt as interrupt:
                if training.stopped or _is_complete(training):  # else it may have stopped within a step
                    self.save(training)
                    interrupt.add_note(f"resume with: {self.how_to_resume()}")
                raise
            self._end(training)

    def begin(self, training: Training) -> None:
        """Begin the history, after resuming the training if asked to."""
        training.mean_steps = self.log_every or mean_steps(training.total, training.per_epoch)
        self._facts, self._best, self._place = self.facts(training), None, None
        if self.saved is None or self.resumed is None:
            lines = map(history_file.epoch_line, training.history)
            history_file.write_history(self.folder, lines)  # replaces that of a run without a checkpoint
            self._logged = training.history[-1].step if training.history else 0
            training.communicator.broadcast(None)
            return
        self.check_resumed(self.resumed)
        training.communicator.broadcast((self.resumed, str(self.saved)))
        self._best = training.communicator.broadcast(resume(training, self.saved, self.resumed))
        self.resumed = None
        self._logged = training.history[-1].step if training.history else 0
        history_file.rewind_history(self.folder, training.history, self._logged)
        found = run_folder.checkpoints(self.folder)
        self.later = found[found.index(self.saved) + 1 :] if self.saved in found else []
        if self._best:
            before = best_checkpoint(self.saved, EarlyStopping().best(training.history[:-1]))
            run_folder.save_best(self.folder, self._best, before)

    def check_resumed(self, resumed: Checkpoint) -> None:
        """Raise a `CheckpointError` if the resumed run is the command's, or one of `fit` on other data."""
        description = resumed.description
        if "run" in description:
            raise CheckpointError(
                f"{self.saved} is from a run of the command, which knows its data: resume it with "
                f"backprop train --resume {self.saved.parent if self.saved else self.folder}"
            )
        with followed(str(self.saved)):
            digest = description.get("data", {}).get("sha256")
        if digest is not None and digest != self._facts["data"]["sha256"]:
            raise CheckpointError(f"{self.saved} is from a run on other data")

    @contextmanager
    def _listening(self, training: Training) -> Iterator[None]:
        """While active, listen to the training."""
        on_steps = [] if self.save_steps is None else [(self.save_steps, self._save)]
        on_progress = [lambda _: self._log(training)] if self.log_every else []
        training.on_epoch.append(self._keep_epoch)
        training.on_steps += on_steps
        training.on_progress += on_progress
        try:
            yield
        finally:
            training.on_epoch.remove(self._keep_epoch)
            for hook in on_steps:
                training.on_steps.remove(hook)
            for listener in on_progress:
                training.on_progress.remove(listener)

    def _end(self, training: Training) -> None:
        """Write the last checkpoint and, if the training is complete, the report."""
        self.save_end(training)
        if _is_complete(training) and self.report:
            try:
                self.page = self.write_page(training)
            except Exception as error:  # of any kind: the training is done and saved
                text = f"no report: {error}; try again with 'backprop report {self.folder}'"
                warnings.warn(text, stacklevel=2)

    def save_end(self, training: Training) -> None:
        """Write the last checkpoint, unless it is there already."""
        self._wait()
        here = self.saved is not None and self.saved.parent == self.folder
        by_epoch = _is_complete(training) and self.save_steps is None and here
        if not by_epoch and self._place != _place(training):
            self.save(training)

    def save(self, training: Training) -> None:
        """Write a checkpoint, and wait for it."""
        self._save(training)
        self._wait()

    @property
    def checkpoint(self) -> Path | None:
        """The checkpoint from which the folder's network is loaded: the best one, or else the last."""
        return self.folder / run_folder.BEST if self._best else self.saved

    def add_test(self, metrics: Metrics) -> None:
        """Add a line to the history with the best network's result on the test data."""
        history_file.add_history(self.folder, history_file.result_line(metrics))

    def _save(self, training: Training) -> None:
        """Write a checkpoint in the background, after waiting for the previous one."""
        self._log(training)
        self._wait()
        if self._best is None:
            (self.folder / run_folder.BEST).unlink(missing_ok=True)  # from an epoch that was trained again
        self.later = []
        checkpoint, self._place = self._checkpoint(training), _place(training)
        self._writing = self._writer.submit(run_folder.save, self.folder, checkpoint, self.keep)

    def _wait(self) -> None:
        """Wait for the checkpoint being written; raises if writing failed."""
        advice = f"make room, then resume with: {self.how_to_resume()}"
        with advised(self.elsewhere if self.saved is None else advice):
            self.saved = self._writing.result() or self.saved

    def _checkpoint(self, training: Training) -> Checkpoint:
        checkpoint = without_best(training.checkpoint())  # they have their own file
        return Checkpoint({**checkpoint.description, **self._facts, **self.stamp()}, checkpoint.arrays)

    def _keep_epoch(self, training: Training, metrics: Metrics) -> None:
        """Add an epoch to the history; save it if it is the best one, or every epoch is saved."""
        before, is_best = self._best, training.best is metrics
        if is_best:
            self._best = self._checkpoint(training)
        self._log(training)
        history_file.add_history(self.folder, history_file.epoch_line(metrics))
        if is_best and self._best:  # before the checkpoint whose history has this epoch
            self._wait()
            run_folder.save_best(self.folder, self._best, before)
        if self.save_steps is None:
            self._save(training)

    def _log(self, training: Training) -> None:
        """Add new lines within the epoch to the history."""
        if means := training.means(self._logged):
            history_file.add_history(self.folder, *map(history_file.steps_line, means))
            self._logged = means[-1].step

    def _name_last_good(self, error: DivergenceError) -> None:
        """Add the last checkpoint before the divergence to the error."""
        self._wait()
        saved = self.saved
        hint = "no checkpoint was saved" if saved is None else f"the last good checkpoint is {saved}"
        error.args = (f"{error}; {hint}",)

    def how_to_resume(self) -> str:
        """The call that resumes this run."""
        return f"RunRecorder({str(self.folder)!r}, resume=True)"

    def facts(self, training: Training) -> dict[str, Any]:
        """Facts about the data for every checkpoint: its digest, and the style of its pictures."""
        data = _dataset(training)
        style = learn_style(data.x_train)
        return {"data": {"sha256": data_digest(data), "pictures": style and style.to_dict()}}

    def stamp(self) -> dict[str, Any]:
        """Further facts about one checkpoint."""
        return {}

    def write_page(self, training: Training) -> Path:
        """Write the run's report."""
        from ..report import write_report

        return write_report(self.folder, data=_dataset(training))


def resume(training: Training, path: Path, checkpoint: Checkpoint) -> Checkpoint | None:
    """Restore a training from a checkpoint in a run folder; return the best epoch's checkpoint, if any."""
    training.restore(checkpoint, str(path))
    best = best_checkpoint(path, training.best)
    _take_best(training, best)
    return best


def follow(training: Training) -> None:
    """Resume what the recorder of process 0 resumes, in another process, which records nothing."""
    resumed = training.communicator.broadcast(None)
    if resumed is None:
        return
    checkpoint, path = resumed
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResumeWarning)  # process 0 warns
        training.restore(checkpoint, path)
    _take_best(training, training.communicator.broadcast(None))


def _take_best(training: Training, best: Checkpoint | None) -> None:
    """Keep the weights of the best epoch's checkpoint, where the best ones are kept."""
    if best and training.best and training.best_weights:
        training.best_weights.take_network(best, training.best.step)


def best_checkpoint(path: Path, best: Metrics | None) -> Checkpoint | None:
    """The checkpoint after the epoch `best`, from the folder of the checkpoint at `path`."""
    if best is None:
        return None
    for candidate in (path.parent / run_folder.BEST, path.parent / run_folder.BEST_WHOLE, path):
        try:
            found = read_checkpoint(candidate)
            with followed(candidate):
                step, last = found.description.get("training", {}).get("step"), last_of(found.description)
                if last and step == last["step"] == best.step:
                    return found
        except FileNotFoundError:
            continue
        except CheckpointError as error:
            warnings.warn(str(error), stacklevel=2)
    return None


def mean_steps(total: int, per_epoch: int) -> int:
    """The steps per line within an epoch, for about 100 lines in the whole run.

    >>> mean_steps(10_000, per_epoch=600), mean_steps(60_000, per_epoch=600)  # the second: none
    (100, 60000)
    """
    in_epoch = math.ceil(LINES * per_epoch / total)
    return math.ceil(per_epoch / in_epoch) if in_epoch > 1 else total


def _is_complete(training: Training) -> bool:
    return not training.stopped and (training.stopped_early or training.step >= training.total)


def _place(training: Training) -> tuple[int, int]:
    return training.step, len(training.history)


def _dataset(training: Training) -> Dataset:
    """The data of the training as a data set, whose test part may be empty."""
    parts = training.samples()
    x, t = parts["train"]
    return Dataset("", x, t, *parts.get("test", (x[:0], t[:0])))
