"""Data sets in .npz archives, and class numbers from labels of other forms."""

from __future__ import annotations

import lzma
import sys
import zipfile
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tokenize import TokenError
from typing import IO

import numpy as np

from ..backends import HostArray
from ..files import memory
from ..inputs import IN_A_FILE, kind_of
from .dataset import NUMBER_CLASSES, Dataset, DatasetError, validated, validated_test_set
from .idx import LARGEST

NAMES = {
    "x_train": ("x_train", "X_train", "train_images", "train_x"),
    "t_train": ("t_train", "y_train", "Y_train", "train_labels", "train_y"),
    "x_test": ("x_test", "X_test", "test_images", "test_x"),
    "t_test": ("t_test", "y_test", "Y_test", "test_labels", "test_y"),
}
"""The names of arrays: ours, Keras', those common with scikit-learn, and MedMNIST's."""

TEST_ONLY_NAMES = {"x_test": ("x", "X", "images", "arr_0"), "t_test": ("t", "y", "labels", "arr_1")}
"""More names for the arrays of an archive that has a test set only."""

TEST_NAMES = {key: (*NAMES[key], *more) for key, more in TEST_ONLY_NAMES.items()}

HOLD_OUT = (
    "to hold out a fifth: i = numpy.random.default_rng(0).permutation(len(x)); n = len(x) // 5; "
    "numpy.savez('data.npz', x_train=x[i[n:]], t_train=t[i[n:]], x_test=x[i[:n]], t_test=t[i[:n]])"
)
"""How to split data that has no test set."""

UNZIP = "unzip it into a folder and give that: .npy files in a folder are read as needed"
"""What to do with an archive that does not fit into memory."""

OF_NUMBERS = "a NumPy array of numbers"

MOST_LISTED = 12


def read_npz(path: Path, *, test_only: bool) -> Dataset:
    """Read the data set in an archive, or its test set if that is all it has and `test_only` allows it."""
    only_test = test_only and not _has_any(path, NAMES["x_train"])
    return dataset_of(path.stem, read_arrays(path, TEST_NAMES if only_test else NAMES), path)


def read_targets(path: Path) -> tuple[HostArray, HostArray]:
    """Read the test samples in an archive, and their targets as they are: they may be any numbers."""
    arrays = read_arrays(path, TEST_NAMES)
    x, t = _samples(arrays["x_test"], "x_test", path), arrays["t_test"]
    count = len(t) if t.ndim else 0
    if len(x) != count or count == 0:
        found = f"{len(x)} test samples and {count} targets"
        raise DatasetError(path, found, "as many targets as samples, and at least one")
    return x, t


def dataset_of(name: str, arrays: dict[str, HostArray], path: Path) -> Dataset:
    """Make a data set of arrays that were read from `path`, or raise a `DatasetError`."""
    labels = {key: _class_numbers(arrays[key], key, path) for key in arrays if key.startswith("t_")}
    samples = {key: _samples(arrays[key], key, path) for key in arrays if key.startswith("x_")}
    if "x_train" not in arrays:
        x, t = samples["x_test"], labels["t_test"]
        return validated_test_set(Dataset(name, x[:0], t[:0], x, t), path)
    widths = [arrays[key].shape[1:] for key in ("t_train", "t_test")]
    if widths[0] != widths[1] and arrays["t_train"].ndim == arrays["t_test"].ndim == 2:
        found = f"one-hot labels of {widths[0][0]} classes for training and {widths[1][0]} for testing"
        raise DatasetError(path, found, "as many in both")
    x_train, x_test = samples["x_train"], samples["x_test"]
    return validated(Dataset(name, x_train, labels["t_train"], x_test, labels["t_test"]), path)


def read_arrays(path: Path, names: Mapping[str, tuple[str, ...]]) -> dict[str, HostArray]:
    """Read arrays from an archive, each under the first of its names that exists."""
    expected = f"an .npz archive with the arrays {described(names)}"
    try:
        with zipfile.ZipFile(path) as archive:
            members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
            wanted = {key: members[name] for key, name in chosen(names, members, path, expected).items()}
            size, most = sum(info.file_size for info in wanted.values()), memory() or sys.maxsize
            if size > most:
                expected = f"at most the {most:,} of this machine's memory; {UNZIP}"
                raise DatasetError(path, f"arrays of {size:,} bytes", expected)
            return {key: _read_member(archive, info, path, key) for key, info in wanted.items()}
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, NotImplementedError, RuntimeError) as error:
        raise DatasetError(path, f"not a readable zip archive ({error})", expected) from None
    except OSError as error:
        raise DatasetError(path, f"cannot be read ({error.strerror or error})", expected) from None


def described(names: Mapping[str, tuple[str, ...]]) -> str:
    """The names that arrays may have, for an error."""
    return "; ".join(map(_either, names.values()))


