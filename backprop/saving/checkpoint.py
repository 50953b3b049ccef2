"""Checkpoint files: arrays and a description in one safetensors file, written atomically.

The file's metadata has two entries: `backprop`, the description as JSON, and `sha256`, the SHA-256 of
the whole file with zeros for its own 64 digits. So it covers every bit: the arrays, their names and
shapes, the description, even the padding. A file contains no code, and no name in it is ever imported.

Source: https://huggingface.co/docs/safetensors (the format).
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, NoReturn

from ..backends import HostArray
from ..files import FileError, memory, open_file, read_file, replace_file
from ..text import visible

if TYPE_CHECKING:
    pass

FORMAT = 2
"""The version of the description; newer ones are refused. Format 1 has the history in it."""

SUFFIX = ".safetensors"

LARGEST_HEADER = 2**23
"""The most bytes of a header; parsing it takes twenty times as much memory."""

LONGEST_CAUSE = 500
"""The most characters shown of an error caused by a file."""

MOST_DIMENSIONS = 64
"""The most dimensions of a NumPy array."""

UNSIGNED = "0" * 64
_SIGNATURE = re.compile(rb'"sha256":"([0-9a-f]{64})"')


class CheckpointError(Exception):
    """A checkpoint cannot be read, or does not fit."""

    def __init__(self, message: str) -> None:
        super().__init__(visible(message))


class ResumeWarning(UserWarning):
    """A resumed run may differ in the last bits from an uninterrupted one."""


@dataclass(frozen=True)
class Checkpoint:
    """The contents of a file: a description of JSON values, and host arrays by name."""

    description: dict[str, Any]
    arrays: dict[str, HostArray]


@dataclass(frozen=True)
class Contents:
    """The header of a verified file: the description, and each array's dtype, shape and size in bytes."""

    description: dict[str, Any]
    arrays: dict[str, tuple[str, tuple[int, ...], int]]
    sha256: str
    size: int


def write_checkpoint(path: str | os.PathLike[str], checkpoint: Checkpoint) -> None:
    """Write a checkpoint to `path`, replacing any file there.

    Raises `OSError`, with the path and the bytes needed, if the disk is full or the folder cannot be
    written; the old file is then unchanged.

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
    """Read a checkpoint after verifying the whole file. Raises `CheckpointError` or `OSError`."""
    return read_whole(path)[0]


def read_whole(path: str | os.PathLike[str]) -> tuple[Checkpoint, Contents]:
    """Read a checkpoint and its header in one pass."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    with _a_file(path):
        data = read_file(path, memory() or sys.maxsize)
    contents = _contents(path, io.BytesIO(data))
    try:
        arrays = load(data)
    except (SafetensorError, KeyError, ValueError, TypeError, ModuleNotFoundError) as error:
        _refuse(path, f"its arrays cannot be read ({error})")
    return Checkpoint(contents.description, arrays), contents


def read_contents(path: str | os.PathLike[str]) -> Contents:
    """Read the header of a file and verify its SHA-256, without loading the arrays."""
    with _a_file(path), open_file(path) as file:
        return _contents(path, file)


