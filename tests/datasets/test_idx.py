"""IDX files."""

from __future__ import annotations

import gzip
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from backprop.datasets import DatasetError, load_dataset

from .small import GOOD, IMAGES, LABELS, NAMES, arrays, idx

DAMAGED: dict[str, tuple[str, bytes, str]] = {
    "short": (IMAGES, GOOD[:-1], r"191 bytes after the header; expected 192 \(12×4×4\), as the header says"),
    "long": (IMAGES, GOOD + b"\0", "more after the header; expected 192"),
    "empty": (IMAGES, b"", "only 0 bytes; expected an IDX file of unsigned bytes in 3 dimension"),
    "header cut": (IMAGES, GOOD[:10], "only 10 bytes; expected an IDX file"),
    "labels for images": (IMAGES, idx(arrays()[1]), "magic number 0x00000801; expected .*0x00000803"),
    "html": (IMAGES, b"<!DOCTYPE html><html>not found</html>", "magic number 0x3c21444f; expected"),
    "floats": (LABELS, b"\0\0\x0d\x01" + GOOD[4:], "magic number 0x00000d01; expected .*0x00000801"),
    "gzip cut": (IMAGES, gzip.compress(GOOD)[:-12], "damaged gzip data .*; expected a complete gzip file"),
    "gzip flipped": (IMAGES, gzip.compress(GOOD)[:-8] + b"\0" * 8, "damaged gzip data"),
    "gzip of noise": (IMAGES, b"\x1f\x8b" + b"\xff" * 40, "damaged gzip data"),
    "huge": (
        IMAGES,
        struct.pack(">4I", 0x803, 2**31, 2**10, 2**10),
        "a header that promises 2,251,799,813,685,248",
    ),
    "too few labels": (LABELS, idx(arrays(11)[1]), "12 train samples but 11 train labels; expected as many"),
    "no samples": (IMAGES, idx(np.zeros((0, 4, 4), np.uint8)), "no train samples; expected at least one"),
    "other size": (
        IMAGES,
        idx(np.zeros((12, 4, 5), np.uint8)),
        r"train samples \(4, 5\) but test samples \(4, 4\)",
    ),
    "unknown class": (NAMES[3], idx(np.full(6, 7, np.uint8)), "test label 7 where the train labels end at 2"),
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_damaged_idx_file(damage: str, folder: Path) -> None:
    name, content, message = DAMAGED[damage]
    (folder / name).write_bytes(content)
    with pytest.raises(DatasetError, match=message) as caught:
        load_dataset(folder)
    assert str(folder) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_gzip_bomb_is_not_unpacked(folder: Path) -> None:
    bomb = gzip.compress(GOOD + b"\0" * 200_000_000, compresslevel=1)
    (folder / IMAGES).write_bytes(bomb)
    tracemalloc.start()
    with pytest.raises(DatasetError, match="more after the header; expected 192"):
        load_dataset(folder)
    assert tracemalloc.get_traced_memory()[1] < 5_000_000
    tracemalloc.stop()


def test_false_header_reserves_no_memory(folder: Path) -> None:
    (folder / IMAGES).write_bytes(struct.pack(">4I", 0x803, 2**12, 2**10, 2**9) + b"\0" * 1000)
    tracemalloc.start()
    with pytest.raises(DatasetError, match="1,000 bytes after the header; expected 2,147,483,648"):
        load_dataset(folder)
    assert tracemalloc.get_traced_memory()[1] < 5_000_000
    tracemalloc.stop()
