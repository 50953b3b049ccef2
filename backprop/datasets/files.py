"""The user's own data: a folder of four IDX files, or an .npz archive."""

from __future__ import annotations

import lzma
import sys
import zipfile
import zlib
from pathlib import Path
from tokenize import TokenError

import numpy as np

from ..files import memory
from .dataset import Dataset, DatasetError, HostArray, checked
from .idx import LARGEST, read_idx

NPZ_NAMES = ("x_train", "t_train", "x_test", "t_test")


def load_dataset(path: str | Path) -> Dataset:
    """The data in a folder of IDX files, or in an .npz archive.

    A folder holds `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`, `t10k-images-idx3-ubyte`
    and `t10k-labels-idx1-ubyte`, each gzipped (`.gz`) or not, as MNIST and Fashion-MNIST are
    published. An archive holds `x_train`, `t_train`, `x_test` and `t_test`: numbers (N, …) and
    integer class numbers (N,) or one-hot rows (N, C). Pickled data is refused. Whatever is wrong
    with a file is a `DatasetError` that names it.
    """
    path = Path(path)
    if path.is_dir():
        return _from_folder(path)
    if not path.is_file():
        raise DatasetError(path, "no such file or folder", "a folder of four IDX files, or an .npz file")
    return _from_npz(path)


def _from_folder(folder: Path) -> Dataset:
    arrays = [
        read_idx(_find(folder, f"{part}-{kind}-idx{dimensions}-ubyte"), dimensions)
        for part in ("train", "t10k")
        for kind, dimensions in (("images", 3), ("labels", 1))
    ]
    x_train, t_train, x_test, t_test = arrays
    labels = (t_train.astype(np.int64), t_test.astype(np.int64))
    return checked(Dataset(folder.resolve().name, x_train, labels[0], x_test, labels[1]), folder)


def _find(folder: Path, name: str) -> Path:
    # Some mirrors write a dot before "idx".
    candidates = [
        folder / f"{stem}{end}" for stem in (name, name.replace("-idx", ".idx")) for end in ("", ".gz")
    ]
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    raise DatasetError(folder, f"no file {name} or {name}.gz", "a folder of the four IDX files")


def _from_npz(path: Path) -> Dataset:
    expected = f"an .npz archive with the arrays {', '.join(NPZ_NAMES)}"
    try:
        with zipfile.ZipFile(path) as archive:
            members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
            missing = [name for name in NPZ_NAMES if name not in members]
            if missing:
                raise DatasetError(path, f"no array {missing[0]}", expected)
            size, most = sum(members[name].file_size for name in NPZ_NAMES), memory() or sys.maxsize
            if size > most:
                raise DatasetError(path, f"arrays of {size:,} bytes", f"at most the {most:,} of this machine")
            arrays = {name: _read_member(archive, members[name], path) for name in NPZ_NAMES}
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, NotImplementedError, RuntimeError) as error:
        raise DatasetError(path, f"not a readable zip archive ({error})", expected) from None
    except OSError as error:
        raise DatasetError(path, f"cannot be read ({error.strerror or error})", expected) from None
    widths = [arrays[name].shape[1:] for name in ("t_train", "t_test")]
    if widths[0] != widths[1] and arrays["t_train"].ndim == arrays["t_test"].ndim == 2:
        found = f"one-hot labels of {widths[0][0]} classes to train and {widths[1][0]} to test"
        raise DatasetError(path, found, "as many in both")
    labels = {name: _class_numbers(arrays[name], name, path) for name in ("t_train", "t_test")}
    samples = {name: _samples(arrays[name], name, path) for name in ("x_train", "x_test")}
    return checked(Dataset(path.stem, **samples, **labels), path)


def _read_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path) -> HostArray:
    """One array, whose header must promise just what the archive says it holds."""
    if info.file_size > LARGEST:
        raise DatasetError(path, f"{info.filename} of {info.file_size:,} bytes", f"at most {LARGEST:,}")
    expected = "a NumPy array of numbers"
    try:
        with archive.open(info) as stream:
            version = np.lib.format.read_magic(stream)
            read_header = {
                (1, 0): np.lib.format.read_array_header_1_0,
                (2, 0): np.lib.format.read_array_header_2_0,
            }.get(version)
            if read_header is None:
                raise DatasetError(path, f"{info.filename} in .npy format {version}", "format 1.0 or 2.0")
            shape, _, dtype = read_header(stream)
            promised, held = (
                int(np.prod(shape, dtype=object)) * dtype.itemsize,
                info.file_size - stream.tell(),
            )
        if dtype.kind not in "biuf":
            raise DatasetError(path, f"{info.filename} of dtype {dtype}", expected)
        if promised != held:
            raise DatasetError(
                path, f"{info.filename} holds {held:,} bytes", f"{promised:,}, as its header says"
            )
        with archive.open(info) as stream:
            array: HostArray = np.lib.format.read_array(stream, allow_pickle=False)
    except DatasetError:
        raise
    # A .npy header is a Python literal, and NumPy passes on whatever its parser says of a broken one.
    except (ValueError, EOFError, SyntaxError, TypeError, OverflowError, TokenError) as error:
        raise DatasetError(path, f"{info.filename} is damaged ({error})", expected) from None
    return array


def _samples(x: HostArray, name: str, path: Path) -> HostArray:
    if x.ndim < 2:
        raise DatasetError(path, f"{name} of shape {x.shape}", "(N, …), with at least two dimensions")
    return x


def _class_numbers(t: HostArray, name: str, path: Path) -> HostArray:
    """Integer class numbers from class numbers or one-hot rows."""
    if t.ndim == 2:
        if len(t) and not (np.isin(t, (0, 1)).all() and (t.sum(axis=1) == 1).all()):
            raise DatasetError(
                path, f"{name} {t.shape} with rows that are not one-hot", "a single 1 in each row"
            )
        t = t.argmax(axis=1)
        return t.astype(np.int64)
    if t.ndim != 1 or t.dtype.kind not in "iu":
        found = f"{name} of shape {t.shape} and dtype {t.dtype}"
        raise DatasetError(path, found, "integer class numbers (N,), or one-hot rows (N, C)")
    return t.astype(np.int64)
