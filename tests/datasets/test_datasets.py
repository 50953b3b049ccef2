"""The data in the package, and files that are not what they should be."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import re
import struct
import tracemalloc
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from backprop import pictures
from backprop.datasets import Dataset, DatasetError, held_back, load_dataset, load_mnist, mnist
from backprop.datasets.mnist import FOLDER
from backprop.inputs import InputWarning

NAMES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
PUBLISHED_MD5 = {
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}


def test_packaged_files_are_the_published_ones() -> None:
    sums = dict(reversed(line.split()) for line in (FOLDER / "SHA256SUMS").read_text().splitlines())
    assert set(sums) == {f"{name}.gz" for name in NAMES}
    for name in NAMES:
        packed = (FOLDER / f"{name}.gz").read_bytes()
        assert hashlib.sha256(packed).hexdigest() == sums[f"{name}.gz"]
        assert hashlib.md5(gzip.decompress(packed)).hexdigest() == PUBLISHED_MD5[name]
    assert "Attribution-ShareAlike 3.0" in (FOLDER / "LICENSE").read_text()


def test_mnist() -> None:
    data = mnist()
    assert (data.name, data.classes, data.sample_size) == ("mnist", 10, 784)
    assert data.x_train.shape == (60000, 28, 28)
    assert data.x_train.dtype == np.uint8
    assert np.bincount(data.t_test).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


def test_load_mnist_as_in_the_book() -> None:
    (x, t), (x_test, _) = load_mnist()
    assert (x.shape, x.dtype, t.shape, t.dtype) == ((60000, 784), np.float32, (60000,), np.int64)
    assert (x.min(), x.max()) == (0.0, 1.0)
    (x, t), (x_test, _) = load_mnist(normalize=False, flatten=False, one_hot_label=True)
    assert (x.shape, x.dtype, t.shape, t.dtype) == ((60000, 1, 28, 28), np.uint8, (60000, 10), np.int64)
    assert x.max() == 255
    assert t.sum(axis=1).tolist() == [1] * 60000
    assert t[0].argmax() == 5
    assert x_test.shape[0] == 10000


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
def test_samples_that_are_no_numbers_are_refused_with_their_own_cure(
    x: np.ndarray, cure: str, tmp_path: Path
) -> None:
    t = np.arange(4) % 2
    np.savez(tmp_path / "d.npz", x_train=x, t_train=t, x_test=x, t_test=t)
    with pytest.raises(DatasetError, match=rf"x_train\.npy of .*; expected a NumPy array .*; .*{cure}"):
        load_dataset(tmp_path / "d.npz")


def idx(array: np.ndarray) -> bytes:
    return struct.pack(f">{1 + array.ndim}I", 0x0800 + array.ndim, *array.shape) + array.tobytes()


def arrays(n: int = 12, m: int = 6) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (k, 4, 4), dtype=np.uint8) for k in (n, m)]
    labels = [np.arange(k, dtype=np.uint8) % 3 for k in (n, m)]
    return [images[0], labels[0], images[1], labels[1]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, array in zip(NAMES, arrays(), strict=True):
        (tmp_path / name).write_bytes(idx(array))
    return tmp_path


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


IMAGES, LABELS = NAMES[0], NAMES[1]
GOOD = idx(arrays()[0])

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


def test_header_that_promises_more_than_there_is_reserves_nothing(folder: Path) -> None:
    (folder / IMAGES).write_bytes(struct.pack(">4I", 0x803, 2**12, 2**10, 2**9) + b"\0" * 1000)
    tracemalloc.start()
    with pytest.raises(DatasetError, match="1,000 bytes after the header; expected 2,147,483,648"):
        load_dataset(folder)
    assert tracemalloc.get_traced_memory()[1] < 5_000_000
    tracemalloc.stop()


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


def named() -> dict[str, np.ndarray]:
    return dict(zip(("x_train", "t_train", "x_test", "t_test"), arrays(), strict=True))


def test_npz(tmp_path: Path) -> None:
    for save in (np.savez, np.savez_compressed):
        save(tmp_path / "data.npz", **named())
        data = load_dataset(tmp_path / "data.npz")
        np.testing.assert_array_equal(data.x_test, arrays()[2])
        assert (data.name, data.classes, data.t_train.dtype) == ("data", 3, np.int64)


def test_npz_one_hot(tmp_path: Path) -> None:
    content = named()
    np.savez(tmp_path / "data.npz", **{**content, "t_train": np.eye(3)[content["t_train"]]})
    np.testing.assert_array_equal(load_dataset(tmp_path / "data.npz").t_train, content["t_train"])


WRONG_NPZ = {
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
        "one-hot labels of 3 classes to train and 5 to test",
    ),
    "flat": ({"x_train": np.zeros(12)}, r"x_train of shape \(12,\); expected \(N, …\)"),
    "mixed": (
        {"x_test": np.zeros((6, 4, 4))},
        "train samples uint8 but test samples float64; expected samples of one dtype",
    ),
}


@pytest.mark.parametrize("wrong", WRONG_NPZ)
def test_wrong_npz(wrong: str, tmp_path: Path) -> None:
    changed, message = WRONG_NPZ[wrong]
    np.savez(tmp_path / "data.npz", **{**named(), **changed})
    with pytest.raises(DatasetError, match=message):
        load_dataset(tmp_path / "data.npz")


def test_an_archive_that_unpacks_to_more_than_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.savez_compressed(
        tmp_path / "a.npz", **{name: np.repeat(a, 100, axis=0) for name, a in named().items()}
    )
    size = sum(info.file_size for info in zipfile.ZipFile(tmp_path / "a.npz").infolist())
    monkeypatch.setattr("backprop.datasets.files.memory", lambda: size)
    load_dataset(tmp_path / "a.npz")
    monkeypatch.setattr("backprop.datasets.files.memory", lambda: size - 1)
    with pytest.raises(DatasetError, match=f"arrays of {size:,} bytes; expected at most the {size - 1:,} of"):
        load_dataset(tmp_path / "a.npz")


def test_npz_without_an_array(tmp_path: Path) -> None:
    content = named()
    del content["t_test"]
    np.savez(tmp_path / "data.npz", **content)
    with pytest.raises(DatasetError, match="no array t_test; expected .*; there are") as caught:
        load_dataset(tmp_path / "data.npz")
    assert "; x_test (or X_test, test_images, test_x); t_test (or y_test, Y_test, " in str(caught.value)
    assert "permutation" not in str(caught.value)


@pytest.mark.parametrize("names", [("x_train", "y_train"), ("x", "y")])
def test_data_that_is_not_split_is_told_how(
    names: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    x, t = arrays(n=30)[:2]
    np.savez("whole.npz", **dict(zip(names, (x, t), strict=True)))
    with pytest.raises(DatasetError, match=r"x_test, t_test; expected .* to hold a fifth back: ") as caught:
        load_dataset("whole.npz")
    exec(str(caught.value).partition("a fifth back: ")[2], {"numpy": np, "x": x, "t": t})
    data = load_dataset("data.npz")
    assert (len(data.t_train), len(data.t_test)) == (24, 6)
    pairs = {(row.tobytes(), int(k)) for row, k in zip(x, t, strict=True)}
    for rows, labels in ((data.x_train, data.t_train), (data.x_test, data.t_test)):
        assert {(row.tobytes(), int(k)) for row, k in zip(rows, labels, strict=True)} <= pairs


@pytest.mark.parametrize(
    ("train", "test", "said"),
    [
        ([1, 2, 3], [1, 3], "classes 0 to 3, but no training sample of class 0; to count from 0, .*: t - 1$"),
        ([0, 3, 0], [3], "no training sample of classes 1, 2; to number the classes anew: "),
        ([10, 30, 20], [30], "no training sample of classes 0, 1, 2 and 25 more; to number"),
        ([0, 2], [1, 2], "no training sample of class 1; the test data has 1 of them, which cannot be got"),
    ],
)
def test_classes_without_a_sample_are_told(
    train: list[int], test: list[int], said: str, tmp_path: Path
) -> None:
    t_train, t_test = np.asarray(train * 12), np.asarray(test)
    content = {"x_train": np.zeros((len(t_train), 2)), "x_test": np.zeros((len(test), 2))}

    def loaded(t_train: np.ndarray, t_test: np.ndarray) -> Dataset:
        np.savez(tmp_path / "d.npz", t_train=t_train, t_test=t_test, **content)
        return load_dataset(tmp_path / "d.npz")

    with pytest.warns(InputWarning, match=said) as caught:
        assert loaded(t_train, t_test).classes == max(train) + 1
    cure = str(caught[0].message).partition("anew: ")[2]
    if cure:
        values = {"numpy": np, "t_train": t_train, "t_test": t_test}
        exec(cure, values)
        data = loaded(values["t_train"], values["t_test"])
        assert data.classes == len(set(train))
        assert [sorted(set(train))[k] for k in data.t_test] == test


def test_pictures_are_told_how_they_become_data(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    folder = tmp_path / "photos" / "cats"
    folder.mkdir(parents=True)
    pixels = np.zeros((40, 40), "uint8")
    pixels[10:30, 18:22] = 255
    image.fromarray(pixels).save(folder / "a.PNG")
    for place in (folder, folder.parent, folder / "a.PNG"):
        with pytest.raises(
            DatasetError, match="pictures?; expected an .npz archive made of them: "
        ) as caught:
            load_dataset(place)
    names = {name: getattr(pictures, name) for name in ("MNIST", "Style", "fitted", "read_picture")}
    told = re.search(r"fitted\(.*?\)\.pixels(?= for)", str(caught.value))
    assert told
    assert eval(told[0], {"file": folder / "a.PNG", **names}).shape == (1, 28, 28)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 not really", b"<html>", b"\x93NUMPY"])
def test_no_archive(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "data.npz").write_bytes(content)
    with pytest.raises(DatasetError, match="not a readable zip archive"):
        load_dataset(tmp_path / "data.npz")


@pytest.mark.parametrize("cut", [0, 4, 20, 100, 130])
def test_damaged_member(cut: int, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "data.npz", "w") as archive:
        for name, array in named().items():
            buffer = io.BytesIO()
            np.save(buffer, array)
            content = buffer.getvalue()
            archive.writestr(f"{name}.npy", content[:cut] if name == "x_train" else content)
    with pytest.raises(DatasetError, match=r"x_train\.npy"):
        load_dataset(tmp_path / "data.npz")


def test_damaged_headers(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    np.save(buffer, named()["x_train"])
    content, rng = buffer.getvalue(), np.random.default_rng(0)
    rest = {}
    for name, array in named().items():
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


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="no /dev/zero on this system")
def test_neither_file_nor_folder() -> None:
    with pytest.raises(DatasetError, match="/dev/zero: no such file or folder"):
        load_dataset("/dev/zero")


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_flipped_bits_in_an_archive(save: Callable[..., None], tmp_path: Path) -> None:
    path = tmp_path / "data.npz"
    save(path, **named())
    content = bytearray(path.read_bytes())
    for i in range(0, len(content), 7):
        content[i] ^= 0x10
        path.write_bytes(content)
        with contextlib.suppress(DatasetError):
            load_dataset(path)
        content[i] ^= 0x10


@pytest.mark.parametrize("count", [1, 7, 20, 33])
def test_every_class_holds_its_share_back(count: int) -> None:
    rng = np.random.default_rng(count)
    t = rng.permutation(np.repeat([0, 1, 2], [40, 18, 2]))
    out = held_back(t, count, np.arange(60))
    assert len(set(out.tolist())) == count
    held, sizes = np.bincount(t[out], minlength=3), np.asarray([40, 18, 2])
    assert (held < sizes).all()
    assert (np.abs(held - sizes * count / 60) <= 1.0).all()


def test_too_few_samples_to_hold_back() -> None:
    with pytest.raises(
        ValueError, match="9 of 10 samples cannot be held back: each of 2 classes has to keep"
    ):
        held_back(np.arange(10) % 2, 9, np.arange(10))


OTHERS = {
    "Keras": ("x_train", "y_train", "x_test", "y_test"),
    "scikit-learn": ("X_train", "y_train", "X_test", "y_test"),
    "MedMNIST": ("train_images", "train_labels", "test_images", "test_labels"),
}


@pytest.mark.parametrize("names", OTHERS.values(), ids=OTHERS)
@pytest.mark.parametrize("form", ["numbers", "column", "floats"])
def test_names_and_labels_of_others(names: tuple[str, ...], form: str, tmp_path: Path) -> None:
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


def test_a_test_set_alone(tmp_path: Path) -> None:
    x, t = np.zeros((4, 3)), np.asarray([0, 1, 1, 0])
    for names in (("x_test", "t_test"), ("x", "y"), ("images", "labels"), ("arr_0", "arr_1")):
        np.savez(tmp_path / "d.npz", **dict(zip(names, (x, t), strict=True)))
        data = load_dataset(tmp_path / "d.npz", alone=True)
        assert (data.x_test.shape, data.t_test.tolist(), len(data.x_train)) == ((4, 3), t.tolist(), 0)
        there = ", ".join(map(repr, sorted(names)))
        with pytest.raises(DatasetError, match=rf"no arrays x_train, .*; there are {there}"):
            load_dataset(tmp_path / "d.npz")
    np.savez(tmp_path / "d.npz", x=x, t=t[1:])
    with pytest.raises(DatasetError, match="4 test samples and 3 labels; expected as many"):
        load_dataset(tmp_path / "d.npz", alone=True)


def test_texts_as_labels_are_refused_with_a_cure(tmp_path: Path) -> None:
    x, t = np.zeros((4, 3)), np.asarray(["a", "b", "a", "b"])
    np.savez(tmp_path / "d.npz", x_train=x, t_train=t, x_test=x, t_test=t)
    with pytest.raises(
        DatasetError, match=r"t_train.npy of texts; .* names, t_train = numpy.unique\(t_train, return"
    ):
        load_dataset(tmp_path / "d.npz")


def idx(array: np.ndarray) -> bytes:
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.astype("u1").tobytes()


def test_longer_names_in_a_folder(tmp_path: Path) -> None:
    x, t = np.arange(24).reshape(6, 2, 2), np.asarray([0, 1, 2, 0, 1, 2])
    for part in ("train", "test"):
        (tmp_path / f"emnist-letters-{part}-images-idx3-ubyte").write_bytes(idx(x))
        (tmp_path / f"emnist-letters-{part}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(t)))
    with pytest.warns(InputWarning, match="EMNIST's images lie transposed in its files: turned upright"):
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
    assert (data.turned, mixed.turned) == (("x_train", "x_test"), ("x_train",))


def test_four_archives_in_a_folder(tmp_path: Path) -> None:
    x, t = np.arange(24, dtype="uint8").reshape(6, 2, 2), np.asarray([0, 1, 2, 0, 1, 2], "uint8")
    for part in ("train", "test"):
        np.savez(tmp_path / f"kmnist-{part}-imgs.npz", x)
        np.savez(tmp_path / f"kmnist-{part}-labels.npz", t)
    data = load_dataset(tmp_path)
    assert (data.x_test.tolist(), data.t_train.tolist()) == (x.tolist(), t.tolist())
    (tmp_path / "kmnist-test-labels.npz").unlink()
    with pytest.raises(DatasetError, match=r"0 files named …test-labels\.npz; expected one"):
        load_dataset(tmp_path)


def test_what_a_folder_has_is_listed(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no file train-images.* there is nothing"):
        load_dataset(tmp_path)
    (tmp_path / "mine.csv").write_text("")
    with pytest.raises(DatasetError, match="there are 'mine.csv'"):
        load_dataset(tmp_path)


def test_rare_classes_leave_the_rest_to_the_others() -> None:
    t = np.r_[np.zeros(95, int), 1:6]
    out = held_back(t, 50, np.arange(100))
    assert len(set(out.tolist())) == 50
    assert (np.bincount(t[out], minlength=6)[1:] == 0).all()
