"""A trace as HTML, for the cell of a notebook."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..pages import html
from ..pages.fragment import fragment
from .graph import graph_of
from .table import HEAD, LEGEND, ROUGH, heading, remarks, rows_of

if TYPE_CHECKING:
    from .batch import Trace


def page(trace: Trace) -> str:
    """The table and, below it, the graph, or why there is none."""
    try:
        graph = graph_of(trace)._repr_html_()
    except ValueError as error:
        graph = html.paragraph(str(error))
    return fragment(
        *map(html.paragraph, heading(trace)),
        html.table(HEAD, rows_of(trace)),
        *map(html.paragraph, (LEGEND, ROUGH, *remarks(trace))),
        graph,
    )
