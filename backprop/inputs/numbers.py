"""Arrays that must be real, finite numbers, and how to make them so."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..backends import Array, backend_of, dtype_name, namespace_of
from .statistics import parts

NO_NUMBERS = {
    "c": "take the real parts, array.real, or array.real and array.imag side by side",
    "V": "from numpy.lib.recfunctions import structured_to_unstructured, and take that of it",
    "M": 'count from a day, (array - array.min()) / numpy.timedelta64(1, "D")',
    "m": 'count in days, array / numpy.timedelta64(1, "D")',
}
"""How to make real numbers of other kinds of dtypes."""

IN_A_FILE = {
    **NO_NUMBERS,
    **dict.fromkeys(
        "OSU",
        "save array.astype(numpy.float32), without the columns that are no numbers, or with these numbered",
    ),
}
"""The same for an array in a file, whose single entries are not read."""


def kind_of(dtype: Any) -> str:
    """What a NumPy array holds, in words; for texts a dtype's own name says little.

    >>> kind_of(np.asarray(["cat"]).dtype), kind_of(np.dtype("float32"))
    ('texts', 'float32')
    """
    if dtype.kind in "UST":
        return "texts"
    if dtype.names:
        return "structured records"
    return "objects" if dtype.kind == "O" else str(dtype)


def as_numbers(name: str, x: Any) -> Any:
    """A NumPy array of objects or texts as floating-point numbers; real numbers as they are.

    Raises `TypeError` for other dtypes, and for the first entry that is not a number.
    """
    if not isinstance(x, np.ndarray) or x.dtype.kind in "fiub":
        return x
    if x.dtype.kind in NO_NUMBERS:
        found = "a structured array" if x.dtype.names else str(x.dtype)
        raise TypeError(f"{name}: expected real numbers, got {found}; {NO_NUMBERS[x.dtype.kind]}")
    wrong = next(((i, v) for i, v in np.ndenumerate(x) if not _is_number(v)), None)
    if wrong is not None:
        raise TypeError(
            f"{name}: expected numbers, got {wrong[1]!r} at {list(wrong[0])}; leave such columns out, or "
            "number their values: values, column = numpy.unique(column, return_inverse=True)"
        )
    return x.astype(np.float64)


def _is_number(value: Any) -> bool:
    """Whether the value is a number, the text of one, or None, which is a gap."""
    try:
        return value is None or isinstance(float(value), float)
    except (TypeError, ValueError):
        return False


def check_finite(name: str, x: Array) -> None:
    """Raise a `ValueError` that says where the first NaN or infinity is."""
    if not dtype_name(x.dtype).startswith("float"):
        return
    for start, part in parts(x):
        xp = namespace_of(part)
        if bool(xp.all(xp.isfinite(part))):
            continue
        host = backend_of(part).to_numpy(part)
        row, *columns = (int(i) for i in np.argwhere(~np.isfinite(host))[0])
        value = host[(row, *columns)]
        column = {0: "", 1: f", column {columns[0]}" if columns else ""}.get(len(columns), f", at {columns}")
        raise ValueError(
            f"{name}: {value} in row {start + row}{column} (counted from 0): expected finite numbers; fill "
            "such gaps, as with the column's mean, or leave these rows out"
        )
