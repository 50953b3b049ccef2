"""The folder of a training run: the names of its files, its checkpoints, and a lock.

run/
  checkpoint-00000600.safetensors    the last checkpoints; the number is the step
  best.safetensors                   with validation data: the checkpoint with the lowest validation loss
  best-whole.safetensors             the best of the complete epochs, if the best one was cut short
  history.jsonl                      the metrics of every epoch, see `history_file`
  config.toml                        all settings, for `backprop train --config`
  report.html                        the report
  lock                               held while a process trains here
"""

from __future__ import annotations

import errno
import os
import re
import socket
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from ..files import make_folder, make_folders, open_file, open_to_change, reason, sweep
from ..text import visible
from .checkpoint import SUFFIX, Checkpoint, CheckpointError, write_checkpoint

BEST, BEST_WHOLE = f"best{SUFFIX}", f"best-whole{SUFFIX}"
HISTORY, CONFIG, REPORT, LOCK = "history.jsonl", "config.toml", "report.html", "lock"
PREFIX = "checkpoint-"
NUMBERED = re.compile(rf"{PREFIX}\d{{8,}}{re.escape(SUFFIX)}")

LONGEST_HOLDER = 2**10
"""The most bytes of a lock that are read."""

PARENT = Path("runs")
"""The default parent of run folders."""

MAX_SUGGESTIONS = 3
"""The most runs that an error suggests."""

TRIES = 100
"""How often to retry if a running process keeps replacing the checkpoint."""

NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP)
"""The errors of a file system without locks."""

Read = TypeVar("Read")


class RunFolderError(OSError):
    """A folder that cannot be used for a run."""

    def __init__(self, message: str) -> None:
        super().__init__(visible(message))


def new_folder(name: str, parent: Path = PARENT) -> Path:
    """Create the first free folder of runs/name-1, runs/name-2, …; `RunFolderError` if that fails."""
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
    """Create the folder, and `runs` above it, if missing; `RunFolderError` unless it is writable."""
    with _taking(folder):
        if folder.parent == PARENT:
            make_folders(PARENT)
        if not folder.is_dir():
            make_folder(folder)
        with tempfile.TemporaryFile(dir=folder):
            pass


@contextmanager
def _taking(folder: Path) -> Iterator[None]:
    """Turn an `OSError` into a `RunFolderError` that says why the folder cannot take a run."""
    try:
        yield
    except OSError as error:
        is_other = os.path.lexists(folder) and not os.path.isdir(folder)
        kind = "it is a file" if os.path.isfile(folder) else "it is not a folder"
        why = kind if is_other else reason(error, folder.parent)
        raise RunFolderError(f"{folder} cannot be used for the run: {why}") from None


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Lock the folder; `RunFolderError` names the process using it. Killing that process unlocks it."""
    with writing(folder / LOCK):
        file = open_to_change(folder / LOCK, "ab")
    with file:
        if not _lock(file.fileno(), folder):
            raise RunFolderError(f"{folder} is in use by {_holder(folder) or 'another process'}")
        sweep(folder)
        with writing(folder / LOCK):
            file.truncate(0)
            os.write(file.fileno(), f"process {os.getpid()} on {socket.gethostname()}".encode())
        yield
        file.truncate(0)  # not deleted: someone may have opened it


def _holder(folder: Path) -> str:
    """The text that the process holding the lock wrote into it."""
    with open_file(folder / LOCK) as file:
        return file.read(LONGEST_HOLDER).decode("utf-8", "replace").strip()


def _lock(handle: int, folder: Path) -> bool:
    """Lock the file until this process ends; return whether it worked. Only warn if locks are missing."""
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
            f"{folder}: its file system has no locks ({reason(error)}); start no second process there",
            stacklevel=2,
        )
    return True


def save(folder: Path, checkpoint: Checkpoint, keep: int) -> Path:
    """Write a checkpoint and keep the last `keep`, counting this one.

    Later ones, left over if the run was resumed from an earlier step, are deleted.
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
    """Write a checkpoint of the run after flushing the history so far to disk."""
    history = path.parent / HISTORY
    with writing(history), suppress(FileNotFoundError), open_to_change(history, "r+b") as file:
        os.fsync(file.fileno())
    write_checkpoint(path, checkpoint)


def save_best(folder: Path, checkpoint: Checkpoint, before: Checkpoint | None) -> None:
    """Write the checkpoint of the best epoch; `before` is the previous best one.

    Resuming completes an epoch that was cut short, so the previous best one is kept beside it.
    """
    if checkpoint.description["training"]["position"]:
        if before is not None:
            put_checkpoint(folder / BEST_WHOLE, before)
        put_checkpoint(folder / BEST, checkpoint)
    else:
        put_checkpoint(folder / BEST, checkpoint)
        (folder / BEST_WHOLE).unlink(missing_ok=True)


def checkpoints(folder: Path) -> list[Path]:
    """The checkpoints of a run, in order; files with other names are ignored."""
    return sorted(path for path in folder.glob(f"{PREFIX}*{SUFFIX}") if NUMBERED.fullmatch(path.name))


def trained(name: str | os.PathLike[str]) -> Path:
    """The checkpoint to use: the file itself, or a run's best checkpoint, or else its last."""
    path = Path(name)
    if not path.exists() and not suggestions(path):
        return path  # reading it raises `FileNotFoundError`
    return _checkpoint_of(path, [path / BEST] if (path / BEST).exists() else checkpoints(path))


def latest(name: str | os.PathLike[str]) -> Path:
    """The checkpoint to resume from: the file itself, or a run's last checkpoint."""
    path = Path(name)
    return _checkpoint_of(path, checkpoints(path))


def _checkpoint_of(path: Path, found: list[Path]) -> Path:
    """The path itself if it is a file, or the last of the checkpoints found in the folder."""
    if not path.exists():
        raise CheckpointError(f"{path}: no such file or folder{suggestions(path)}")
    if not path.is_dir():
        return path
    if not found:
        raise CheckpointError(f"{path}: no checkpoint in this folder{suggestions(path)}")
    return found[-1]


def is_run(folder: Path) -> bool:
    """Whether there is a checkpoint of a run in this folder."""
    return bool((folder / BEST).exists() or checkpoints(folder))


def suggestions(path: Path) -> str:
    """The end of an error about a path that is not a run: the runs it may mean."""
    found: list[Path] = []
    with suppress(OSError):
        inside = filter(is_run, path.iterdir()) if path.is_dir() else filter(is_run, [PARENT / path])
        found = sorted(inside, key=lambda run: run.stat().st_mtime, reverse=True)
    if not found:
        return ""
    more = f" ({len(found) - MAX_SUGGESTIONS} more there)" if len(found) > MAX_SUGGESTIONS else ""
    return f"; did you mean {' or '.join(map(str, found[:MAX_SUGGESTIONS]))}?{more}"


def read_trained(name: str | os.PathLike[str], read: Callable[[Path], Read]) -> tuple[Path, Read]:
    """The checkpoint to use, and its contents as returned by `read`.

    Retries if a running training has replaced the checkpoint in the meantime.
    """
    tries = 0
    while True:
        path, tries = trained(name), tries + 1
        try:
            return path, read(path)
        except FileNotFoundError:
            if tries == TRIES or path == Path(name):
                raise


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Name the file in an error about writing it."""
    try:
        yield
    except OSError as error:
        raise RunFolderError(f"{path} cannot be written: {reason(error, path.parent)}") from None
