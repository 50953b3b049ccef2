"""The folder of a training run: checkpoints, history, and a lock that keeps a second process out.

run/
  checkpoint-00000600.safetensors    the last ones; the number is the step
  best.safetensors                   where there is validation data: the one with the lowest loss on it
  best-whole.safetensors             where that is of a last epoch that is only a part of one: the best before
  history.jsonl                      one JSON object a line: "epoch" with its metrics, "steps" with the means
                                     over `mean_of` steps, "test" with the result of a run that was validated
  config.toml                        all settings, for `backprop train --config`
  report.html                        the page
  lock                               held while a process trains here
"""

from __future__ import annotations

import errno
import io
import json
import os
import re
import socket
import tempfile
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from ..files import (
    FileError,
    make_folder,
    make_folders,
    open_file,
    open_to_change,
    read_file,
    reason,
    replace_file,
    sweep,
)
from ..text import visible
from .checkpoint import SUFFIX, Checkpoint, CheckpointError, write_checkpoint

BEST, BEST_WHOLE = f"best{SUFFIX}", f"best-whole{SUFFIX}"
HISTORY, CONFIG, REPORT, LOCK = "history.jsonl", "config.toml", "report.html", "lock"
PREFIX = "checkpoint-"
NUMBERED = re.compile(rf"{PREFIX}\d{{8,}}{re.escape(SUFFIX)}")


LARGEST_HISTORY = 2**27
"""The most bytes of a history: more than a million lines."""

LONGEST_LINE = 2**10
"""The most bytes of a line of it."""

EVENTS = ("epoch", "steps", "test")
"""What a line of the history may be of."""

METRICS = {
    *("step", "epoch", "mean_of", "seconds", "loss", "accuracy"),
    *("test_loss", "test_accuracy", "validation_loss", "validation_accuracy"),
}
"""What a line of the history may say."""

PARENT = Path("runs")
"""Where runs are kept that are given no folder."""

MOST_MEANT = 3

TRIES = 100
"""How often a checkpoint is looked for that a running process replaces again and again."""

NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP)
"""What a file system without locks answers."""

Read = TypeVar("Read")


class RunFolderError(OSError):
    """A folder that cannot be used for a run."""

    def __init__(self, message: str) -> None:
        super().__init__(visible(message))


def new_folder(name: str, parent: Path = PARENT) -> Path:
    """Make the first free one of runs/name-1, runs/name-2, …; `RunFolderError` if none can be made."""
    with _taking(parent):
        make_folders(parent)
        taken = [path.name.rpartition("-")[2] for path in parent.glob(f"{name}-*")]
        n = max((int(number) for number in taken if number.isdecimal()), default=0) + 1
        while True:
            with suppress(FileExistsError):
                make_folder(parent / f"{name}-{n}")
                return parent / f"{name}-{n}"
            n += 1


def usable(folder: Path) -> None:
    """Make the folder if need be; `RunFolderError` unless files can be written there."""
    with _taking(folder):
        if not folder.is_dir():
            make_folder(folder)
        with tempfile.TemporaryFile(dir=folder):
            pass


@contextmanager
def _taking(folder: Path) -> Iterator[None]:
    """Say that the folder cannot take a run, and why."""
    try:
        yield
    except OSError as error:
        is_other = os.path.lexists(folder) and not os.path.isdir(folder)
        kind = "it is a file" if os.path.isfile(folder) else "it is no folder"
        why = kind if is_other else reason(error, folder.parent)
        raise RunFolderError(f"{folder} cannot take the run: {why}") from None


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder; `RunFolderError` names the process that holds it. A killed process lets go."""
    with _named(folder / LOCK):
        file = open_to_change(folder / LOCK, "ab")
    with file:
        if not _lock(file.fileno(), folder):
            raise RunFolderError(f"{folder} is in use by {_holder(folder) or 'another process'}")
        sweep(folder)
        with _named(folder / LOCK):
            file.truncate(0)
            os.write(file.fileno(), f"process {os.getpid()} on {socket.gethostname()}".encode())
        yield
        file.truncate(0)  # not deleted: someone may have opened it


def _holder(folder: Path) -> str:
    """What the process that holds the lock has written into it."""
    with open_file(folder / LOCK) as file:
        return file.read(LONGEST_LINE).decode("utf-8", "replace").strip()


def _lock(handle: int, folder: Path) -> bool:
    """Whether this process now has the file for itself, until it ends; where there are no locks, it has."""
    if os.name == "nt":
        import msvcrt

        with suppress(OSError):
            os.lseek(handle, 2**20, os.SEEK_SET)  # a byte that nobody reads
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
            return True
        return False
    import fcntl

    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise RunFolderError(f"{folder / LOCK} cannot be locked: {reason(error)}") from None
        warnings.warn(
            f"{folder}: its file system has no locks ({reason(error)}); let no second process train there",
            stacklevel=2,
        )
    return True


def save(folder: Path, checkpoint: Checkpoint, keep: int) -> Path:
    """Write the checkpoint of a step; of the others, keep the last before it.

    Later ones are of a run that was then resumed from an earlier step: this one takes their place.
    """
    path = folder / f"{PREFIX}{checkpoint.description['training']['step']:08d}{SUFFIX}"
    put_checkpoint(path, checkpoint)
    found = checkpoints(folder)
    kept = found[: found.index(path) + 1][-keep:]
    for other in found:
        if other not in kept:
            with suppress(OSError):
                other.unlink()
    return path


def put_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint of the run, when the lines of the history before it have reached the disk."""
    history = path.parent / HISTORY
    with _named(history), suppress(FileNotFoundError), open_to_change(history, "r+b") as file:
        os.fsync(file.fileno())
    write_checkpoint(path, checkpoint)