def read_description(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read the description of a file without verifying the rest, which may be damaged."""
    with _a_file(path), open_file(path) as file:
        header, size = _header(path, file)
        return _parsed(path, header, "", size).description


@contextmanager
def followed(path: str | os.PathLike[str]) -> Iterator[None]:
    """Turn errors caused by a malformed description into a `CheckpointError`."""
    try:
        yield
    except (CheckpointError, OSError):
        raise
    except Exception as error:  # of any kind: the description may come from a stranger
        explained = isinstance(error, ValueError)
        why = str(error) if explained else f"its description cannot be interpreted: {error!r}"
        raise CheckpointError(f"{os.fspath(path)}: {why[:LONGEST_CAUSE]}") from None


def _signed(checkpoint: Checkpoint) -> bytes:
    """The bytes of the file."""
    import numpy as np  # here, since the command line reads a description before it loads NumPy
    from safetensors.numpy import save

    description = json.dumps({"format": FORMAT, **checkpoint.description}, allow_nan=False)
    arrays = {name: np.asarray(array, order="C") for name, array in checkpoint.arrays.items()}
    data = save(arrays, {"backprop": description, "sha256": UNSIGNED})
    place = data.index(b'"sha256":"') + len(b'"sha256":"')
    return b"".join((data[:place], hashlib.sha256(data).hexdigest().encode(), data[place + 64 :]))


def _contents(path: str | os.PathLike[str], file: BinaryIO) -> Contents:
    """Read the header and verify the whole file."""
    header, size = _header(path, file)
    signatures = list(_SIGNATURE.finditer(header))
    if len(signatures) != 1:
        _refuse(path, "it was not written by backprop: it has no SHA-256")
    signature = signatures[0][1].decode()
    if _digest(file, signatures[0].start(1)) != signature:
        _refuse(path, "it is damaged or was changed: its SHA-256 does not match")
    return _parsed(path, header, signature, size)


def _header(path: str | os.PathLike[str], file: BinaryIO) -> tuple[bytes, int]:
    """The header, and the size of the file."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    length = int.from_bytes(file.read(8), "little")
    if length > size - 8:
        _refuse(path, "it is not a safetensors file, or is truncated")
    if length > LARGEST_HEADER:
        _refuse(path, f"its header has {length:,} bytes; expected at most {LARGEST_HEADER:,}")
    return file.read(length), size


def _digest(file: BinaryIO, place: int) -> str:
    """The SHA-256 of the file with zeros in place of the 64 digits at `place` in its header."""
    file.seek(0)
    digest = hashlib.sha256(file.read(8 + place))
    digest.update(UNSIGNED.encode())
    file.seek(64, os.SEEK_CUR)
    while part := file.read(2**20):
        digest.update(part)
    return digest.hexdigest()


def _parsed(path: str | os.PathLike[str], header: bytes, signature: str, size: int) -> Contents:
    try:
        entries = _json(header)
        description = _json(entries.pop("__metadata__")["backprop"])
        version = description.pop("format")
        if type(version) is not int or version > FORMAT:
            raise ValueError(
                f"it has format {version!r}, and this backprop reads {FORMAT}; install a newer backprop"
            )
        arrays = {name: _array(entry, size - 8 - len(header)) for name, entry in entries.items()}
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError, OverflowError) as error:
        _refuse(path, f"its header cannot be read ({str(error)[:LONGEST_CAUSE]})")
    return Contents(description, arrays, signature, size)


def _array(entry: Any, room: int) -> tuple[str, tuple[int, ...], int]:
    """Dtype, shape and size in bytes of an array, which must lie within the file."""
    shape, (start, end) = tuple(map(int, entry["shape"])), map(int, entry["data_offsets"])
    if not 0 <= start <= end <= room or len(shape) > MOST_DIMENSIONS or min(shape, default=0) < 0:
        raise ValueError("an array lies outside the file")
    if math.prod(shape) > 8 * (end - start):
        raise ValueError("the shape of an array is too large for its bytes")
    return str(entry["dtype"]), shape, end - start


def _json(text: bytes | str) -> Any:
    return json.loads(text, object_pairs_hook=_once, parse_constant=_no_number, parse_float=_finite)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; a duplicate key is an error."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("it has a duplicate key")
    return found


def _finite(text: str) -> float:
    value = float(text)
    return value if math.isfinite(value) else _no_number(text)


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a JSON number")


def _refuse(path: str | os.PathLike[str], why: str) -> NoReturn:
    raise CheckpointError(f"{os.fspath(path)} is not a readable checkpoint: {why}")


@contextmanager
def _a_file(path: str | os.PathLike[str]) -> Iterator[None]:
    """Raise a `CheckpointError` for a path that is not a file, or a file too large for this machine."""
    try:
        yield
    except FileError as error:
        _refuse(path, str(error.strerror))
