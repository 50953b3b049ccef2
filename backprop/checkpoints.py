"""Checkpoint files: arrays and a description in one safetensors file, whole or not there at all.

The file's metadata has two entries: `backprop`, the description as JSON, and `sha256`, the SHA-256 of
the whole file with its own 64 digits as zeros. So every bit is covered: the arrays, their names and
shapes, the description, even the padding. Nothing in a file is code, and nothing is imported by a name
that stands in one.

A file is written beside its place under another name, flushed to the disk and renamed, so that a crash
or a full disk leaves the old one as it was.

Source: https://huggingface.co/docs/safetensors (the format).
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import stat
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NoReturn

if TYPE_CHECKING:
    import numpy as np

FORMAT = 2
"""The version of the description; a newer one is refused. In format 1 the history stood in it."""

SUFFIX = ".safetensors"
TEMPORARY = ".tmp-backprop"
"""The end of the name of a file that is being written."""

UNSIGNED = "0" * 64
_SIGNATURE = re.compile(rb'"sha256":"([0-9a-f]{64})"')


class CheckpointError(Exception):
    """A checkpoint cannot be read, or does not fit."""


class ResumeWarning(UserWarning):
    """A resumed run may not be the uninterrupted one to the last bit, and why."""


@dataclass(frozen=True)
class Checkpoint:
    """What a file holds: a description, of JSON's kinds of values, and host arrays by name."""

    description: dict[str, Any]
    arrays: dict[str, np.ndarray[Any, Any]]


@dataclass(frozen=True)
class Contents:
    """What a file says of itself: the description, and every array's dtype, shape and size in bytes."""

    description: dict[str, Any]
    arrays: dict[str, tuple[str, tuple[int, ...], int]]
    sha256: str
    size: int


def write_checkpoint(path: str | os.PathLike[str], checkpoint: Checkpoint) -> None:
    """Write a checkpoint to `path`, in place of what is there.

    Raises `OSError`, with the path and the bytes that are needed, if the disk is full or the folder
    cannot be written; the old file is then as it was.

    >>> import numpy as np
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     write_checkpoint(f"{folder}/a.safetensors", Checkpoint({"step": 3}, {"W": np.ones((2, 2))}))
    ...     checkpoint = read_checkpoint(f"{folder}/a.safetensors")
    >>> checkpoint.description, checkpoint.arrays["W"].shape
    ({'step': 3}, (2, 2))
    """
    replace_file(path, _signed(checkpoint))


def read_checkpoint(path: str | os.PathLike[str]) -> Checkpoint:
    """The checkpoint in a file, all of it checked first. Raises `CheckpointError`, or `OSError`."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    with open(path, "rb") as file:
        data = file.read()
    contents = _contents(path, io.BytesIO(data))
    try:
        arrays = load(data)
    except (SafetensorError, KeyError, ValueError, TypeError, ModuleNotFoundError) as error:
        _refuse(path, f"its arrays cannot be read ({error})")
    return Checkpoint(contents.description, arrays)


def read_contents(path: str | os.PathLike[str]) -> Contents:
    """What is in a file, without its arrays: they are passed over once, for the SHA-256."""
    with open(path, "rb") as file:
        return _contents(path, file)


def replace_file(path: str | os.PathLike[str], data: bytes) -> None:
    """Put `data` into the file `path`: after a crash it is there wholly or not at all."""
    try:
        _replace(Path(os.path.realpath(path)), data)
    except OSError as error:
        raise OSError(
            error.errno,
            f"{os.fspath(path)} cannot be written: {error.strerror}; it needs {len(data):,} bytes; "
            "what was there before is untouched",
        ) from None


def _replace(path: Path, data: bytes) -> None:
    handle, name = tempfile.mkstemp(TEMPORARY, f".{path.name}-", path.parent)
    try:
        with open(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.chmod(name, _mode(path))
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(name)
        raise
    _sync_folder(path.parent)


def _mode(path: Path) -> int:
    """The permissions of the file; of a new one, what the user's mask leaves."""
    if path.exists():
        return stat.S_IMODE(path.stat().st_mode)
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def sweep(folder: Path) -> None:
    """Delete what writes that were killed have left."""
    for path in folder.glob(f".*{TEMPORARY}"):
        with suppress(OSError):
            path.unlink()


def _signed(checkpoint: Checkpoint) -> bytes:
    """The bytes of the file."""
    import numpy as np  # not above: the command line reads a description before it loads NumPy
    from safetensors.numpy import save

    description = json.dumps({"format": FORMAT, **checkpoint.description}, allow_nan=False)
    arrays = {name: np.asarray(array, order="C") for name, array in checkpoint.arrays.items()}
    data = save(arrays, {"backprop": description, "sha256": UNSIGNED})
    place = data.index(b'"sha256":"') + len(b'"sha256":"')
    return b"".join((data[:place], hashlib.sha256(data).hexdigest().encode(), data[place + 64 :]))


def _contents(path: str | os.PathLike[str], file: BinaryIO) -> Contents:
    """What stands in the header, when it and all that follows it have been found whole."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    length = int.from_bytes(file.read(8), "little")
    if length > size - 8:
        _refuse(path, "it is no safetensors file, or not a whole one")
    header = file.read(length)
    signatures = list(_SIGNATURE.finditer(header))
    if len(signatures) != 1:
        _refuse(path, "it was not written by backprop: there is no SHA-256 in it")
    signature = signatures[0][1].decode()
    if _digest(file, signatures[0].start(1)) != signature:
        _refuse(path, "it has been damaged or changed: its SHA-256 is not the one that it names")
    try:
        return _parsed(header, signature, size)
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError, OverflowError) as error:
        _refuse(path, f"its header cannot be read ({str(error)[:200]})")


def _digest(file: BinaryIO, place: int) -> str:
    """The SHA-256 of the file with zeros for the 64 digits at `place` in its header."""
    file.seek(0)
    digest = hashlib.sha256(file.read(8 + place))
    digest.update(UNSIGNED.encode())
    file.seek(64, os.SEEK_CUR)
    while part := file.read(2**20):
        digest.update(part)
    return digest.hexdigest()


def _parsed(header: bytes, signature: str, size: int) -> Contents:
    entries = json.loads(header, object_pairs_hook=_once, parse_constant=_no_number)
    metadata = entries.pop("__metadata__")
    description = json.loads(metadata["backprop"], object_pairs_hook=_once, parse_constant=_no_number)
    version = description.pop("format")
    if type(version) is not int or version > FORMAT:
        raise ValueError(
            f"it has format {version!r}, and this backprop reads {FORMAT}; install a newer backprop"
        )
    arrays = {
        name: (str(e["dtype"]), tuple(map(int, e["shape"])), int(e["data_offsets"][1] - e["data_offsets"][0]))
        for name, e in entries.items()
    }
    return Contents(description, arrays, signature, size)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; a key that stands in it twice is an error."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands in it twice")
    return found


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number of JSON")


def _refuse(path: str | os.PathLike[str], why: str) -> NoReturn:
    raise CheckpointError(f"{os.fspath(path)} is not a checkpoint that can be read: {why}")


def _sync_folder(folder: Path) -> None:
    """Flush the folder, and with it the new name, where the system can."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
