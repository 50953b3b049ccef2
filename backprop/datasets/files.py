"""The user's own data: a folder of four IDX files, or an .npz archive."""

from __future__ import annotations

import lzma
import sys
import warnings
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from tokenize import TokenError

import numpy as np

from ..backends import HostArray
from ..files import memory
from ..inputs import IN_A_FILE, InputWarning, kind_of
from .dataset import (
    NUMBER_CLASSES,
    Dataset,
    DatasetError,
    checked,
    checked_alone,
    warn_of_absent_classes,
)
from .idx import LARGEST, read_idx

NAMES = {
    "x_train": ("x_train", "X_train", "train_images", "train_x"),
    "t_train": ("t_train", "y_train", "Y_train", "train_labels", "train_y"),
    "x_test": ("x_test", "X_test", "test_images", "test_x"),
    "t_test": ("t_test", "y_test", "Y_test", "test_labels", "test_y"),
}
"""Of the arrays in an archive: this package's, and those of Keras, scikit-learn's users and MedMNIST."""

HOLD_BACK = (
    "to hold a fifth back: i = numpy.random.default_rng(0).permutation(len(x)); n = len(x) // 5; "
    "numpy.savez('data.npz', x_train=x[i[n:]], t_train=t[i[n:]], x_test=x[i[:n]], t_test=t[i[:n]])"
)
"""What to do with data that is not split."""

PICTURES = (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".tif", ".tiff", ".webp", ".ppm")

OF_PICTURES = (
    "an .npz archive made of them: x of backprop.pictures' fitted(read_picture(file, 1).pixels, (28, 28), "
    "MNIST).pixels for every file (of photographs with 3 and Style.unknown(3)), t of their class numbers"
)
"""How pictures become data."""

MOST_LISTED = 12

ALONE = {"x_test": ("x", "X", "images", "arr_0"), "t_test": ("t", "y", "labels", "arr_1")}
"""Where an archive has samples to test on, and no others."""

TRANSPOSED = "emnist-"
"""How the names of image files begin in which rows and columns have changed places."""

IDX_PARTS = {"train": ("train",), "test": ("t10k", "test")}
NPZ_PARTS = {"x": "imgs", "t": "labels"}


def load_dataset(path: str | Path, *, alone: bool = False) -> Dataset:
    """The data in a folder of IDX files, or in an .npz archive.

    A folder holds `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`, `t10k-images-idx3-ubyte`
    and `t10k-labels-idx1-ubyte`, each gzipped (`.gz`) or not, as MNIST and Fashion-MNIST are
    published; EMNIST's longer names are found as well, and the four .npz files of Kuzushiji-MNIST.
    EMNIST's images, which lie transposed in its files, are turned upright, with an `InputWarning`.
    Classes without a training sample bring an `InputWarning`, too.
    An archive holds `x_train`, `t_train`, `x_test` and `t_test` (or `y_train`, `train_images`,
    `train_labels`, …): numbers (N, …) and class numbers (N,) or (N, 1), or one-hot rows (N, C). Pickled
    data is refused. Whatever is wrong with a file is a `DatasetError` that names it.

    Parameters
    ----------
    alone : whether samples to test on are enough, which may also be called `x` and `t` or `y`; there are
        then none to train on
    """
    path = Path(path)
    if not (path.is_dir() or path.is_file()):
        raise DatasetError(path, "no such file or folder", "a folder of four IDX files, or an .npz file")
    if path.is_file() and path.suffix.lower() in PICTURES:
        raise DatasetError(path, "a picture", OF_PICTURES)
    data = _from_folder(path) if path.is_dir() else _from_npz(path, alone=alone)
    if len(data.t_train):
        warn_of_absent_classes(data, path)
    return data


def _from_folder(folder: Path) -> Dataset:
    if any(folder.glob("*train-imgs.npz")):
        return _from_four_archives(folder)
    arrays: dict[str, HostArray] = {}
    turned = []
    for part in IDX_PARTS:
        file = _find(folder, part, "images-idx3-ubyte")
        x = read_idx(file, 3)
        if file.name.startswith(TRANSPOSED):
            x = np.ascontiguousarray(np.swapaxes(x, 1, 2))
            turned.append(f"x_{part}")
        arrays[f"x_{part}"] = x
        arrays[f"t_{part}"] = read_idx(_find(folder, part, "labels-idx1-ubyte"), 1).astype(np.int64)
    data = checked(Dataset(folder.resolve().name, **arrays, turned=tuple(turned)), folder)
    if turned:
        told = f"{folder}: EMNIST's images lie transposed in its files: turned upright"
        warnings.warn(told, InputWarning, stacklevel=3)
    return data


def _find(folder: Path, part: str, end: str) -> Path:
    """The file of a part, by MNIST's name for it or by a longer one that ends alike."""
    names = [f"{name}-{end}" for name in IDX_PARTS[part]]
    dotted = [name.replace("-idx", ".idx") for name in names]  # as some mirrors write it
    for start in ("", "*-"):
        patterns = [f"{start}{name}{packed}" for name in (*names, *dotted) for packed in ("", ".gz")]
        found = sorted({file for pattern in patterns for file in folder.glob(pattern) if file.is_file()})
        stems = {file.name.removesuffix(".gz") for file in found}
        if len(stems) > 1 and start:
            several = f"several files like {names[0]}: {', '.join(sorted(stems))}"
            raise DatasetError(folder, several, "a folder of one data set")
        if found:
            return found[0]
    if any(file.suffix.lower() in PICTURES for file in (*folder.iterdir(), *folder.glob("*/*"))):
        raise DatasetError(folder, "a folder of pictures", OF_PICTURES)
    there = _listed(file.name for file in folder.iterdir())
    raise DatasetError(
        folder, f"no file {names[0]} or {names[0]}.gz", f"a folder of the four IDX files; there {there}"
    )