def chosen(
    names: Mapping[str, tuple[str, ...]], members: Collection[str], path: Path, expected: str
) -> dict[str, str]:
    """For every array the first of its names that is among `members`, or a `DatasetError`."""
    found = {key: next((n for n in known if n in members), "") for key, known in names.items()}
    missing = [key for key, name in found.items() if not name]
    if missing:
        cure = f"; {HOLD_OUT}" if _is_unsplit(missing, members) else ""
        what = f"no array{'s' * (len(missing) > 1)} {', '.join(missing)}"
        raise DatasetError(path, what, f"{expected}; {listed(members)}{cure}")
    return found


def listed(names: Iterable[str]) -> str:
    """List what was found, for an error."""
    first = sorted(names)[:MOST_LISTED]
    return f"found {', '.join(map(repr, first))}" if first else "found nothing"


def _has_any(path: Path, names: tuple[str, ...]) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return not {f"{name}.npy" for name in names}.isdisjoint(archive.namelist())
    except (zipfile.BadZipFile, OSError, NotImplementedError):
        return False  # reading it raises a better error


def _is_unsplit(missing: list[str], members: Iterable[str]) -> bool:
    """Whether an archive has samples and labels, but no test set."""
    if missing == list(NAMES):
        return all(not set(names).isdisjoint(members) for names in TEST_ONLY_NAMES.values())
    return missing == ["x_test", "t_test"] and not set(NAMES["x_train"]).isdisjoint(members)


def _either(names: tuple[str, ...]) -> str:
    first, *others = names
    return f"{first} (or {', '.join(others)})" if others else first


def _read_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path, key: str) -> HostArray:
    """Read the array `key`; the size in its header must match the size in the archive."""
    if info.file_size > LARGEST:
        raise DatasetError(path, f"{info.filename} of {info.file_size:,} bytes", f"at most {LARGEST:,}")
    with undamaged(path, info.filename):
        with archive.open(info) as stream:
            read_header(stream, info.file_size, path, info.filename, key)
        with archive.open(info) as stream:
            array: HostArray = np.lib.format.read_array(stream, allow_pickle=False)
    return array


def read_header(
    stream: IO[bytes], size: int, path: Path, name: str, key: str
) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Read the header of the .npy file `name` of so many bytes: shape, whether by columns, and dtype."""
    version = np.lib.format.read_magic(stream)
    read = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }.get(version)
    if read is None:
        raise DatasetError(path, f"{name} in .npy format {version}", "format 1.0 or 2.0")
    shape, by_columns, dtype = read(stream)
    promised = int(np.prod(shape, dtype=object)) * dtype.itemsize
    held = size - stream.tell()
    if dtype.kind not in "biuf":
        are_names = key.startswith("t_") and dtype.kind in "USO"
        cure = f"number the classes: {NUMBER_CLASSES}" if are_names else IN_A_FILE.get(dtype.kind)
        found = f"{name} of {kind_of(dtype)}"
        raise DatasetError(path, found, f"{OF_NUMBERS}; {cure}" if cure else OF_NUMBERS)
    if promised != held:
        raise DatasetError(path, f"{name} has {held:,} bytes", f"{promised:,}, as its header says")
    return shape, by_columns, dtype


@contextmanager
def undamaged(path: Path, name: str) -> Iterator[None]:
    """Raise a `DatasetError` for what NumPy raises for a damaged .npy file."""
    try:
        yield
    except DatasetError:
        raise
    # A .npy header is a Python literal, and NumPy passes on any error of the parser.
    except (ValueError, EOFError, SyntaxError, TypeError, OverflowError, TokenError) as error:
        raise DatasetError(path, f"{name} is damaged ({error})", OF_NUMBERS) from None


def _samples(x: HostArray, name: str, path: Path) -> HostArray:
    if x.ndim < 2:
        raise DatasetError(path, f"{name} of shape {x.shape}", "(N, …), with at least two dimensions")
    return x


def _class_numbers(t: HostArray, name: str, path: Path) -> HostArray:
    """Convert class numbers, whole floats or one-hot rows to integer class numbers."""
    if t.ndim == 2 and t.shape[1] == 1:
        t = t[:, 0]
    if t.ndim == 2:
        if len(t) and not (np.isin(t, (0, 1)).all() and (t.sum(axis=1) == 1).all()):
            raise DatasetError(
                path, f"{name} {t.shape} with rows that are not one-hot", "a single 1 in each row"
            )
        t = t.argmax(axis=1)
        return t.astype(np.int64)
    whole = t.dtype.kind in "iub" or (
        t.dtype.kind == "f" and bool((np.isfinite(t) & (np.floor(t) == t)).all())
    )
    if t.ndim != 1 or not whole:
        found = f"{name} of shape {t.shape} and dtype {t.dtype}"
        raise DatasetError(path, found, "integer class numbers (N,), or one-hot rows (N, C)")
    return t.astype(np.int64)
