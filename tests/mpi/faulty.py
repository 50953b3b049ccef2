"""`backprop train` with a fault in one process; see `test_fault_table`.

python faulty.py FAULT WHERE RANK FOLDER
"""

from __future__ import annotations

import dataclasses
import os
import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import backprop.cli.train
from backends.launch import launched_rank
from backprop.cli import main
from backprop.training import evaluation
from backprop.training.capture import StepCapture

STEP, EVALUATION, SAVE = 30, 2, 2
"""The step, the evaluation and the save in which the fault comes."""

WAIT = 30.0
"""Seconds until a save goes on that waits for the fault in another process."""


def lost() -> None:
    raise LookupError("lost")


def send(signum: int) -> None:
    os.kill(os.getpid(), signum)


def fill_disk() -> None:
    """Make every further write fail as on a full disk: with EFBIG, for which no file system is needed."""
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))


FAULTS: dict[str, Callable[[], None]] = {
    "exception": lost,
    **{number.name: partial(send, number) for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)},
    "SIGSTOP": partial(send, signal.SIGSTOP),
    "NaN": lambda: None,  # the values are put where they are computed
    "full disk": fill_disk,
}


class Fault:
    """What comes once, in one process."""

    def __init__(self, name: str, where: str, rank: int, folder: Path) -> None:
        self.name, self.where, self.folder = name, where, folder
        self.here = launched_rank() == rank
        self.saving, self.at = folder / "saving", folder / "fault"

    def comes(self) -> None:
        self.at.write_text(str(time.time()))
        FAULTS[self.name]()

    def at_start(self, read: Callable[..., Any]) -> Callable[..., Any]:
        """`dataset_at` with the fault."""

        def faulty(*args: Any) -> Any:
            data = read(*args)
            if self.here and self.where == "start":
                self.comes()
                if self.name == "NaN":
                    return dataclasses.replace(data, x_train=np.full_like(data.x_train, np.nan))
            return data

        return faulty

    def in_step(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """`StepCapture.run` with the fault; that of a save, unless process 0 has it while it writes."""
        calls = 0

        def faulty(capture: StepCapture, *args: Any) -> Any:
            nonlocal calls
            calls += 1
            due = calls == STEP if self.where == "step" else self.where == "save" and self.saving.exists()
            if self.here and due and not self.at.exists():
                self.comes()
                if self.name == "NaN":
                    capture.data["x"][...] = np.nan
            return call(capture, *args)

        return faulty

    def in_evaluation(self, evaluate: Callable[..., Any]) -> Callable[..., Any]:
        """`_on_host` with the fault."""
        calls = 0

        def faulty(*args: Any) -> Any:
            nonlocal calls
            calls += 1
            loss, correct = evaluate(*args)
            if self.here and self.where == "evaluation" and calls == EVALUATION:
                self.comes()
                if self.name == "NaN":
                    return np.float32("nan"), correct
            return loss, correct

        return faulty

    def in_save(self, rename: Callable[..., None]) -> Callable[..., None]:
        """`os.replace` with the fault, or waiting for that of another process."""
        saves = 0

        def faulty(source: str, path: Path) -> None:
            nonlocal saves
            saves += path.name.startswith("checkpoint-")
            if self.where == "save" and saves == SAVE and not self.saving.exists():
                if self.here and self.name != "NaN":
                    self.comes()
                self.saving.touch()
                until = time.monotonic() + WAIT
                while not self.at.exists() and time.monotonic() < until:
                    time.sleep(0.01)
            rename(source, path)

        return faulty


def patch(fault: Fault) -> None:
    module: Any = backprop.cli.train
    module.dataset_at = fault.at_start(module.dataset_at)
    capture: Any = StepCapture
    capture.run = fault.in_step(capture.run)  # whether the step is then called or replayed
    evaluating: Any = evaluation
    evaluating._on_host = fault.in_evaluation(evaluating._on_host)
    os.replace = fault.in_save(os.replace)


if __name__ == "__main__":
    name, where, rank, place = sys.argv[1:]
    folder = Path(place)
    (folder / f"pid-{launched_rank()}").write_text(str(os.getpid()))
    patch(Fault(name, where, int(rank), folder))
    network = ("--net", "mlp", "--layers", "4-8-3", "--batch-size", "20", "--epochs", "2000")
    files = ("--data", str(folder / "data.npz"), "--out", str(folder / "run"), "--no-report")
    sys.exit(main(["train", "--device", "cpu", *network, *files, "--shards", "4", "--save-every", "20"]))
