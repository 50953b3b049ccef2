"""Pickles of arrays by name, such as the book's `params.pkl`, read without running anything in them.

A pickle is a program that may call any function by its name. Here the only names it may call are those that
NumPy itself writes for arrays and numbers, and each stands for a small function of this file.
"""

from __future__ import annotations

import io
import os
import pickle
import re
from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np

from ..backends import HostArray
from ..files import read_file, replace_file
from ..text import visible

LARGEST = 2**30
"""The largest file that is read, in bytes."""


class PickleError(ValueError):
    """A pickle that is damaged, or that holds anything but arrays, numbers, text, lists and dicts."""


def read_pickle(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read a pickled dict of arrays by name, of any protocol, written by any NumPy.

    Raises `PickleError`, and runs nothing in the file, if it names any function or class but those of NumPy's
    arrays and numbers.
    """
    try:
        return _loaded(read_file(path, LARGEST))
    except PickleError as error:
        raise PickleError(visible(f"{os.fspath(path)}: {error}")) from None


def write_pickle(path: str | os.PathLike[str], arrays: dict[str, HostArray]) -> None:
    """Write a dict of arrays by name as a pickle, which the book's own code reads too."""
    replace_file(path, pickle.dumps(arrays))


def _loaded(data: bytes) -> dict[str, Any]:
    try:
        value = _Unpickler(io.BytesIO(data), encoding="latin1").load()
    except PickleError:
        raise
    except Exception as error:  # what a damaged pickle raises is not documented
        raise PickleError(f"it is no pickle, or a damaged one ({type(error).__name__}: {error})") from None
    if type(value) is not dict or not all(type(name) is str for name in value):
        raise PickleError(f"expected a dict of arrays by name, got {type(value).__name__}")
    return {name: np.array(v, subok=False) if isinstance(v, _Array) else v for name, v in value.items()}


class _Array(np.ndarray[Any, Any]):
    """An array whose content comes in `__setstate__`, which checks it."""

    def __setstate__(self, state: Any) -> None:
        _, shape, dtype, is_fortran, data = state
        content = _array(data, dtype, shape, "C")  # which leaves the bytes in their order
        checked: Any = (1, content.shape, content.dtype, bool(is_fortran), content.tobytes())
        super().__setstate__(checked)


class _DType:
    """A dtype of numbers: its code, such as "f8", and its byte order."""

    def __init__(self, code: Any, *_: Any) -> None:
        if not (isinstance(code, str) and re.fullmatch(r"b1|[iu][1248]|f[248]", code)):
            raise PickleError(f"expected arrays of numbers, got the dtype {code!r:.40}")
        self.code, self.order = code, "="

    def __setstate__(self, state: Any) -> None:
        if state[1] not in ("<", ">", "=", "|"):
            raise PickleError(f"expected a byte order, got {state[1]!r:.40}")
        self.order = state[1]

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(self.order + self.code)


class _Named:
    """What a name in a pickle stands for; a new object each time, since a pickle may change it."""

    __slots__ = ("meaning", "name")

    def __init__(self, name: str, meaning: Callable[..., Any]) -> None:
        self.name, self.meaning = name, meaning

    def __call__(self, *args: Any) -> Any:
        return self.meaning(*args)


def _no_array(*_: Any) -> NoReturn:
    raise PickleError("expected an array with its content")


def _new_array(kind: Any, *_: Any) -> _Array:
    if not (isinstance(kind, _Named) and kind.name == "numpy.ndarray"):
        raise PickleError("expected an array of class numpy.ndarray")
    return _Array(0)


def _array(data: Any, dtype: Any, shape: Any, order: Any) -> HostArray:
    """Return an array from its bytes, in this machine's byte order."""
    if not isinstance(dtype, _DType):
        raise PickleError(f"expected a dtype, got {type(dtype).__name__}")
    if isinstance(data, str):  # Python 2's bytes
        data = data.encode("latin1")
    if not isinstance(data, bytes | bytearray):
        raise PickleError(f"expected the bytes of an array, got {type(data).__name__}")
    flat = np.frombuffer(data, dtype.dtype)
    return flat.reshape(shape, order=order).astype(flat.dtype.newbyteorder("="))


def _no_bytes() -> bytes:
    return b""


def _scalar(dtype: Any, data: Any) -> Any:
    return _array(data, dtype, (), "C")[()]


def _encoded(text: Any, encoding: Any) -> bytes:
    """Return bytes, which Python 3 writes as text in a protocol below 3."""
    if not isinstance(text, str) or encoding != "latin1":
        raise PickleError("expected the bytes of an array as Latin-1 text")
    return text.encode("latin1")


MEANINGS: dict[str, Callable[..., Any]] = {
    "numpy.ndarray": _no_array,
    "numpy.dtype": _DType,
    "_codecs.encode": _encoded,
    "builtins.bytes": _no_bytes,
    "__builtin__.bytes": _no_bytes,
    **{
        f"numpy.{core}.{name}": meaning
        for core in ("core", "_core")
        for name, meaning in (
            ("multiarray._reconstruct", _new_array),
            ("multiarray.scalar", _scalar),
            ("numeric._frombuffer", _array),
        )
    },
}
"""The names that a pickle may call, and what is called in their place."""


class _Unpickler(pickle._Unpickler):
    """The unpickler written in Python: a few bytes can make the one in C take all memory."""

    def find_class(self, module: str, name: str) -> Any:
        full = f"{module}.{name}"
        if full not in MEANINGS:
            raise PickleError(f"it names {full}, which was not run; expected a dict of NumPy arrays only")
        return _Named(full, MEANINGS[full])

    def get_extension(self, code: int) -> NoReturn:
        raise PickleError(f"it names the class of number {code}, which was not looked up")

    def persistent_load(self, pid: Any) -> NoReturn:
        raise PickleError("it refers to an object outside the file")
