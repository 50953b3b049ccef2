"""Data sets in folders."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from backprop.datasets import DatasetError, load_dataset
from backprop.inputs import InputWarning

from .small import LABELS, NAMES, arrays, idx


@pytest.mark.parametrize("rename", [lambda n: n, lambda n: n + ".gz", lambda n: n.replace("-idx", ".idx")])
def test_folder_of_idx_files(rename: Callable[[str], str], tmp_path: Path) -> None:
    for name, array in zip(NAMES, arrays(), strict=True):
        content = idx(array)
        (tmp_path / rename(name)).write_bytes(
            gzip.compress(content) if rename(name).endswith(".gz") else content
        )
    data = load_dataset(tmp_path)
    np.testing.assert_array_equal(data.x_train, arrays()[0])
    np.testing.assert_array_equal(data.t_test, arrays()[3])
    assert (data.name, data.classes, data.sample_size) == (tmp_path.name, 3, 16)


def test_missing_files(folder: Path, tmp_path: Path) -> None:
    (folder / LABELS).unlink()
    with pytest.raises(
        DatasetError, match=f"no file {LABELS} or {LABELS}.gz; expected a folder of the four IDX files"
    ):
        load_dataset(folder)
    with pytest.raises(
        DatasetError, match=r"nowhere: no such file or folder; expected a folder .* or an \.npz file"
    ):
        load_dataset(tmp_path / "nowhere")
    (folder / LABELS).mkdir()
    with pytest.raises(DatasetError, match="no file"):
        load_dataset(folder)


def test_longer_names(tmp_path: Path) -> None:
    x, t = np.arange(24).reshape(6, 2, 2), np.asarray([0, 1, 2, 0, 1, 2])
    for part in ("train", "test"):
        (tmp_path / f"emnist-letters-{part}-images-idx3-ubyte").write_bytes(idx(x))
        (tmp_path / f"emnist-letters-{part}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(t)))
    with pytest.warns(InputWarning, match="EMNIST stores its images transposed; they are turned upright"):
        data = load_dataset(tmp_path)
    assert data.t_test.tolist() == t.tolist()
    for images in (data.x_train, data.x_test):
        np.testing.assert_array_equal(images, np.swapaxes(x, 1, 2))
    (tmp_path / "emnist-digits-test-images-idx3-ubyte").write_bytes(idx(x))
    with pytest.raises(
        DatasetError, match="several files like t10k-images-idx3-ubyte: emnist-digits-.*, emnist-"
    ):
        load_dataset(tmp_path)
    (tmp_path / "t10k-images-idx3-ubyte").write_bytes(idx(x[::-1]))
    with pytest.warns(InputWarning, match="turned upright"):
        mixed = load_dataset(tmp_path)
    np.testing.assert_array_equal(mixed.x_test, x[::-1])
    assert (data.transposed, mixed.transposed) == (("x_train", "x_test"), ("x_train",))


def test_four_archives(tmp_path: Path) -> None:
    x, t = np.arange(24, dtype="uint8").reshape(6, 2, 2), np.asarray([0, 1, 2, 0, 1, 2], "uint8")
    for part in ("train", "test"):
        np.savez(tmp_path / f"kmnist-{part}-imgs.npz", x)
        np.savez(tmp_path / f"kmnist-{part}-labels.npz", t)
    data = load_dataset(tmp_path)
    assert (data.x_test.tolist(), data.t_train.tolist()) == (x.tolist(), t.tolist())
    (tmp_path / "kmnist-test-labels.npz").unlink()
    with pytest.raises(DatasetError, match=r"0 files named …test-labels\.npz; expected one"):
        load_dataset(tmp_path)


def test_error_lists_the_files_of_a_folder(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no file train-images.* found nothing"):
        load_dataset(tmp_path)
    (tmp_path / "mine.csv").write_text("")
    with pytest.raises(DatasetError, match="found 'mine.csv'"):
        load_dataset(tmp_path)
