"""Data sets in .npz archives."""

from __future__ import annotations

import contextlib
import io
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from backprop.datasets import DatasetError, load_dataset
from backprop.datasets.npz import read_targets

from .small import arrays, named_arrays


@pytest.mark.parametrize(
    ("x", "cure"),
    [
        (np.zeros(4, [("a", "f4"), ("b", "f4")]), "structured_to_unstructured"),
        (np.zeros((4, 3), object), r"save array\.astype\(numpy\.float32\)"),
        (np.full((4, 3), "a"), r"save array\.astype\(numpy\.float32\)"),
        (np.zeros((4, 3), complex), r"take the real parts, array\.real"),
        (np.zeros((4, 3), "datetime64[D]"), r"count from a day"),
    ],
    ids=["records", "objects", "texts", "complex", "dates"],
)
def test_samples_of_other_dtypes_are_refused_with_a_cure(x: np.ndarray, cure: str, tmp_path: Path) -> None:
    t = np.arange(4) % 2
    np.savez(tmp_path / "d.npz", x_train=x, t_train=t, x_test=x, t_test=t)
    with pytest.raises(DatasetError, match=rf"x_train\.npy of .*; expected a NumPy array .*; .*{cure}"):
        load_dataset(tmp_path / "d.npz")


def test_npz(tmp_path: Path) -> None:
    for save in (np.savez, np.savez_compressed):
        save(tmp_path / "data.npz", **named_arrays())
        data = load_dataset(tmp_path / "data.npz")
        np.testing.assert_array_equal(data.x_test, arrays()[2])
        assert (data.name, data.classes, data.t_train.dtype) == ("data", 3, np.int64)


def test_npz_one_hot(tmp_path: Path) -> None:
    content = named_arrays()
    np.savez(tmp_path / "data.npz", **{**content, "t_train": np.eye(3)[content["t_train"]]})
    np.testing.assert_array_equal(load_dataset(tmp_path / "data.npz").t_train, content["t_train"])


INVALID = {
    "object": (
        {"x_train": np.asarray([{}] * 12, dtype=object)},
        "x_train.npy of objects; expected a NumPy array of n",
    ),
    "text": ({"t_train": np.asarray(["a"] * 12)}, "t_train.npy of texts; .* number the classes"),
    "float labels": (
        {"t_train": np.full(12, 0.5)},
        r"t_train of shape \(12,\) and dtype float64; expected integer class",
    ),
    "bad one-hot": ({"t_train": np.ones((12, 3))}, r"t_train \(12, 3\) with rows that are not one-hot"),
    "negative": ({"t_train": np.arange(12) - 1}, "train label -1; expected class numbers from 0"),
    "one class": (
        {"t_train": np.zeros(12, int)},
        "labels 0 to 0 for 12 train samples; expected at least two classes",
    ),
    "wild": ({"t_train": np.full(12, 10**9)}, "labels 0 to 1000000000 for 12 train samples"),
    "widths": (
        {"t_train": np.eye(3)[np.arange(12) % 3], "t_test": np.eye(5)[np.arange(6) % 5]},
        "one-hot labels of 3 classes for training and 5 for testing",
    ),
    "flat": ({"x_train": np.zeros(12)}, r"x_train of shape \(12,\); expected \(N, …\)"),
    "mixed": (
        {"x_test": np.zeros((6, 4, 4))},
        "train samples uint8 but test samples float64; expected samples of one dtype",
    ),
}


@pytest.mark.parametrize("wrong", INVALID)
def test_invalid_arrays(wrong: str, tmp_path: Path) -> None:
    changed, message = INVALID[wrong]
    np.savez(tmp_path / "data.npz", **{**named_arrays(), **changed})
    with pytest.raises(DatasetError, match=message):
        load_dataset(tmp_path / "data.npz")


