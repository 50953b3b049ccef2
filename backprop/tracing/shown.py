"""One layer of a trace as HTML, for the cell of a notebook."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..formulas import formula_of
from ..graphs.plain import line_of
from ..pages import html
from ..pages.fragment import fragment

if TYPE_CHECKING:
    from .record import NodeTrace

HEAD = ("array", "values")


def shown(node: NodeTrace) -> str:
    """The layer, its formula forward and backward, and a table of its arrays."""
    lines = [f"{node.name}: {node.node!r}"]
    formula = formula_of(node.node)
    if formula is not None:
        lines += [side.text() for side in (formula.forward, formula.backward) if side is not None]
    rows = ((name, line_of(values)) for name, values in node.arrays.items())
    return fragment(*map(html.paragraph, lines), html.table(HEAD, rows))
