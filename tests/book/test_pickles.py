"""Pickles of every protocol and age are read, and nothing in a pickle is run."""

from __future__ import annotations

import datetime
import os
import pickle
import struct
import tracemalloc
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backprop.book.pickles import NAMES, PickleError, read_pickle, write_pickle
from backprop.files import FileError

ARRAYS = {
    "W1": np.arange(6.0).reshape(2, 3),
    "float32": np.asarray([[1.5], [-2.0]], np.float32),
    "half": np.asarray([0.25], np.float16),
    "labels": np.asarray([0, 255], np.uint8),
    "flags": np.asarray([True, False]),
    "by columns": np.asfortranarray(np.arange(6).reshape(2, 3)),
    "a part": np.arange(12.0).reshape(3, 4)[::2, 1:3],
    "other order": np.asarray([1.0, -2.5], ">f8"),
    "empty": np.empty((0, 3)),
    "0-d": np.asarray(7),
}


@pytest.fixture
def read(tmp_path: Path) -> Callable[[bytes], dict[str, Any]]:
    def read(data: bytes) -> dict[str, Any]:
        path = tmp_path / "params.pkl"
        path.write_bytes(data)
        return read_pickle(path)

    return read


def same(found: dict[str, Any], expected: dict[str, Any]) -> None:
    assert list(found) == list(expected)
    for name, value in expected.items():
        assert type(found[name]) is np.ndarray, name
        np.testing.assert_array_equal(found[name], value, err_msg=name)
        assert found[name].dtype == value.dtype.newbyteorder("="), name
        assert found[name].flags.writeable, name


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_every_protocol(protocol: int, read: Callable[[bytes], dict[str, Any]]) -> None:
    same(read(pickle.dumps(ARRAYS, protocol)), ARRAYS)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_ordered_dicts(protocol: int, read: Callable[[bytes], dict[str, Any]]) -> None:
    same(read(pickle.dumps(OrderedDict(ARRAYS), protocol)), ARRAYS)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickles_of_old_and_new_numpy(protocol: int, read: Callable[[bytes], dict[str, Any]]) -> None:
    data = pickle.dumps({"W": ARRAYS["W1"]}, protocol)
    if protocol >= 4:
        data = data[:2] + data[11:]  # without the frame, which counts bytes
    for ours, theirs in ((b"numpy._core.", b"numpy.core."), (b"numpy.core.", b"numpy._core.")):
        renamed = _renamed(data, ours, theirs)
        assert (renamed != data) == (ours in data)
        same(read(renamed), {"W": ARRAYS["W1"]})


def _renamed(data: bytes, old: bytes, new: bytes) -> bytes:
    """A pickle with other module names."""
    for module in (b"multiarray", b"numeric"):
        name, other = old + module, new + module
        for length in ("<B", "<I"):  # short and long texts
            data = data.replace(
                struct.pack(length, len(name)) + name, struct.pack(length, len(other)) + other
            )
        data = data.replace(b"c" + name + b"\n", b"c" + other + b"\n")
    return data


def test_pickles_of_python_2(read: Callable[[bytes], dict[str, Any]]) -> None:
    """As Python 2 wrote them: texts, and the bytes of arrays, are both its `str`."""
    content = struct.pack("<2d", 1.5, -2.0)
    data = (
        b"(dp0\nS'W1'\np1\ncnumpy.core.multiarray\n_reconstruct\np2\n(cnumpy\nndarray\np3\n(I0\ntp4\n"
        b"S'b'\np5\ntp6\nRp7\n(I1\n(I2\ntp8\ncnumpy\ndtype\np9\n(S'f8'\np10\nI0\nI1\ntp11\nRp12\n"
        b"(I3\nS'<'\np13\nNNNI-1\nI-1\nI0\ntp14\nbI00\nS" + _quoted(content) + b"\np15\ntp16\nbs."
    )
    same(read(data), {"W1": np.asarray([1.5, -2.0])})


def _quoted(content: bytes) -> bytes:
    return b"'" + b"".join(b"\\x%02x" % byte for byte in content) + b"'"


