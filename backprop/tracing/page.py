"""A trace as HTML, for the cell of a notebook."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..pages import html
from ..pages.fragment import fragment
from .graph import graph_of
from .table import HEAD, LEGEND, ROUGH, heading, remarks, rows_of

if TYPE_CHECKING:
    from .batch import Trace


MOST_NODES = 24
"""A larger graph is shown with groups of layers as single nodes."""


def page(trace: Trace) -> str:
    """The table and, below it, the graph, or why there is none."""
    return fragment(
        *map(html.paragraph, heading(trace)),
        html.table(HEAD, rows_of(trace)),
        *map(html.paragraph, (LEGEND, ROUGH, *remarks(trace))),
        *_graph(trace),
    )


def _graph(trace: Trace) -> Iterator[str]:
    try:
        graph = graph_of(trace)
    except ValueError as error:
        yield html.paragraph(str(error))
        return
    if len(graph.nodes) > MOST_NODES and graph.collapsed is not None:
        yield html.paragraph("The graph without parameters, with groups of layers as single nodes:")
    while len(graph.nodes) > MOST_NODES and graph.collapsed is not None:
        graph = graph.collapsed
    yield graph._repr_html_()
