"""The text of an explanation, in lines for a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence

from ..formulas import Worked, no_formula
from ..pictures import image_shape
from ..text import fold, table, visible
from . import written
from .explanation import Explanation
from .steps import Step

INDENT = "  "


def text_of(found: Explanation, columns: int | None = None) -> str:
    """The explanation as text, in lines of up to `columns`."""
    lines = [line for block in _blocks(found, columns or sys.maxsize) for line in block]
    return "\n".join(lines)


def _blocks(found: Explanation, columns: int) -> Iterator[list[str]]:
    yield _folded([f"{found.title} explained", written.lead(found), written.batch(found)], columns)
    yield _folded([*found.remarks, written.READING], columns)
    if shape := image_shape(found.trace.x.shape[1:]):
        yield ["", *written.shown_image(found.trace.x[found.sample].reshape(shape))]
    said: dict[str, tuple[str, ...]] = {}
    for step in found.steps:
        yield _heading(step.title, columns)
        yield from _step(
            found, step, [note for note in step.notes if note not in said.get(step.node.name, ())], columns
        )
        said[step.node.name] = step.notes


def _heading(title: str, columns: int) -> list[str]:
    return ["", *_folded([title], columns), "─" * min(len(title), columns)]


def _step(found: Explanation, step: Step, notes: Sequence[str], columns: int) -> Iterator[list[str]]:
    if step.is_backward:
        yield _folded([written.way_back(step)], columns)
    if step.formula is None:
        yield _folded([no_formula(step.node.node)], columns)
    else:
        yield _folded([row.text() for row in step.formula.rows()], columns)
    yield _folded(notes, columns)
    for name, one in step.worked.items():
        yield ["", *_folded([written.heading(found, step, name) + ":"], columns), *_worked(one, columns)]
    if step.is_loss and (rows := written.classes(found)):
        yield ["", *_table([rows[0], *rows[1]], "<>>>>", (), columns)]
    if step.difference:
        words = f"{written.derivative_heading(step.difference)}; {written.function(found)}:"
        yield ["", *_folded([words], columns)]
        yield list(_derivative(step, columns))
        yield _folded([written.verdict(step.difference)], columns)
    rows_of = [written.HEAD, *written.arrays(step)]
    yield ["", *_table(rows_of, "<<<>>>>", (5, 3, 4, 6, 1), columns)]


def _worked(one: Worked, columns: int) -> list[str]:
    """The steps: each begins with its target, and what it equals is indented."""
    lines = (f"{INDENT}{line}" if line.startswith(("=", "≈")) else line for line in one.lines())
    return [part for line in lines for part in fold(f"{INDENT}{line}", columns)]


def _derivative(step: Step, columns: int) -> Iterator[str]:
    """The numbers below each other, and marks under the digits that agree."""
    assert step.difference is not None
    rows = written.derivative(step.difference)
    wide = max(len(name) for name, _, _ in rows)
    beside = len(INDENT) + wide + 2 + max(len(number) for _, number, _ in rows) <= columns
    for name, number, _ in rows:
        if beside:
            yield f"{INDENT}{name:<{wide}}  {number}"
        else:
            yield from (f"{INDENT}{name}", f"{INDENT * 2}{number}")
    if marked := rows[-1][2]:
        yield f"{INDENT}{' ' * (wide + 2) if beside else INDENT}{'^' * len(marked)}"


def _table(rows: Sequence[Sequence[str]], sides: str, dropped: Sequence[int], columns: int) -> list[str]:
    """Rows in columns, or where they do not fit, one after the other."""
    shown = [tuple(map(visible, row)) for row in rows]
    lines = [f"{INDENT}{line}" for line in table(shown, sides, dropped, columns - len(INDENT))]
    if max(map(len, lines)) <= columns:
        return lines
    return _folded((f"{INDENT}{first}: {', '.join(others)}" for first, *others in shown[1:]), columns)


def _folded(texts: Iterable[str], columns: int) -> list[str]:
    return [line for one in texts for line in fold(one, columns)]
