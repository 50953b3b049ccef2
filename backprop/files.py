"""Safe access to files in untrusted folders, which may contain links, FIFOs and devices.

Only regular files are opened, up to a size limit. Writing never follows a link: the new file replaces it.

Data is written to a temporary file beside the target, flushed to disk and renamed, so a crash or a full
disk leaves the old file intact.
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
"""The suffix of a file that is being written."""

KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
"""File types other than a regular file, in words."""

NONBLOCKING = getattr(os, "O_NONBLOCK", 0)
"""Opening returns at once, even for a FIFO."""

NO_SPACE = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}
"""The error numbers of a full disk."""

NO_LINK = NONBLOCKING | getattr(os, "O_NOFOLLOW", 0)


class FileError(OSError):
    """A path that is not opened: not a regular file, a link to write to, or too large."""

    def __init__(self, path: str | os.PathLike[str], why: str) -> None:
        super().__init__(visible(f"{os.fspath(path)} cannot be used: {why}"))
        self.strerror = why


class WriteError(OSError):
    """A file that cannot be written: its path, the reason, and whether an old file remains."""

    def __init__(self, path: Path, error: OSError, size: int) -> None:
        needs = f"; it needs {size:,} bytes" if error.errno in NO_SPACE else ""
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
    """The system's reason without the error number; `folder` is the parent of what was to be created.

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
    """Open a regular file, or a link to one, for reading; anything else is a `FileError`."""
    return _open_checked(path, "rb", NONBLOCKING, _check_regular, os.stat)


def open_to_change(path: str | os.PathLike[str], mode: Literal["ab", "r+b"]) -> BinaryIO:
    """Open a regular file to append to or modify; anything else, even a hard link, is a `FileError`."""
    return _open_checked(path, mode, NO_LINK, _check_unlinked, os.lstat)


def read_file(path: str | os.PathLike[str], largest: int) -> bytes:
    """Read a whole file of at most `largest` bytes; a larger one is a `FileError`."""
    with open_file(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > largest:
            raise FileError(path, f"it has {size:,} bytes; expected at most {largest:,}")
        return file.read(size)


def replace_file(path: str | os.PathLike[str], data: bytes) -> None:
    """Write `data` to the file `path` atomically: a crash leaves the old file or the new one.

    A link is replaced; its target is untouched. Raises `WriteError`.
    """
    try:
        _replace(Path(path), data)
    except OSError as error:
        raise WriteError(Path(path), error, len(data)) from None


def sweep(folder: Path) -> None:
    """Delete the temporary files that killed writes left behind."""
    for path in folder.glob(f".*{TEMPORARY}"):
        with suppress(OSError):
            path.unlink()


def make_folder(folder: Path) -> None:
    """Create a folder and flush its parent, which must exist; `FileExistsError` if the folder exists."""
    folder.mkdir()
    sync_folder(folder.parent)


def make_folders(folder: Path) -> None:
    """Create a folder and its missing parents."""
    if folder.is_dir():
        return
    make_folders(folder.parent)
    with suppress(FileExistsError):  # another process was faster
        make_folder(folder)


def sync_folder(folder: Path) -> None:
    """Flush a folder, and so the names in it, where the system supports that."""
    if os.name == "posix":
        with suppress(PermissionError):  # a folder that is writable but not readable
            handle = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)


def memory() -> int | None:
    """The bytes of this machine's memory; None if unknown."""
    with suppress(AttributeError, ValueError, OSError):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return None


def _open_checked(path: str | os.PathLike[str], mode: str, flags: int, check: Any, status: Any) -> BinaryIO:
    """Open a file that passes `check`, before opening, since that may act on a device, and after."""

    def opener(name: str, mode_flags: int) -> int:
        handle = os.open(name, mode_flags | flags, 0o666)
        try:
            check(path, os.fstat(handle))
        except FileError:
            os.close(handle)
            raise
        return handle

    with suppress(FileNotFoundError):
        check(path, status(path))
    return cast(BinaryIO, open(path, mode, opener=opener))


def _check_regular(path: str | os.PathLike[str], status: os.stat_result) -> None:
    if stat.S_ISLNK(status.st_mode):
        raise FileError(path, "it is a link, which is not written through; put a file in its place")
    if not stat.S_ISREG(status.st_mode):
        kind = KINDS.get(stat.S_IFMT(status.st_mode), "something else")
        raise FileError(path, f"it is {kind}; expected a file")


def _check_unlinked(path: str | os.PathLike[str], status: os.stat_result) -> None:
    _check_regular(path, status)
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
    """The permissions of an existing file, or of a new one under the user's mask."""
    with suppress(FileNotFoundError):
        status = path.lstat()
        if not stat.S_ISLNK(status.st_mode):
            _check_regular(path, status)
            return stat.S_IMODE(status.st_mode)
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
