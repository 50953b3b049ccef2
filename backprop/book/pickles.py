"""Pickles of arrays by name, such as the book's `params.pkl`, read without running anything in them.

A pickle is a program that may call any function by its name. Here its calls are written down, not made, and
only those are known with which NumPy writes an array; the arrays are then made of the bytes in the file.
"""

from __future__ import annotations

import io
import os
import pickle
import re
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

import numpy as np

from ..backends import HostArray
from ..files import read_file, replace_file
from ..text import visible

LARGEST = 2**30
"""The largest file that is read, in bytes."""

NAMES = {
    "collections.OrderedDict": "OrderedDict",
    "numpy.ndarray": "ndarray",
    "numpy.dtype": "dtype",
    "_codecs.encode": "encode",
    "builtins.bytes": "bytes",
    "__builtin__.bytes": "bytes",
    "numpy.core.multiarray._reconstruct": "reconstruct",
    "numpy._core.multiarray._reconstruct": "reconstruct",
    "numpy.core.numeric._frombuffer": "frombuffer",
    "numpy._core.numeric._frombuffer": "frombuffer",
}
"""What a pickle may call: `OrderedDict`, and all that NumPy, old and new, calls for an array."""


class PickleError(ValueError):
    """A pickle that is damaged, or that is not a dict of arrays by name."""


def read_pickle(path: str | os.PathLike[str]) -> dict[str, HostArray]:
    """Read a pickled dict of arrays by name, of any protocol, written by any NumPy.

    Raises `PickleError`, and runs nothing in the file, if there is anything else in it.
    """
    try:
        return _loaded(read_file(path, LARGEST))
    except PickleError as error:
        raise PickleError(visible(f"{os.fspath(path)}: {error}")) from None


def write_pickle(path: str | os.PathLike[str], arrays: Mapping[str, HostArray]) -> None:
    """Write a dict of arrays by name as a pickle, which the book's own code reads too."""
    replace_file(path, pickle.dumps(dict(arrays)))


def _loaded(data: bytes) -> dict[str, HostArray]:
    try:
        value = _Unpickler(io.BytesIO(data), encoding="latin1").load()
        if type(value) is not dict:
            kind = _kind(value)
            hint = "; save dict(params)" if kind == "OrderedDict" else ""
            raise PickleError(f"expected a dict of arrays by name, got {kind}{hint}")
        return _arrays(value, len(data))
    except PickleError:
        raise
    except Exception as error:  # what a damaged pickle raises is not documented
        reason = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        reason = "it ends too early" if isinstance(error, EOFError) else reason
        raise PickleError(f"it is no pickle, or a damaged one ({reason})") from None


