"""Data sets in a folder: four IDX files, .npy files, or the four archives of Kuzushiji-MNIST."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np

from ..backends import HostArray
from ..inputs import InputWarning
from .dataset import Dataset, DatasetError, validated
from .idx import read_idx
from .npy import read_npy_folder
from .npz import dataset_of, listed, read_arrays
from .pictures import IMAGE_SUFFIXES, PICTURES_TO_DATA

TRANSPOSED = "emnist-"
"""The prefix of image files whose rows and columns are swapped."""

IDX_PARTS = {"train": ("train",), "test": ("t10k", "test")}
NPZ_PARTS = {"x": "imgs", "t": "labels"}


def read_folder(folder: Path, *, test_only: bool) -> Dataset:
    """Read the four files of a data set; of .npy files those of a test set if `test_only` allows it."""
    if any(folder.glob("*train-imgs.npz")):
        return _read_four_archives(folder)
    if any(folder.glob("*.npy")) and not any(folder.glob("*idx3-ubyte*")):
        return read_npy_folder(folder, test_only=test_only)
    arrays: dict[str, HostArray] = {}
    transposed = []
    for part in IDX_PARTS:
        file = _find(folder, part, "images-idx3-ubyte")
        x = read_idx(file, 3)
        if file.name.startswith(TRANSPOSED):
            x = np.ascontiguousarray(np.swapaxes(x, 1, 2))
            transposed.append(f"x_{part}")
        arrays[f"x_{part}"] = x
        arrays[f"t_{part}"] = read_idx(_find(folder, part, "labels-idx1-ubyte"), 1).astype(np.int64)
    data = validated(Dataset(folder.resolve().name, **arrays, transposed=tuple(transposed)), folder)
    if transposed:
        message = f"{folder}: EMNIST stores its images transposed; they are turned upright"
        warnings.warn(message, InputWarning, stacklevel=3)
    return data


def _find(folder: Path, part: str, suffix: str) -> Path:
    """Find the file of a part by MNIST's name, or by a longer name with the same end."""
    names = [f"{name}-{suffix}" for name in IDX_PARTS[part]]
    dotted = [name.replace("-idx", ".idx") for name in names]  # the spelling of some mirrors
    for prefix in ("", "*-"):
        patterns = [f"{prefix}{name}{packed}" for name in (*names, *dotted) for packed in ("", ".gz")]
        found = sorted({file for pattern in patterns for file in folder.glob(pattern) if file.is_file()})
        stems = {file.name.removesuffix(".gz") for file in found}
        if len(stems) > 1 and prefix:
            several = f"several files like {names[0]}: {', '.join(sorted(stems))}"
            raise DatasetError(folder, several, "a folder with one data set")
        if found:
            return found[0]
    if any(file.suffix.lower() in IMAGE_SUFFIXES for file in (*folder.iterdir(), *folder.glob("*/*"))):
        raise DatasetError(folder, "a folder of pictures", PICTURES_TO_DATA)
    found_files = listed(file.name for file in folder.iterdir())
    raise DatasetError(
        folder, f"no file {names[0]} or {names[0]}.gz", f"a folder of the four IDX files; {found_files}"
    )


def _read_four_archives(folder: Path) -> Dataset:
    """Read Kuzushiji-MNIST's files, which contain one array each."""
    arrays = {}
    for part in ("train", "test"):
        for key, kind in NPZ_PARTS.items():
            found = sorted(folder.glob(f"*{part}-{kind}.npz"))
            if len(found) != 1:
                what = f"{len(found)} files named …{part}-{kind}.npz"
                raise DatasetError(folder, what, "one, as Kuzushiji-MNIST is published")
            (arrays[f"{key}_{part}"],) = read_arrays(found[0], {"array": ("arr_0",)}).values()
    return dataset_of(folder.resolve().name, arrays, folder)
