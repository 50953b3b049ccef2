"""Data sets in folders of .npy files."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from backprop.datasets import DatasetError, data_digest, load_dataset
from backprop.inputs import is_mapped

from .small import named_arrays


def write(folder: Path, **changed: np.ndarray | None) -> Path:
    for name, array in {**named_arrays(), **changed}.items():
        if array is not None:
            np.save(folder / f"{name}.npy", array)
    return folder


def test_samples_stay_in_their_files(tmp_path: Path) -> None:
    data = load_dataset(write(tmp_path))
    assert is_mapped(data.x_train)
    assert is_mapped(data.x_test)
    assert not data.x_train.flags.writeable
    for name, array in named_arrays().items():
        np.testing.assert_array_equal(getattr(data, name), array)
    np.savez(tmp_path / "data.npz", **named_arrays())
    assert data_digest(data) == data_digest(load_dataset(tmp_path / "data.npz"))


def test_other_names_and_layouts(tmp_path: Path) -> None:
    arrays = named_arrays()
    arrays["X_train"], arrays["y_train"] = np.asfortranarray(arrays.pop("x_train")), arrays.pop("t_train")
    for name, array in arrays.items():
        np.save(tmp_path / f"{name}.npy", array)
    np.save(tmp_path / "more.npy", np.zeros(3))
    np.testing.assert_array_equal(load_dataset(tmp_path).x_train, named_arrays()["x_train"])


def test_a_test_set_alone(tmp_path: Path) -> None:
    arrays = named_arrays()
    np.save(tmp_path / "x.npy", arrays["x_test"])
    np.save(tmp_path / "y.npy", arrays["t_test"])
    data = load_dataset(tmp_path, test_only=True)
    np.testing.assert_array_equal(data.x_test, arrays["x_test"])
    with pytest.raises(DatasetError, match="no arrays x_train, t_train, x_test, t_test; .*permutation"):
        load_dataset(tmp_path)


def test_wrong_names(tmp_path: Path) -> None:
    write(tmp_path, t_test=None)
    np.save(tmp_path / "labels_of_test.npy", np.zeros(6, int))
    message = (
        "no array t_test; expected a folder with the .npy files x_train .*; found 'labels_of_test', 't_tr"
    )
    with pytest.raises(DatasetError, match=message):
        load_dataset(tmp_path)


@pytest.mark.parametrize("cut", [1, 100])
def test_a_file_that_is_cut_off(cut: int, tmp_path: Path) -> None:
    file = write(tmp_path) / "x_train.npy"
    os.truncate(file, file.stat().st_size - cut)
    with pytest.raises(DatasetError, match=f"x_train.npy has {192 - cut} bytes; expected 192, as its header"):
        load_dataset(tmp_path)


def test_a_header_that_is_cut_off(tmp_path: Path) -> None:
    os.truncate(write(tmp_path) / "x_train.npy", 40)
    with pytest.raises(DatasetError, match="x_train.npy is damaged .*expected a NumPy array of numbers"):
        load_dataset(tmp_path)


def test_what_is_no_array_of_numbers(tmp_path: Path) -> None:
    write(tmp_path, x_train=np.asarray([["a", "b"]] * 12))
    with pytest.raises(DatasetError, match="x_train.npy of texts; expected a NumPy array of numbers"):
        load_dataset(tmp_path)


def test_an_empty_array(tmp_path: Path) -> None:
    write(tmp_path, x_train=np.empty((0, 4, 4), np.uint8), t_train=np.empty(0, int))
    with pytest.raises(DatasetError, match="no train samples; expected at least one"):
        load_dataset(tmp_path)


def test_what_is_no_file(tmp_path: Path) -> None:
    (write(tmp_path, x_train=None) / "x_train.npy").mkdir()
    with pytest.raises(DatasetError, match=r"x_train.npy cannot be read \(it is a folder; expected a file\)"):
        load_dataset(tmp_path)