class _Name:
    """A name that a pickle may call; a call of it is written down, but an empty `OrderedDict` is a dict."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, *args: Any) -> _Call | dict[str, Any]:
        return {} if self.name == "OrderedDict" and not args else _Call(self.name, args)

    def __setstate__(self, _: Any) -> NoReturn:
        raise PickleError(f"it changes {self.name}")


class _Call:
    """A call that a pickle asks for, and the state that it gives to the result."""

    __slots__ = ("args", "name", "state")
    __match_args__ = ("name", "args", "state")

    def __init__(self, name: str, args: tuple[Any, ...]) -> None:
        self.name, self.args = name, args
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state


def _text_keys(load: Callable[[Any], None], keys: slice) -> Callable[[Any], None]:
    """Let an opcode put entries into a dict only if the keys on the stack are texts.

    To hash a tuple of tuples of tuples may take for ever.
    """

    def checked(unpickler: Any) -> None:
        for key in unpickler.stack[keys]:
            if type(key) is not str:
                raise PickleError(f"expected a dict of arrays by name, got a name of {type(key).__name__}")
        load(unpickler)

    return checked


OPCODES: dict[int, Callable[[Any], None]] = dict(pickle._Unpickler.dispatch)
"""How each opcode is read, by its number."""
for _set in (pickle.EMPTY_SET, pickle.ADDITEMS, pickle.FROZENSET):
    del OPCODES[_set[0]]
for _put, _keys in (
    (pickle.SETITEM, slice(-2, -1)),
    (pickle.SETITEMS, slice(0, None, 2)),
    (pickle.DICT, slice(0, None, 2)),
):
    OPCODES[_put[0]] = _text_keys(OPCODES[_put[0]], _keys)
OPCODES[pickle.BYTEARRAY8[0]] = OPCODES[pickle.BINBYTES8[0]]  # which takes no memory before there are bytes


class _Unpickler(pickle._Unpickler):
    """The unpickler written in Python: a few bytes can make the one in C take all memory."""

    dispatch = OPCODES

    def find_class(self, module: str, name: str) -> Any:
        full = f"{module}.{name}"
        if full not in NAMES:
            raise PickleError(f"it names {full}, which was not run; expected a dict of NumPy arrays only")
        return _Name(NAMES[full])

    def get_extension(self, code: int) -> NoReturn:
        raise PickleError(f"it names the class of number {code}, which was not looked up")

    def persistent_load(self, pid: Any) -> NoReturn:
        raise PickleError("it refers to an object outside the file")


def _arrays(values: Mapping[str, Any], room: int) -> dict[str, HostArray]:
    """Return the arrays, of which no more bytes are made than `room`, the size of the file."""
    made: dict[int, HostArray] = {}  # an array with two names is one
    for name, value in values.items():
        if id(value) in made:
            continue
        array = made[id(value)] = _array(name, value)
        room -= array.nbytes
        if room < 0:
            raise PickleError("its arrays have more bytes than the file")
    return {name: made[id(value)] for name, value in values.items()}


def _array(name: str, value: Any) -> HostArray:
    """Return an array, in this machine's byte order, from the call that makes it."""
    match value:
        case _Call("reconstruct", (_Name(name="ndarray"), *_), (_, shape, dtype, by_columns, data)):
            order: Any = "F" if by_columns else "C"
        case _Call("frombuffer", (data, dtype, shape, ("C" | "F") as order), None):
            pass
        case _Call("reconstruct" | "frombuffer"):
            raise PickleError(f"expected an array with its content for {name}")
        case _:
            raise PickleError(f"expected a NumPy array for {name}, got {_kind(value)}")
    numeric = _dtype(name, dtype)
    flat = np.frombuffer(_bytes(name, data), numeric)
    made: Any = flat.reshape(shape, order=order)
    return np.array(made, flat.dtype.newbyteorder("="))


def _bytes(name: str, data: Any) -> bytes:
    """Return the bytes of an array, which Python 2, and 3 in a protocol below 3, write as text."""
    match data:
        case bytes():
            return data
        case str(text) | _Call("encode", (str(text), "latin1"), None):
            return text.encode("latin1")
        case _Call("bytes", (), None):
            return b""
    raise PickleError(f"expected the bytes of the array {name}, got {_kind(data)}")


def _dtype(name: str, dtype: Any) -> np.dtype[Any]:
    """Return a dtype of numbers from its code, such as "f8", and its byte order."""
    match dtype:
        case _Call("dtype", (str(code), *_), (_, "<" | ">" | "=" | "|" as order, *_)):
            if re.fullmatch(r"b1|[iu][1248]|f[248]", code):
                found: np.dtype[Any] = np.dtype(order + code)
                return found
            kind = "one of objects" if code.startswith("O") else f"the dtype {code!r:.40}"
            raise PickleError(f"expected an array of numbers for {name}, got {kind}")
    raise PickleError(f"expected the dtype of the array {name}, got {_kind(dtype)}")


def _kind(value: Any) -> str:
    """Name the kind of what is not as expected."""
    match value:
        case _Call("reconstruct" | "frombuffer"):
            return "a single array"
        case _Call(name) | _Name(name=name):
            return name
    return type(value).__name__
