"""The details of one layer in a trace: its arrays, their statistics, and the numbers of a sample."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from ..backends import HostArray
from ..formulas import formula_of, no_formula, worked, worked_backward
from ..formulas.formula import legible
from ..statistics import Statistics
from ..text import digits, fold, sentence, shape, table, visible
from .record import NodeTrace
from .table import remarks, spread

if TYPE_CHECKING:
    from .batch import Trace

HEAD = ("", "shape", "mean ± sd", "smallest", "largest", "zeros", "norm")
SIDES = "<<<>>>>"
DROPPED = (5, 3, 4, 6, 1)
"""The columns to drop where they do not fit."""

MOST_ENTRIES = 40
"""How many numbers of an array are written; of a larger one, the first and the last."""


def details(trace: Trace, node: NodeTrace, sample: int | None, columns: int | None) -> str:
    """A layer of the trace, in lines of up to `columns`."""
    columns = columns or sys.maxsize
    rows = [tuple(map(visible, row)) for row in (HEAD, *_rows(node))]
    lines = [line for text in _heading(node) for line in fold(text, columns)]
    lines += ["", *_fitting(rows, columns), ""]
    lines += [line for text in remarks(trace) for line in [*fold(text, columns), ""]]
    if sample is not None:
        part = trace.of_sample(sample)[node.name]
        lines += [f"sample {sample}", *(line for text in _entries(part, columns) for line in text), ""]
        lines += [line for text in _worked(node, sample) for line in fold(text, columns)]
    return "\n".join(lines).rstrip()


def _fitting(rows: list[tuple[str, ...]], columns: int) -> list[str]:
    """The table of the arrays; where even its narrowest form is too wide, a line for each array."""
    lines = table(rows, SIDES, DROPPED, columns)
    if max(map(len, lines)) <= columns:
        return lines
    texts = (f"{name}: {size}, {mean}" for name, size, mean, *_ in rows[1:])
    return [line for text in texts for line in fold(text, columns)]


def _heading(node: NodeTrace) -> Iterator[str]:
    """The layer and its formula, forward and backward."""
    yield f"{node.name}: {node.node!r}"
    formula = formula_of(node.node)
    if formula is None:
        yield no_formula(node.node)
        return
    yield from formula.forward.text().split("; ")
    if formula.backward is not None:
        yield from formula.backward.text().split("; ")
    yield from map(sentence, filter(None, (formula.note, formula.back_note)))


def _worked(node: NodeTrace, sample: int) -> Iterator[str]:
    """The formula with its numbers, for the largest entry of the output and of the gradient going back.

    A step of both is written once.
    """
    found = (worked(node, sample), worked_backward(node, sample))
    for step in legible(dict.fromkeys(step for one in found if one is not None for step in one.steps)):
        yield from (f"  {line}" if line.startswith(("=", "≈")) else line for line in step.lines())


def _rows(node: NodeTrace) -> Iterator[tuple[str, ...]]:
    for name, values in node.arrays.items():
        found = Statistics.of(values)
        numbers = [digits(n) for n in (found.smallest, found.largest)]
        yield name, shape(values.shape), spread(values), *numbers, f"{found.zeros:.0%}", digits(found.norm)


def _entries(node: NodeTrace, columns: int) -> Iterator[list[str]]:
    """The numbers that pass through, as lines."""
    for name, values in node.passing.items():
        yield written(name, values, columns)


def written(name: str, values: HostArray, columns: int) -> list[str]:
    """An array as "x = [1 2 0.5 ... 3]", in lines of up to `columns`; of large images only statistics."""
    start = f"{name} = "
    if values.ndim > 2 and values.size > MOST_ENTRIES:
        return [f"{name}: {shape(values.shape)}, {spread(values)}"]
    room = max(min(columns, 100) - len(start), 10)
    longest = max((len(digits(value)) for value in values.flat), default=0) if values.ndim > 1 else 0
    as_digits: Any = {"all": lambda value: digits(value).rjust(longest)}
    first, *others = np.array2string(
        values, max_line_width=room, threshold=MOST_ENTRIES, formatter=as_digits
    ).splitlines()
    return [start + first, *(" " * len(start) + line for line in others)]
