"""Checkpoint files: written whole, read checked, and refused otherwise."""

from __future__ import annotations

import copy
import json
import os
import pickle
import shutil
import stat
import struct
import tracemalloc
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backprop import (
    TwoLayerNet,
)
from backprop.files import TEMPORARY, replace_file, sweep
from backprop.saving.checkpoint import (
    UNSIGNED,
    Checkpoint,
    CheckpointError,
    read_checkpoint,
    read_contents,
    write_checkpoint,
)
from backprop.saving.network import load_network, network_arrays, save_network

SMALL = Checkpoint({"step": 3}, {"W": np.arange(3, dtype="float32"), "n": np.asarray(2)})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a.safetensors"
    write_checkpoint(path, SMALL)
    return path


def signed(header: bytes, payload: bytes = b"") -> bytes:
    """A file with this header, in which the correct SHA-256 replaces UNSIGNED."""
    data = struct.pack("<Q", len(header)) + header + payload
    return data.replace(UNSIGNED.encode(), sha256(data).hexdigest().encode(), 1)


def header(tensors: str, description: str = '{"format": 1}') -> bytes:
    metadata = f'"__metadata__":{{"backprop":{json.dumps(description)},"sha256":"{UNSIGNED}"}}'
    return f"{{{metadata}{tensors}}}".encode()


def refused(path: Path, match: str = "is not a readable checkpoint") -> None:
    for read in (read_checkpoint, read_contents):
        with pytest.raises(CheckpointError, match=match):
            read(path)


def test_write_and_read(file: Path) -> None:
    checkpoint = read_checkpoint(file)
    assert checkpoint.description == {"step": 3}
    assert checkpoint.arrays.keys() == {"W", "n"}
    for name, array in SMALL.arrays.items():
        assert (checkpoint.arrays[name].dtype, checkpoint.arrays[name].shape) == (array.dtype, array.shape)
        np.testing.assert_array_equal(checkpoint.arrays[name], array)


STORED: dict[str, Any] = {
    "Fortran's order": np.asfortranarray(np.arange(12.0).reshape(3, 4)),
    "every second column": np.arange(12.0).reshape(3, 4)[:, ::2],
    "backwards": np.arange(12.0)[::-1],
    "a column of records": np.asarray([(1, 2.0), (3, 4.0)], [("a", "i4"), ("b", "f8")])["b"],
    "a scalar": np.float32(3.0),
    "big-endian": np.arange(3, dtype=">f8"),
    "none at all": np.zeros((0, 3)),
    "what looks like the digest's place": np.frombuffer(b'"sha256":"' + 64 * b"0", "u1"),
}


@pytest.mark.parametrize("array", STORED.values(), ids=STORED)
def test_arrays_of_every_layout_are_restored(array: Any, tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "a", Checkpoint({}, {"a": array}))
    found = read_checkpoint(tmp_path / "a").arrays["a"]
    assert (found.shape, found.dtype.kind, found.dtype.itemsize) == (
        array.shape, array.dtype.kind, array.dtype.itemsize,
    )  # fmt: skip
    np.testing.assert_array_equal(found, array)