def test_archive_larger_than_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.savez_compressed(
        tmp_path / "a.npz", **{name: np.repeat(a, 100, axis=0) for name, a in named_arrays().items()}
    )
    size = sum(info.file_size for info in zipfile.ZipFile(tmp_path / "a.npz").infolist())
    monkeypatch.setattr("backprop.datasets.npz.memory", lambda: size)
    load_dataset(tmp_path / "a.npz")
    monkeypatch.setattr("backprop.datasets.npz.memory", lambda: size - 1)
    with pytest.raises(
        DatasetError,
        match=f"arrays of {size:,} bytes; expected at most the {size - 1:,} of this machine's memory; unzip it",
    ):
        load_dataset(tmp_path / "a.npz")


def test_missing_array(tmp_path: Path) -> None:
    content = named_arrays()
    del content["t_test"]
    np.savez(tmp_path / "data.npz", **content)
    with pytest.raises(DatasetError, match="no array t_test; expected .*; found") as caught:
        load_dataset(tmp_path / "data.npz")
    assert "; x_test (or X_test, test_images, test_x); t_test (or y_test, Y_test, " in str(caught.value)
    assert "permutation" not in str(caught.value)


@pytest.mark.parametrize("names", [("x_train", "y_train"), ("x", "y")])
def test_unsplit_data_are_refused_with_code_to_split_them(
    names: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    x, t = arrays(n=30)[:2]
    np.savez("whole.npz", **dict(zip(names, (x, t), strict=True)))
    with pytest.raises(DatasetError, match=r"x_test, t_test; expected .* to hold out a fifth: ") as caught:
        load_dataset("whole.npz")
    exec(str(caught.value).partition("hold out a fifth: ")[2], {"numpy": np, "x": x, "t": t})
    data = load_dataset("data.npz")
    assert (len(data.t_train), len(data.t_test)) == (24, 6)
    pairs = {(row.tobytes(), int(k)) for row, k in zip(x, t, strict=True)}
    for rows, labels in ((data.x_train, data.t_train), (data.x_test, data.t_test)):
        assert {(row.tobytes(), int(k)) for row, k in zip(rows, labels, strict=True)} <= pairs


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 not really", b"<html>", b"\x93NUMPY"])
def test_other_file_formats(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "data.npz").write_bytes(content)
    with pytest.raises(DatasetError, match="not a readable zip archive"):
        load_dataset(tmp_path / "data.npz")


@pytest.mark.parametrize("cut", [0, 4, 20, 100, 130])
def test_damaged_member(cut: int, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "data.npz", "w") as archive:
        for name, array in named_arrays().items():
            buffer = io.BytesIO()
            np.save(buffer, array)
            content = buffer.getvalue()
            archive.writestr(f"{name}.npy", content[:cut] if name == "x_train" else content)
    with pytest.raises(DatasetError, match=r"x_train\.npy"):
        load_dataset(tmp_path / "data.npz")


def test_damaged_headers(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    np.save(buffer, named_arrays()["x_train"])
    content, rng = buffer.getvalue(), np.random.default_rng(0)
    rest = {}
    for name, array in named_arrays().items():
        np.save(member := io.BytesIO(), array)
        rest[name] = member.getvalue()
    for _ in range(500):
        damaged = bytearray(content)
        damaged[rng.integers(0, 128)] = rng.integers(0, 256)
        with zipfile.ZipFile(tmp_path / "data.npz", "w") as archive:
            for name, whole in rest.items():
                archive.writestr(f"{name}.npy", bytes(damaged) if name == "x_train" else whole)
        with contextlib.suppress(DatasetError), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            load_dataset(tmp_path / "data.npz")


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_flipped_bits(save: Callable[..., None], tmp_path: Path) -> None:
    path = tmp_path / "data.npz"
    save(path, **named_arrays())
    content = bytearray(path.read_bytes())
    for i in range(0, len(content), 7):
        content[i] ^= 0x10
        path.write_bytes(content)
        with contextlib.suppress(DatasetError):
            load_dataset(path)
        content[i] ^= 0x10


CONVENTIONS = {
    "Keras": ("x_train", "y_train", "x_test", "y_test"),
    "scikit-learn": ("X_train", "y_train", "X_test", "y_test"),
    "MedMNIST": ("train_images", "train_labels", "test_images", "test_labels"),
}


@pytest.mark.parametrize("names", CONVENTIONS.values(), ids=CONVENTIONS)
@pytest.mark.parametrize("form", ["numbers", "column", "floats"])
def test_other_names_and_forms_of_labels(names: tuple[str, ...], form: str, tmp_path: Path) -> None:
    x, t = np.arange(24, dtype="uint8").reshape(6, 2, 2), np.asarray([0, 1, 2, 0, 1, 2])
    given = {"numbers": t, "column": t[:, None].astype("uint8"), "floats": t.astype("float32")}[form]
    np.savez(tmp_path / "d.npz", **dict(zip(names, (x, given, x[:3], given[:3]), strict=True)), other=t)
    data = load_dataset(tmp_path / "d.npz")
    np.testing.assert_array_equal(data.x_train, x)
    assert (data.t_train.tolist(), data.t_test.tolist(), data.t_train.dtype) == (
        t.tolist(),
        [0, 1, 2],
        np.int64,
    )


def test_test_set_only(tmp_path: Path) -> None:
    x, t = np.zeros((4, 3)), np.asarray([0, 1, 1, 0])
    for names in (("x_test", "t_test"), ("x", "y"), ("images", "labels"), ("arr_0", "arr_1")):
        np.savez(tmp_path / "d.npz", **dict(zip(names, (x, t), strict=True)))
        data = load_dataset(tmp_path / "d.npz", test_only=True)
        assert (data.x_test.shape, data.t_test.tolist(), len(data.x_train)) == ((4, 3), t.tolist(), 0)
        there = ", ".join(map(repr, sorted(names)))
        with pytest.raises(DatasetError, match=rf"no arrays x_train, .*; found {there}"):
            load_dataset(tmp_path / "d.npz")
    np.savez(tmp_path / "d.npz", x=x, t=t[1:])
    with pytest.raises(DatasetError, match="4 test samples and 3 labels; expected as many labels as samples"):
        load_dataset(tmp_path / "d.npz", test_only=True)


def test_text_labels_are_refused_with_a_cure(tmp_path: Path) -> None:
    x, t = np.zeros((4, 3)), np.asarray(["a", "b", "a", "b"])
    np.savez(tmp_path / "d.npz", x_train=x, t_train=t, x_test=x, t_test=t)
    with pytest.raises(
        DatasetError, match=r"t_train.npy of texts; .* names, t_train = numpy.unique\(t_train, return"
    ):
        load_dataset(tmp_path / "d.npz")


def test_targets_may_be_real_numbers(tmp_path: Path) -> None:
    x, t = np.ones((3, 2)), np.asarray([[0.5], [1.5], [-2.0]])
    for names in (("x_test", "t_test"), ("x", "y")):
        np.savez(tmp_path / "d.npz", **dict(zip(names, (x, t), strict=True)))
        found = read_targets(tmp_path / "d.npz")
        np.testing.assert_array_equal(found[0], x)
        np.testing.assert_array_equal(found[1], t)


@pytest.mark.parametrize(("x", "t", "message"), [
    (np.ones((3, 2)), np.ones(2), "3 test samples and 2 targets; expected as many targets as samples"),
    (np.ones((0, 2)), np.ones(0), "0 test samples and 0 targets; expected .* at least one"),
    (np.ones((3, 2)), np.asarray(1.0), "3 test samples and 0 targets"),
    (np.ones(3), np.ones(3), r"x_test of shape \(3,\); expected \(N, …\)"),
])  # fmt: skip
def test_targets_must_fit_the_samples(x: np.ndarray, t: np.ndarray, message: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", x=x, t=t)
    with pytest.raises(DatasetError, match=message):
        read_targets(tmp_path / "d.npz")
