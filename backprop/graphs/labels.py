"""How values are written on an edge: a number, the entries of a small array, statistics of a large one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..backends import HostArray, dtype_name
from ..statistics import Statistics
from ..text import digits
from ..text import shape as shape_text

MOST_ENTRIES = 12
"""An array with more entries, or more than two axes, is written as its shape, mean and standard deviation."""

LONGEST_ROW = 6
"""A longer row of entries is drawn in several lines."""


@dataclass(frozen=True)
class Label:
    """Values as text."""

    rows: tuple[tuple[str, ...], ...]
    """The entries, row by row; a single text for a number, or for the statistics of a large array."""
    shape: tuple[int, ...]
    entries: bool
    """Whether the rows are the entries of an array."""

    @property
    def lines(self) -> tuple[tuple[str, ...], ...]:
        """The rows, where a long one is broken into several lines."""
        return tuple(row[i : i + LONGEST_ROW] for row in self.rows for i in range(0, len(row), LONGEST_ROW))

    @property
    def needs_shape(self) -> bool:
        """Whether the lines do not show the shape."""
        return len(self.lines) > len(self.rows) if self.entries else self.shape != ()

    def text_rows(self) -> tuple[str, ...]:
        """The values as text, one line for each row: `("[[1, 2],", " [3, 4]]")`."""
        if not self.entries:
            return (f"{shape_text(self.shape)}: {self.rows[0][0]}" if self.shape else self.rows[0][0],)
        rows = [f"[{', '.join(row)}]" for row in self.rows]
        if len(self.shape) == 1:
            return (rows[0],)
        last = len(rows) - 1
        return tuple(f"{' ' if i else '['}{row}{']' if i == last else ','}" for i, row in enumerate(rows))

    def text(self) -> str:
        """The values in one line."""
        return " ".join(row.strip() for row in self.text_rows())


def label_of(values: HostArray | None) -> Label | None:
    """The label of an edge's values; None without any.

    >>> label_of(np.asarray(715.0000000000001)).text()
    '715'
    >>> label_of(np.asarray([[0.5, -2.0], [1e-5, np.nan]])).text()
    '[[0.5, −2], [1e−5, NaN]]'
    >>> label_of(np.full((100, 50), 0.25)).text()
    '100×50: 0.25 ± 0'
    """
    if values is None:
        return None
    if values.ndim == 0:
        return Label(((digits(values.item()),),), (), False)
    if values.size == 0:
        return Label((("no entries",),), values.shape, False)
    if not is_large(values):
        rows = tuple(tuple(map(digits, row)) for row in np.atleast_2d(values).tolist())
        return Label(rows, values.shape, True)
    found = Statistics.of(values)
    text = f"{digits(found.mean)} ± {digits(found.std)}"
    if found.nonfinite:
        text = f"{found.nonfinite:,} of {found.size:,} not finite"
    return Label(((text,),), values.shape, False)


def is_large(values: HostArray) -> bool:
    """Whether the values are too many, or of too many axes, to be written one by one."""
    return values.size > 0 and (values.size > MOST_ENTRIES or values.ndim > 2)


def described(values: HostArray) -> str:
    """A large array in words; the statistics are those of its finite entries.

    >>> described(np.asarray([[1.0, 3.0], [2.0, np.nan]]))
    '2×2 float64: mean 2, standard deviation 0.8165, from 1 to 3, 1 NaN'
    """
    found, words = Statistics.of(values), []
    if found.nonfinite < found.size:
        words = [f"mean {digits(found.mean)}", f"standard deviation {digits(found.std)}"]
        words.append(f"from {digits(found.smallest)} to {digits(found.largest)}")
    words += not_finite(values)
    return f"{shape_text(values.shape)} {dtype_name(values.dtype)}: {', '.join(words)}"


def not_finite(values: HostArray) -> list[str]:
    """How many entries are NaN or infinite, in words."""
    counts = {"NaN": int(np.isnan(values).sum()), "infinite": int(np.isinf(values).sum())}
    return [f"{count:,} {what}" for what, count in counts.items() if count]