def test_a_file_without_arrays(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "a", Checkpoint({"step": 1}, {}))
    assert read_checkpoint(tmp_path / "a") == Checkpoint({"step": 1}, {})
    assert read_contents(tmp_path / "a").arrays == {}
    (tmp_path / "a").write_bytes((tmp_path / "a").read_bytes()[:-1])
    refused(tmp_path / "a", "it is not a safetensors file, or is truncated")


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_description_with_nan_is_not_written(number: float, file: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_checkpoint(file, Checkpoint({"loss": number}, {}))
    assert read_checkpoint(file).description == SMALL.description


def test_the_file_is_a_safetensors_file(file: Path) -> None:
    from safetensors.numpy import load_file

    assert load_file(file).keys() == {"W", "n"}


def test_contents_without_arrays(file: Path) -> None:
    contents = read_contents(file)
    assert contents.arrays == {"W": ("F32", (3,), 12), "n": ("I64", (), 8)}
    assert (contents.description, contents.size) == ({"step": 3}, file.stat().st_size)
    data = file.read_bytes()
    signature = contents.sha256.encode()
    assert data.count(signature) == 1
    assert sha256(data.replace(signature, UNSIGNED.encode())).hexdigest() == contents.sha256


def test_a_signed_file_of_our_own_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(signed(header(',"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}'), b"ab"))
    assert read_checkpoint(path).arrays["a"].tobytes() == b"ab"


def test_every_bit_counts(file: Path) -> None:
    data = file.read_bytes()
    for bit in range(8 * len(data)):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        file.write_bytes(flipped)
        refused(file)


def test_every_byte_is_needed(file: Path) -> None:
    data = file.read_bytes()
    for length in range(len(data)):
        file.write_bytes(data[:length])
        refused(file)
    file.write_bytes(data + b"\0")
    refused(file)


A = '"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}'


MALFORMED = {
    "no JSON": b'{"sha256":"%s"' % UNSIGNED.encode(),
    "a list": b'["sha256":"%s"]' % UNSIGNED.encode(),
    "a key twice": header(f",{A},{A}"),
    "overlapping": header(f',{A},"b":{{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}'),
    "a hole": header(',"b":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}'),
    "past the end": header(',"b":{"dtype":"U8","shape":[9],"data_offsets":[0,9]}'),
    "negative": header(',"b":{"dtype":"U8","shape":[-2],"data_offsets":[2,0]}'),
    "a huge shape": header(f',"b":{{"dtype":"U8","shape":[{2**62},{2**62}],"data_offsets":[0,2]}}'),
    "no such dtype": header(',"a":{"dtype":"OBJECT","shape":[2],"data_offsets":[0,2]}'),
    "no dtype of NumPy": header(',"a":{"dtype":"F8_E4M3","shape":[2],"data_offsets":[0,2]}'),
    "one offset": header(',"a":{"dtype":"U8","shape":[2],"data_offsets":[0]}'),
    "an offset in words": header(',"a":{"dtype":"U8","shape":[2],"data_offsets":[0,"2"]}'),
    "infinitely many": header(',"a":{"dtype":"U8","shape":[1e999],"data_offsets":[0,2]}'),
    "no offsets": header(',"a":{"dtype":"U8","shape":[2]}'),
    "deep": header("," + '{"a":' * 10**5),
    "a deep description": header(f",{A}", "[" * 10**5),
    "a description twice": header(f",{A}", '{"format": 1, "format": 1}'),
    "a description of no number": header(f",{A}", '{"format": 1, "loss": NaN}'),
    "no format": header(f",{A}", "{}"),
    "a format in words": header(f",{A}", '{"format": "1"}'),
    "a description of an infinite number": header(f",{A}", '{"format": 1, "loss": 1e999}'),
    "a list as description": header(f",{A}", "[1]"),
}


NOT_WITHIN = ("past the end", "negative", "a huge shape", "one offset", "infinitely many", "no offsets")


@pytest.mark.parametrize("text", [MALFORMED[name] for name in NOT_WITHIN], ids=NOT_WITHIN)
def test_arrays_outside_the_file_are_refused_unread(text: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(signed(text, b"ab"))
    refused(path, "its header cannot be read")


def test_a_header_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", 2**30))
        file.truncate(8 + 2**30)
    tracemalloc.start()
    with pytest.raises(
        CheckpointError, match="its header has 1,073,741,824 bytes; expected at most 8,388,608$"
    ):
        read_contents(path)
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()


def test_a_file_that_is_larger_than_the_memory_is_not_read(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backprop.saving.checkpoint.memory", lambda: 100)
    with pytest.raises(CheckpointError, match=f"it has {file.stat().st_size:,} bytes; expected at most 100$"):
        read_checkpoint(file)
    monkeypatch.setattr("backprop.saving.checkpoint.memory", lambda: None)
    read_checkpoint(file)


@pytest.mark.skipif(os.name != "posix", reason="FIFOs as POSIX has them")
def test_fifos_and_folders_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a")
    refused(tmp_path / "a", "readable checkpoint: it is a FIFO; expected a file$")
    refused(tmp_path, "readable checkpoint: it is a folder; expected a file$")


@pytest.mark.parametrize("text", MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_header_is_refused(text: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(signed(text, b"ab"))
    with pytest.raises(CheckpointError, match="is not a readable checkpoint"):
        read_checkpoint(path)


def test_refusals_name_the_cause(file: Path) -> None:
    data = file.read_bytes()
    for part in (data[:7], data[:100], data[:-1]):
        file.write_bytes(part)
        whole = len(part) > 1 + len(data) // 2
        why = "is damaged or was changed: its SHA" if whole else "is not a safetensors file, or is truncated$"
        refused(file, f"readable checkpoint: it {why}")
    file.write_bytes(signed(MALFORMED["no such dtype"], b"ab"))
    with pytest.raises(CheckpointError, match="readable checkpoint: its arrays cannot be read \\("):
        read_checkpoint(file)
    file.write_bytes(
        signed(b'{"__metadata__":{"more":NaN,"backprop":"{}","sha256":"%s"}}' % UNSIGNED.encode())
    )
    refused(file, "its header cannot be read \\(NaN is not a JSON number\\)$")
    file.write_bytes(signed(header("", "{}")))
    refused(file, "its header cannot be read \\('format'\\)$")


def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(signed(header(f",{A}", '{"format": 3}'), b"ab"))
    refused(path, "it has format 3, and this backprop reads 2; install a newer backprop")


def mutations(data: bytes, count: int) -> Any:
    """Random changes to a file: bytes set, removed, inserted, moved; half of them signed again."""
    rng = np.random.default_rng(0)
    for i in range(count):
        changed = bytearray(data)
        for _ in range(rng.integers(1, 4)):
            at, n = int(rng.integers(len(changed))), int(rng.integers(1, 9))
            kind = rng.integers(4)
            if kind == 0:
                changed[at] = int(rng.integers(256))
            elif kind == 1:
                del changed[at : at + n]
            elif kind == 2:
                changed[at:at] = rng.bytes(n)
            else:
                changed[at : at + n] = b'0123456789{}[]",:'[n : n + n]
        unsigned = data[: data.index(b'"sha256":"') + 10]
        place = len(unsigned)
        if i % 2 and changed[:place] == unsigned:
            changed[place : place + 64] = UNSIGNED.encode()
            changed[place : place + 64] = sha256(changed).hexdigest().encode()
        yield bytes(changed)


def test_random_mutations(file: Path) -> None:
    """Reading gives a checkpoint or a CheckpointError, and takes little memory."""
    data = file.read_bytes()
    count = int(os.environ.get("TEST_MUTATIONS", "1000"))
    tracemalloc.start()
    try:
        for changed in mutations(data, count):
            if changed == data:
                continue
            file.write_bytes(changed)
            try:
                read_checkpoint(file)
            except CheckpointError:
                continue
            assert sha256(changed).hexdigest() != sha256(data).hexdigest()  # signed again, and well formed
        assert tracemalloc.get_traced_memory()[1] < 2 * len(data) + 100 * 2**20
    finally:
        tracemalloc.stop()


def test_a_large_file_takes_twice_its_size(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    write_checkpoint(path, Checkpoint({}, {"a": np.zeros(2**22, "float64")}))
    size = path.stat().st_size
    for read, most in ((read_checkpoint, 2 * size), (read_contents, 0)):
        tracemalloc.start()
        read(path)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < most + 8 * 2**20


class Planted:
    """Creates a file when unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("kind", ["pickle", "object array", "empty", "text", "npz"])
def test_a_file_that_is_not_a_checkpoint_is_refused_and_never_run(kind: str, tmp_path: Path) -> None:
    path, planted = tmp_path / "a.safetensors", tmp_path / "planted"
    with path.open("wb") as stream:
        if kind == "pickle":
            pickle.dump(Planted(planted), stream)
        elif kind == "object array":
            np.save(stream, np.asarray([Planted(planted)], dtype=object), allow_pickle=True)
        elif kind == "npz":
            np.savez(stream, W=np.ones(3))
        elif kind == "text":
            stream.write(b"<html>not found</html>" * 100)
    refused(path)
    assert not planted.exists()


def test_a_foreign_safetensors_file_is_refused(tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    path = tmp_path / "a.safetensors"
    save_file({"W": np.ones(3)}, path)
    refused(path, "readable checkpoint: it was not written by backprop: it has no SHA-256$")


def test_a_failed_write_leaves_the_old_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = file.read_bytes()

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"a\.safetensors cannot be written: no space left.*needs [\d,]+ bytes"):
        write_checkpoint(file, SMALL)
    assert file.read_bytes() == old
    assert os.listdir(file.parent) == [file.name]


def test_a_failed_cleanup_does_not_hide_the_error(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    def forbidden(*_: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "fsync", full)
    monkeypatch.setattr(os, "unlink", forbidden)
    with pytest.raises(OSError, match="cannot be written: no space left on device"):
        write_checkpoint(file, SMALL)


@pytest.mark.skipif(os.name != "posix", reason="elsewhere a folder cannot be flushed")
def test_the_file_is_flushed_then_renamed_then_its_folder_is_flushed(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    fsync, replace = os.fsync, os.replace

    def flushing(handle: int) -> None:
        (temporary,) = [name for name in os.listdir(file.parent) if name != file.name] or [""]
        calls.append("folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else temporary)
        fsync(handle)

    def replacing(source: str, target: Path) -> None:
        calls.append(f"{Path(source).name} to {target.name}")
        replace(source, target)

    monkeypatch.setattr(os, "fsync", flushing)
    monkeypatch.setattr(os, "replace", replacing)
    write_checkpoint(file, SMALL)
    assert calls == [calls[0], f"{calls[0]} to {file.name}", "folder"]
    assert calls[0].startswith(f".{file.name}-")
    assert calls[0].endswith(TEMPORARY)


def test_saving_over_the_loaded_file(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save_network(path, TwoLayerNet(4, 3, 2, rng=0))
    first = network_arrays(load_network(path))
    save_network(path, load_network(path))
    np.testing.assert_equal(network_arrays(load_network(path)), first)


def test_temporaries_are_swept(file: Path) -> None:
    (file.parent / f".a.safetensors-x1{TEMPORARY}").write_bytes(b"half")
    (file.parent / "mine.tmp").write_bytes(b"of another program")
    stays = f".folder{TEMPORARY}"
    (file.parent / stays).mkdir()  # cannot be unlinked, and keeps no other from that
    (file.parent / f".z{TEMPORARY}").touch()
    sweep(file.parent)
    assert sorted(os.listdir(file.parent)) == [stays, "a.safetensors", "mine.tmp"]


def test_a_new_file_has_the_usual_permissions(file: Path) -> None:
    usual = file.parent / "usual"
    usual.touch()
    assert file.stat().st_mode == usual.stat().st_mode
    file.chmod(0o640)
    replace_file(file, b"new")
    assert file.stat().st_mode & 0o777 == 0o640


def changed(checkpoint: Checkpoint, place: tuple[Any, ...], value: Any) -> Checkpoint:
    """The checkpoint with this value at a path in its description."""
    description = copy.deepcopy(checkpoint.description)
    within = description
    for key in place[:-1]:
        within = within[key]
    within[place[-1]] = value
    return Checkpoint(description, checkpoint.arrays)


def test_a_folder_that_is_missing_or_a_file(tmp_path: Path) -> None:
    for path in (tmp_path / "no" / "a.safetensors", tmp_path):
        with pytest.raises(OSError, match="cannot be written"):
            write_checkpoint(path, SMALL)
    shutil.rmtree(tmp_path)
