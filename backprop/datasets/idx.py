"""Read IDX files, MNIST's format: magic number, sizes, then unsigned bytes; gzipped or not.

Source: the format's description in the MNIST database.
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from io import BufferedIOBase
from pathlib import Path

import numpy as np

from ..backends import HostArray
from .dataset import DatasetError

LARGEST = 2**32  # bytes; 80 times MNIST


def read_idx(path: Path, dimensions: int) -> HostArray:
    """Read the unsigned bytes of an IDX file, in the shape given by its header.

    `dimensions` is 1 for labels and 3 for images. Reads and decompresses no more than the header promises,
    plus one byte to check that the file ends there.
    """
    try:
        with path.open("rb") as raw:
            zipped = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            if not zipped:
                return _read(raw, path, dimensions)
            with gzip.GzipFile(fileobj=raw) as stream:
                return _read(stream, path, dimensions)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DatasetError(path, f"damaged gzip data ({error})", "a complete gzip file") from None
    except OSError as error:
        raise DatasetError(
            path, f"cannot be read ({error.strerror or error})", "a readable IDX file"
        ) from None


def _read(stream: BufferedIOBase, path: Path, dimensions: int) -> HostArray:
    magic = 0x0800 + dimensions
    expected = f"an IDX file of unsigned bytes in {dimensions} dimension(s), magic number {magic:#010x}"
    header = stream.read(4 + 4 * dimensions)
    if len(header) < 4 + 4 * dimensions:
        raise DatasetError(path, f"only {len(header)} bytes", expected)
    found, *shape = struct.unpack(f">{1 + dimensions}I", header)
    if found != magic:
        raise DatasetError(path, f"magic number {found:#010x}", expected)
    size = math.prod(shape)
    if size > LARGEST:
        raise DatasetError(path, f"a header that promises {size:,} bytes", f"at most {LARGEST:,}")
    data = _read_up_to(stream, size + 1)
    if len(data) != size:
        amount = f"{len(data):,} bytes" if len(data) < size else "more"
        shown = "×".join(map(str, shape))
        raise DatasetError(path, f"{amount} after the header", f"{size:,} ({shown}), as the header says")
    return np.frombuffer(data, dtype=np.uint8).reshape(shape)


def _read_up_to(stream: BufferedIOBase, size: int) -> bytearray:
    """Read at most `size` bytes, one mebibyte at a time, so that a false header reserves no memory."""
    data = bytearray()
    while len(data) < size:
        chunk = stream.read(min(2**20, size - len(data)))
        if not chunk:
            break
        data += chunk
    return data
