"""Files in folders that may come from strangers: an archive can hold links, FIFOs and devices.

Only ordinary files are opened, and none that is too large. No link is written through: a new file takes
its place.

A file is written beside its place under another name, flushed to the disk and renamed, so that a crash
or a full disk leaves the old one as it was.
"""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, Literal, cast

from .text import visible

TEMPORARY = ".tmp-backprop"
"""The end of the name of a file that is being written."""

KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
"""What there may be in place of a file."""

AT_ONCE = getattr(os, "O_NONBLOCK", 0)
"""Opening does not wait, as that of a FIFO would."""

FULL = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}
"""What the system says where there is no room."""

NO_LINK = AT_ONCE | getattr(os, "O_NOFOLLOW", 0)


class FileError(OSError):
    """What is not opened, since it is no file, or a link to be written through, or too large."""

    def __init__(self, path: str | os.PathLike[str], why: str) -> None:
        super().__init__(visible(f"{os.fspath(path)} cannot be used: {why}"))
        self.strerror = why


class WriteError(OSError):
    """A file that cannot be written: which, why, and that an old one is as it was."""

    def __init__(self, path: Path, error: OSError, size: int) -> None:
        needs = f"; it needs {size:,} bytes" if error.errno in FULL else ""
        old = "; what was there before is untouched" if os.path.isfile(path) else ""
        super().__init__(visible(f"{path} cannot be written: {reason(error, path.parent)}{needs}{old}"))
        self.errno = error.errno


@contextmanager
def advised(advice: str, *others: type[OSError]) -> Iterator[None]:
    """Add what to do to a `WriteError`, or an error of the `others`."""
    try:
        yield
    except OSError as error:
        if isinstance(error, (WriteError, *others)):
            error.add_note(advice)
        raise


def reason(error: OSError, folder: Path | None = None) -> str:
    """Why the system refuses, without its number; `folder` is the one in which something was to be made.

    >>> reason(PermissionError(13, "Permission denied"))
    'permission denied'
    >>> reason(FileNotFoundError(2, "No such file or directory"), Path("no/where"))
    'there is no folder no/where'
    """
    if folder is not None and not os.path.isdir(folder):
        return f"{folder} is no folder" if os.path.lexists(folder) else f"there is no folder {folder}"
    why = error.strerror or str(error)
    return why[:1].lower() + why[1:]


def open_file(path: str | os.PathLike[str]) -> BinaryIO:
    """Open a file, or a link to one, for reading; `FileError` for all else that may be there."""
    return _opened(path, "rb", AT_ONCE, _check_kind, os.stat)


def open_to_change(path: str | os.PathLike[str], mode: Literal["ab", "r+b"]) -> BinaryIO:
    """Open a file to add to it, or as it is; `FileError` for a link, also a hard one, and all else."""
    return _opened(path, mode, NO_LINK, _check_alone, os.lstat)


def read_file(path: str | os.PathLike[str], largest: int) -> bytes:
    """All of a file of at most so many bytes; `FileError` for a larger one."""
    with open_file(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > largest:
            raise FileError(path, f"it has {size:,} bytes; expected at most {largest:,}")
        return file.read(size)


def replace_file(path: str | os.PathLike[str], data: bytes) -> None:
    """Put `data` into the file `path`: after a crash it is there wholly or not at all.

    A link gives way to the file; what it points to is left alone. Raises `WriteError`.
    """
    try:
        _replace(Path(path), data)
    except OSError as error:
        raise WriteError(Path(path), error, len(data)) from None


def sweep(folder: Path) -> None:
    """Delete what writes that were killed have left."""
    for path in folder.glob(f".*{TEMPORARY}"):
        with suppress(OSError):
            path.unlink()


def make_folder(folder: Path) -> None:
    """Make a folder in one that there is, and flush that one; `FileExistsError` if it is there."""
    folder.mkdir()
    sync_folder(folder.parent)


def make_folders(folder: Path) -> None:
    """Make a folder, and those above it, where they are missing."""
    if folder.is_dir():
        return
    make_folders(folder.parent)
    with suppress(FileExistsError):  # of another process, meanwhile
        make_folder(folder)


def sync_folder(folder: Path) -> None:
    """Flush the folder, and with it new names in it, where the system can."""
    if os.name == "posix":
        with suppress(PermissionError):  # a folder that may be written but not read
            handle = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)


def memory() -> int | None:
    """The bytes of this machine's memory, where the system tells."""
    with suppress(AttributeError, ValueError, OSError):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return None


def _opened(path: str | os.PathLike[str], mode: str, flags: int, check: Any, look: Any) -> BinaryIO:
    """Open what `check` lets pass, which looks before and after: to open a device may do something."""

    def opener(name: str, its: int) -> int:
        handle = os.open(name, its | flags, 0o666)
        try:
            check(path, os.fstat(handle))
        except FileError:
            os.close(handle)
            raise
        return handle

    with suppress(FileNotFoundError):
        check(path, look(path))
    return cast(BinaryIO, open(path, mode, opener=opener))


def _check_kind(path: str | os.PathLike[str], status: os.stat_result) -> None:
    if stat.S_ISLNK(status.st_mode):
        raise FileError(path, "it is a link, which is not written through; put a file in its place")
    if not stat.S_ISREG(status.st_mode):
        kind = KINDS.get(stat.S_IFMT(status.st_mode), "something else")
        raise FileError(path, f"it is {kind}; expected a file")


def _check_alone(path: str | os.PathLike[str], status: os.stat_result) -> None:
    _check_kind(path, status)
    if status.st_nlink > 1:
        raise FileError(path, "it has another name, a hard link; put a copy in its place")


def _replace(path: Path, data: bytes) -> None:
    mode = _mode(path)
    handle, name = tempfile.mkstemp(TEMPORARY, f".{path.name}-", path.parent)
    try:
        with open(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.chmod(name, mode)
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(name)
        raise
    sync_folder(path.parent)


def _mode(path: Path) -> int:
    """The permissions of the file; of a new one, also in place of a link, what the user's mask leaves."""
    with suppress(FileNotFoundError):
        status = path.lstat()
        if not stat.S_ISLNK(status.st_mode):
            _check_kind(path, status)
            return stat.S_IMODE(status.st_mode)
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