def test_what_is_written_is_a_plain_pickle(tmp_path: Path) -> None:
    write_pickle(tmp_path / "params.pkl", {"W": ARRAYS["W1"]})
    same(pickle.loads((tmp_path / "params.pkl").read_bytes()), {"W": ARRAYS["W1"]})
    same(read_pickle(tmp_path / "params.pkl"), {"W": ARRAYS["W1"]})


class Calls:
    """An object whose pickle calls a function."""

    def __init__(self, function: Any, *args: Any) -> None:
        self.call = function, args

    def __reduce__(self) -> tuple[Any, ...]:
        return self.call


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize(("function", "args", "named"), [
    (os.system, ("touch ran",), f"{os.name}.system"),
    (exec, ("open('ran', 'w')",), "builtins.exec"),
    (eval, ("open('ran', 'w')",), "builtins.eval"),
    (open, ("ran", "w"), "io.open"),
    (getattr, (np, "load"), "builtins.getattr"),
    (np.load, ("ran",), "numpy.load"),
    (np.fromfile, ("ran",), "numpy.fromfile"),
])  # fmt: skip
def test_code_is_refused_and_not_run(
    protocol: int,
    function: Any,
    args: tuple[Any, ...],
    named: str,
    read: Callable[[bytes], dict[str, Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    args = tuple("x" if arg is np else arg for arg in args)
    data = pickle.dumps({"W": Calls(function, *args)}, protocol)
    known = named if protocol > 2 else named.replace("builtins", "__builtin__").replace("io.", "io.")
    with pytest.raises(
        PickleError, match="it names .*, which was not run; expected a dict of NumPy arrays only"
    ) as e:
        read(data)
    name = function.__name__
    assert f".{name}," in str(e.value) or known in str(e.value)
    assert not Path("ran").exists()


@pytest.mark.parametrize("value", [
    datetime.date(2026, 1, 1), complex(1, 2), np.random.default_rng(0), np.float64, b"bytes".decode,
    np.asarray([None, 1], object), np.asarray(["a"]), np.asarray([1j]), np.zeros(1, [("a", "f8")]),
    np.asarray(["2026-01-01"], "M8[D]"), np.float64(1.0), 1.0, "text", b"bytes", [np.zeros(1)], {"W": np.zeros(1)},
    None, np.dtype("f8"), np.ndarray, np.zeros(1).view(np.recarray),
])  # fmt: skip
@pytest.mark.parametrize("protocol", [2, 5])
def test_other_objects_are_refused(
    value: Any, protocol: int, read: Callable[[bytes], dict[str, Any]]
) -> None:
    with pytest.raises(PickleError):
        read(pickle.dumps({"W": value}, protocol))


@pytest.mark.parametrize(("data", "message"), [
    (pickle.dumps([1, 2]), "expected a dict of arrays by name, got list"),
    (pickle.dumps(ARRAYS["W1"]), "expected a dict of arrays by name, got a single array"),
    (pickle.dumps({1: 2}), "expected a dict of arrays by name, got a name of int"),
    (pickle.dumps({1: 2}, 0), "expected a dict of arrays by name, got a name of int"),
    (pickle.dumps({"W": [1, 2]}), "expected a NumPy array for W, got list"),
    (pickle.dumps({"W": {1, 2}}), "it is no pickle, or a damaged one"),
    (pickle.dumps({"W": ARRAYS["W1"]})[:-20], "it is no pickle, or a damaged one"),
    (b"", r"it is no pickle, or a damaged one \(it ends too early\)$"),
    (pickle.dumps(ARRAYS)[:-1], r"it is no pickle, or a damaged one \(it ends too early\)$"),
    (pickle.dumps({"W": np.asarray([None, 1], object)}), "expected an array of numbers for W, got one of objects"),
    (pickle.dumps({"W": np.asarray(["a"])}), "expected an array of numbers for W, got the dtype 'U1'"),
    (pickle.dumps({"W": OrderedDict()}), "expected a NumPy array for W, got dict"),
    (
        b"ccollections\nOrderedDict\n((lp0\n(lp1\nS'W'\naI1\naatR.",  # as Python 2 writes it
        r"expected a dict of arrays by name, got OrderedDict; save dict\(params\)",
    ),
    (b"no pickle", "it is no pickle, or a damaged one"),
    (b"(dS'W'\nPsomewhere\ns.", "it refers to an object outside the file"),
    (b"\x80\x02}X\x01\x00\x00\x00W\x82\x01s.", "it names the class of number 1, which was not looked up"),
    (b"\x80\x05}X\x01\x00\x00\x00W\x96\xff\xff\xff\xff\xff\xff\x00\x00.", "it is no pickle, or a damaged one"),
])  # fmt: skip
def test_damaged_and_hostile_pickles(
    data: bytes, message: str, read: Callable[[bytes], dict[str, Any]]
) -> None:
    with pytest.raises(PickleError, match=rf"params\.pkl: {message}"):
        read(data)


BYTES = b"C" + bytes([16]) + struct.pack("<2d", 1.0, 2.0)
DTYPE = b"cnumpy\ndtype\n(X\x02\x00\x00\x00f8K\x00K\x01tR(K\x03X\x01\x00\x00\x00<tb"
EMPTY = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tC\x01btR"


def state(shape: bytes, dtype: bytes = DTYPE, content: bytes = BYTES) -> bytes:
    """An array with this state, as the value of W."""
    return b"\x80\x03}X\x01\x00\x00\x00W" + EMPTY + b"(K\x01" + shape + dtype + b"\x89" + content + b"tbs."


def test_states_of_arrays(read: Callable[[bytes], dict[str, Any]]) -> None:
    """The pickles made here by hand are right where nothing in them is wrong."""
    same(read(state(b"(K\x02t")), {"W": np.asarray([1.0, 2.0])})


HUGE = b"J\xff\xff\xff\x7f"


@pytest.mark.parametrize("data", [
    state(b"(K\x03t"),  # more entries than bytes
    state(b"(" + HUGE + HUGE + b"t"),
    state(b"(K\x02t", dtype=b"K\x01"),
    state(b"(K\x02t", content=b"K\x01"),
    state(b"X\x01\x00\x00\x00a"),
    state(b"(K\x02t", dtype=DTYPE.replace(b"f8", b"O8")),
    state(b"(K\x02t", dtype=DTYPE.replace(b"f8", b"V8")),
    state(b"(K\x02t").replace(b"cnumpy\nndarray\n", b"cnumpy\ndtype\n"),
    b"\x80\x02}X\x01\x00\x00\x00Wcnumpy\nndarray\n(" + HUGE + b"tRs.",  # an array without content
    b"\x80\x02}X\x01\x00\x00\x00Wc_codecs\nencode\n(X\x01\x00\x00\x00aX\x05\x00\x00\x00utf-8tRs.",
])  # fmt: skip
def test_arrays_with_a_wrong_state(data: bytes, read: Callable[[bytes], dict[str, Any]]) -> None:
    with pytest.raises(PickleError, match=r"params\.pkl: "):
        read(data)


def test_a_pickle_cannot_change_what_the_next_one_means(read: Callable[[bytes], dict[str, Any]]) -> None:
    """BUILD sets attributes of any object, so also of what a name stands for."""
    for name in NAMES:
        module, _, last = name.rpartition(".")
        head = f"c{module}\n{last}\n".encode()
        for attribute in (b"meaning", b"name", b"__setstate__", b"__class__"):
            text = b"X" + struct.pack("<I", len(attribute)) + attribute
            data = b"\x80\x02}X\x01\x00\x00\x00W" + head + b"N}" + text + b"K\x01s\x86bs."
            with suppress(PickleError):
                read(data)
            same(read(state(b"(K\x02t")), {"W": np.asarray([1.0, 2.0])})


def nested(first: bytes, pair: bytes) -> bytes:
    """An object of the object before it twice, 60 deep: 2⁶⁰ entries, if one walked them."""
    return first + b"q\x00" + b"".join(pair % (i, i) + b"q%c" % (i + 1) for i in range(60))


TUPLES, LISTS = nested(b")", b"h%ch%c\x86"), nested(b"]", b"](h%ch%ce")


@pytest.mark.parametrize("data", [
    b"\x80\x02}X\x01\x00\x00\x00W" + LISTS + b"s.",
    b"\x80\x02}" + TUPLES + b"Ks.",  # as a name, and so to be hashed
    b"\x80\x02}(" + TUPLES + b"K\x01u.",
    b"\x80\x02(" + TUPLES + b"K\x01d.",
    b"\x80\x04(" + TUPLES + b"\x91.",
    b"\x80\x04\x8f(" + TUPLES + b"\x90.",
    state(b"(K\x02t", dtype=LISTS),
    state(b"(K\x02t", dtype=b"cnumpy\ndtype\n(" + LISTS + b"tR}b"),
    state(LISTS),
    state(b"(K\x02t", content=LISTS),
])  # fmt: skip
def test_a_nested_pickle_takes_no_time(data: bytes, read: Callable[[bytes], dict[str, Any]]) -> None:
    with pytest.raises(PickleError):
        read(data)


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value)) + value.encode()


LARGE = 2**20
CONTENT = b"B" + struct.pack("<I", LARGE) + bytes(LARGE) + b"q\x00"
SHAPE = b"J" + struct.pack("<I", LARGE) + b"\x85q\x01"
BYTE = b"cnumpy\ndtype\n(X\x02\x00\x00\x00u1K\x00K\x01tR(K\x03X\x01\x00\x00\x00|tbq\x02"
ENCODED = text("a" * LARGE) + b"q\x000" + text("latin1") + b"q\x010c_codecs\nencode\nq\x020"


@pytest.mark.parametrize("data", [
    b"\x80\x03" + CONTENT + b"0" + SHAPE + b"0" + BYTE + b"0}("
    + b"".join(text(f"{i}") + b"cnumpy.core.numeric\n_frombuffer\n(h\x00h\x02h\x01X\x01\x00\x00\x00CtR"
               for i in range(500)) + b"u.",
    b"\x80\x03" + CONTENT + b"0" + SHAPE + b"0" + BYTE + b"0}("
    + b"".join(text(f"{i}") + EMPTY + b"(K\x01h\x01h\x02\x89h\x00tb" for i in range(500)) + b"u.",
    b"\x80\x02" + ENCODED + b"](" + b"h\x02h\x00h\x01\x86R" * 500 + b"e.",
    b"\x80\x05}X\x01\x00\x00\x00W\x96" + struct.pack("<Q", 2**30) + b"s.",
])  # fmt: skip
def test_a_small_file_takes_little_memory(data: bytes, read: Callable[[bytes], dict[str, Any]]) -> None:
    tracemalloc.start()
    with pytest.raises(PickleError):
        read(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2 * 10**7


def test_an_array_with_two_names_is_one(read: Callable[[bytes], dict[str, Any]]) -> None:
    found = read(pickle.dumps({"W": ARRAYS["W1"], "V": ARRAYS["W1"]}))
    same(found, {"W": ARRAYS["W1"], "V": ARRAYS["W1"]})
    assert found["W"] is found["V"]


def test_a_high_number_of_an_object_takes_no_memory(read: Callable[[bytes], dict[str, Any]]) -> None:
    tracemalloc.start()
    assert read(b"\x80\x02}r\xff\xff\xff\x0f.") == {}
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10**7


def test_random_damage_is_an_error_or_harmless(
    read: Callable[[bytes], dict[str, Any]], rng: np.random.Generator
) -> None:
    for protocol in (0, 2, 4, 5):
        good = pickle.dumps(ARRAYS, protocol)
        for _ in range(200):
            data = bytearray(good)
            for place in rng.integers(0, len(data), int(rng.integers(1, 4))):
                data[place] = int(rng.integers(256))
            with suppress(PickleError):
                read(bytes(data))


def test_files_that_are_no_files(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_pickle(tmp_path / "no.pkl")
    with pytest.raises(FileError, match="it is a folder; expected a file"):
        read_pickle(tmp_path)
    large = tmp_path / "large.pkl"
    with large.open("wb") as file:
        file.truncate(2**30 + 1)
    with pytest.raises(FileError, match="it has 1,073,741,825 bytes; expected at most 1,073,741,824"):
        read_pickle(large)