def _from_four_archives(folder: Path) -> Dataset:
    """Kuzushiji-MNIST's files, each with one array."""
    arrays = {}
    for part in ("train", "test"):
        for key, kind in NPZ_PARTS.items():
            found = sorted(folder.glob(f"*{part}-{kind}.npz"))
            if len(found) != 1:
                what = f"{len(found)} files named …{part}-{kind}.npz"
                raise DatasetError(folder, what, "one, as Kuzushiji-MNIST is published")
            (arrays[f"{key}_{part}"],) = _members(found[0], {"array": ("arr_0",)}).values()
    return _dataset(folder.resolve().name, arrays, folder)


def _from_npz(path: Path, *, alone: bool) -> Dataset:
    names = NAMES
    if alone and not _has(path, NAMES["x_train"]):
        names = {key: (*NAMES[key], *ALONE[key]) for key in ALONE}
    return _dataset(path.stem, _members(path, names), path)


def _dataset(name: str, arrays: dict[str, HostArray], path: Path) -> Dataset:
    labels = {key: _class_numbers(arrays[key], key, path) for key in arrays if key.startswith("t_")}
    samples = {key: _samples(arrays[key], key, path) for key in arrays if key.startswith("x_")}
    if "x_train" not in arrays:
        x, t = samples["x_test"], labels["t_test"]
        return checked_alone(Dataset(name, x[:0], t[:0], x, t), path)
    widths = [arrays[key].shape[1:] for key in ("t_train", "t_test")]
    if widths[0] != widths[1] and arrays["t_train"].ndim == arrays["t_test"].ndim == 2:
        found = f"one-hot labels of {widths[0][0]} classes to train and {widths[1][0]} to test"
        raise DatasetError(path, found, "as many in both")
    x_train, x_test = samples["x_train"], samples["x_test"]
    return checked(Dataset(name, x_train, labels["t_train"], x_test, labels["t_test"]), path)


def _has(path: Path, names: tuple[str, ...]) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return not {f"{name}.npy" for name in names}.isdisjoint(archive.namelist())
    except (zipfile.BadZipFile, OSError, NotImplementedError):
        return False  # which reading it will say better


def _members(path: Path, names: Mapping[str, tuple[str, ...]]) -> dict[str, HostArray]:
    """The arrays of an archive, each by the first of its names that is there."""
    expected = f"an .npz archive with the arrays {'; '.join(map(_either, names.values()))}"
    try:
        with zipfile.ZipFile(path) as archive:
            members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
            chosen = {key: next((n for n in known if n in members), None) for key, known in names.items()}
            missing = [key for key, name in chosen.items() if name is None]
            if missing:
                found = f"no array{'s' * (len(missing) > 1)} {', '.join(missing)}"
                cure = f"; {HOLD_BACK}" if _is_not_split(missing, members) else ""
                raise DatasetError(path, found, f"{expected}; there {_listed(members)}{cure}")
            wanted = {key: members[str(name)] for key, name in chosen.items()}
            size, most = sum(info.file_size for info in wanted.values()), memory() or sys.maxsize
            if size > most:
                raise DatasetError(path, f"arrays of {size:,} bytes", f"at most the {most:,} of this machine")
            return {key: _read_member(archive, info, path, key) for key, info in wanted.items()}
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, NotImplementedError, RuntimeError) as error:
        raise DatasetError(path, f"not a readable zip archive ({error})", expected) from None
    except OSError as error:
        raise DatasetError(path, f"cannot be read ({error.strerror or error})", expected) from None


def _is_not_split(missing: list[str], members: Iterable[str]) -> bool:
    """Whether an archive has samples and labels, but none to test on."""
    if missing == list(NAMES):
        return all(not set(names).isdisjoint(members) for names in ALONE.values())
    return missing == ["x_test", "t_test"] and not set(NAMES["x_train"]).isdisjoint(members)


def _either(names: tuple[str, ...]) -> str:
    first, *others = names
    return f"{first} (or {', '.join(others)})" if others else first


def _listed(names: Iterable[str]) -> str:
    """What there is, for an error."""
    first = sorted(names)[:MOST_LISTED]
    return f"are {', '.join(map(repr, first))}" if first else "is nothing"


def _read_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path, key: str) -> HostArray:
    """One array, which is to be `key`, whose header must promise just what the archive says it holds."""
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
            are_names = key.startswith("t_") and dtype.kind in "USO"
            cure = f"number the classes: {NUMBER_CLASSES}" if are_names else IN_A_FILE.get(dtype.kind)
            found = f"{info.filename} of {kind_of(dtype)}"
            raise DatasetError(path, found, f"{expected}; {cure}" if cure else expected)
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
    """Integer class numbers from class numbers, whole floats or one-hot rows."""
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