def save_best(folder: Path, checkpoint: Checkpoint, before: Checkpoint | None) -> None:
    """Write the checkpoint of the best epoch; `before` is the best before it.

    An epoch that was only a part of one is gone when the run is resumed, so the best before it is kept.
    """
    if checkpoint.description["training"]["position"]:
        if before is not None:
            put_checkpoint(folder / BEST_WHOLE, before)
        put_checkpoint(folder / BEST, checkpoint)
    else:
        put_checkpoint(folder / BEST, checkpoint)
        (folder / BEST_WHOLE).unlink(missing_ok=True)


def checkpoints(folder: Path) -> list[Path]:
    """The checkpoints of a run, the last one at the end; files of other names are not ours."""
    return sorted(path for path in folder.glob(f"{PREFIX}*{SUFFIX}") if NUMBERED.fullmatch(path.name))


def trained(name: str | os.PathLike[str]) -> Path:
    """The checkpoint to use: the file itself, or of a run's folder the best one, or else the last."""
    path = Path(name)
    if not path.is_dir():
        if not path.exists() and (meant := meant_by(path)):
            raise CheckpointError(f"{path}: there is no such file or folder{meant}")
        return path
    found = [path / BEST] if (path / BEST).exists() else checkpoints(path)
    if not found:
        raise CheckpointError(f"{path}: there is no checkpoint in this folder{meant_by(path)}")
    return found[-1]


def is_run(folder: Path) -> bool:
    """Whether there is a checkpoint of a run in this folder."""
    return bool((folder / BEST).exists() or checkpoints(folder))


def meant_by(path: Path) -> str:
    """The runs that may be meant by a name that is no run's, as the end of an error."""
    found: list[Path] = []
    with suppress(OSError):
        inside = filter(is_run, path.iterdir()) if path.is_dir() else filter(is_run, [PARENT / path])
        found = sorted(inside, key=lambda run: run.stat().st_mtime, reverse=True)
    if not found:
        return ""
    more = f" ({len(found) - MOST_MEANT} more there)" if len(found) > MOST_MEANT else ""
    return f"; did you mean {' or '.join(map(str, found[:MOST_MEANT]))}?{more}"


def read_trained(name: str | os.PathLike[str], read: Callable[[Path], Read]) -> tuple[Path, Read]:
    """The checkpoint to use, and what `read` makes of it.

    A process that trains in the folder may replace it after it was found: then it is looked for again.
    """
    tries = 0
    while True:
        path, tries = trained(name), tries + 1
        try:
            return path, read(path)
        except FileNotFoundError:
            if tries == TRIES or path == Path(name):
                raise


def write_history(folder: Path, lines: Iterable[dict[str, Any]]) -> None:
    """Put these lines in place of the history."""
    replace_file(folder / HISTORY, _text(lines))


def add_history(folder: Path, *lines: dict[str, Any]) -> None:
    """Add lines to the history."""
    with _named(folder / HISTORY), open_to_change(folder / HISTORY, "ab") as file:
        file.write(_text(lines))


def _text(lines: Iterable[dict[str, Any]]) -> bytes:
    return "".join(f"{json.dumps(line, allow_nan=False)}\n" for line in lines).encode()


def read_history(folder: Path) -> list[dict[str, Any]]:
    """The lines of the history; malformed ones, such as a last line truncated by a crash, are skipped."""
    try:
        data = read_file(folder / HISTORY, LARGEST_HISTORY)
    except FileNotFoundError:
        return []
    except FileError as error:
        raise RunFolderError(f"{error}; move it away, the checkpoints have the epochs, too") from None
    return [line for text in io.BytesIO(data) if (line := _line(text))]


def _line(text: bytes) -> dict[str, Any] | None:
    """A line of the history with the metrics that there are, all of them finite numbers or None."""
    line = None
    with suppress(ValueError, RecursionError):
        line = json.loads(text) if len(text) <= LONGEST_LINE else None
    if not isinstance(line, dict) or line.get("event") not in EVENTS:
        return None
    metrics = {key: value for key, value in line.items() if key in METRICS}
    if type(metrics.get("step")) is int and all(map(_is_metric, metrics.values())):
        return {"event": line["event"], **metrics}
    return None


def _is_metric(value: Any) -> bool:
    return value is None or (type(value) in (int, float) and abs(value) < 2**63)  # NaN and infinity are not


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Say which file an error is about."""
    try:
        yield
    except OSError as error:
        raise RunFolderError(f"{path} cannot be written: {reason(error, path.parent)}") from None
