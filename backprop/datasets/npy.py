"""Data sets in folders of .npy files, which are memory-mapped: they may be larger than the memory."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from ..backends import HostArray
from ..files import open_file
from .dataset import Dataset, DatasetError
from .npz import NAMES, OF_NUMBERS, TEST_NAMES, chosen, dataset_of, described, read_header, undamaged


def read_npy_folder(folder: Path, *, test_only: bool) -> Dataset:
    """Map the arrays of a data set, or its test set if that is all it has and `test_only` allows it."""
    members = {file.stem for file in folder.glob("*.npy")}
    names = TEST_NAMES if test_only and members.isdisjoint(NAMES["x_train"]) else NAMES
    expected = f"a folder with the .npy files {described(names)}"
    files = {key: f"{name}.npy" for key, name in chosen(names, members, folder, expected).items()}
    return dataset_of(folder.resolve().name, {key: _mapped(folder, files[key], key) for key in files}, folder)


def _mapped(folder: Path, name: str, key: str) -> HostArray:
    """The array in a file, memory-mapped; the size in its header must match the file's."""
    try:
        with open_file(folder / name) as stream, undamaged(folder, name):
            shape, by_columns, dtype = read_header(
                stream, os.fstat(stream.fileno()).st_size, folder, name, key
            )
            if 0 in shape:
                return np.empty(shape, dtype)
            return np.memmap(stream, dtype, "r", stream.tell(), shape, order="F" if by_columns else "C")
    except OSError as error:
        why = f"{name} cannot be read ({error.strerror or error})"
        raise DatasetError(folder, why, OF_NUMBERS) from None
