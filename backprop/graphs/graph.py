"""`Graph`: a computational graph with its numbers, ready to be drawn."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from ..files import replace_file
from ..pages import html
from ..text import showable
from . import dot
from .folded import folded, is_too_large
from .parts import GraphEdge, GraphNode, Kind
from .plain import HEAD, edge_rows, plain
from .svg import svg

__all__ = ["Graph", "GraphEdge", "GraphNode", "Kind"]

WIDTHS = 30, 100
"""The narrowest and the widest plain text."""


@dataclass(frozen=True, eq=False, repr=False)
class Graph:
    """Nodes and edges, without cycles.

    In a notebook it shows itself; elsewhere `print` it, or `save` it.

    >>> import numpy as np
    >>> nodes = [GraphNode("x", "x", Kind.VALUE), GraphNode("exp", "exp", Kind.OPERATION)]
    >>> print(Graph(nodes, [GraphEdge("x", "exp", np.asarray(0.0), np.asarray(1.0))]))
    from  to   forward  gradient
    x     exp  0        1
    """

    nodes: tuple[GraphNode, ...]
    edges: tuple[GraphEdge, ...]
    title: str = ""
    collapsed: Graph | None = field(default=None)
    """The same graph with fewer nodes, drawn instead if this one is too large."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "nodes", tuple(self.nodes))
        object.__setattr__(self, "edges", tuple(self.edges))
        _check(self.nodes, self.edges)

    def to_svg(self, *, heading: bool = True) -> str:
        """The drawing: forward values in black, gradients in red; larger arrays with histograms on pointing.

        Of a graph that is too large to read, with more than 100 nodes or 150 edges, or more than 36 nodes one
        after another, the collapsed one is drawn; without it, one node stands for all but those nearest to
        the results and some inputs. The drawing says so.
        Without `heading`, the title is only for screen readers.
        """
        drawn, note = self._drawn()
        head = [(self.title if heading else "", "heading"), (note, "quiet")]
        return svg(self.title, drawn.nodes, drawn.edges, head)

    def to_dot(self) -> str:
        """The graph in the language of Graphviz."""
        return dot.to_dot(self.title, self.nodes, self.edges)

    def to_mermaid(self) -> str:
        """The graph in the language of Mermaid."""
        return dot.to_mermaid(self.title, self.nodes, self.edges)

    def to_text(self, width: int | None = None) -> str:
        """The edges with their values, in at most `width` columns: by default, those of the terminal."""
        columns = shutil.get_terminal_size().columns if width is None else width
        least, most = WIDTHS
        return plain(self.nodes, self.edges, min(max(columns, least), most))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the graph to a file: `.svg` or `.html`, or as text `.dot` or `.mmd` (Mermaid)."""
        writers = {".svg": self.to_svg, ".html": self._page, ".dot": self.to_dot, ".mmd": self.to_mermaid}
        suffix = Path(path).suffix.lower()
        if suffix not in writers:
            raise ValueError(f"{os.fspath(path)}: expected a name that ends in {', '.join(writers)}")
        replace_file(path, writers[suffix]().encode())

    def __str__(self) -> str:
        return showable(self.to_text())

    def __repr__(self) -> str:
        return f"Graph({self.title!r}: {len(self.nodes)} nodes, {len(self.edges)} edges)"

    def _repr_html_(self) -> str:
        """For notebooks: the drawing in a box that scrolls."""
        return self._box(heading=True)

    def _box(self, *, heading: bool) -> str:
        drawing = self.to_svg(heading=heading)
        name = html.escaped(self.title or "computational graph")
        style = "overflow-x: auto; max-width: 100%"
        return f'<div role="region" aria-label="{name}" tabindex="0" style="{style}">\n{drawing}\n</div>\n'

    def _page(self) -> str:
        """A page with the drawing and a table of its edges."""
        table = html.table(HEAD, edge_rows(self.nodes, self.edges))
        parts = (self._box(heading=False), html.details("As a table", table))
        lead = f"{len(self.nodes):,} nodes, {len(self.edges):,} edges"
        return html.document(self.title or "Computational graph", lead, parts).decode()

    def _drawn(self) -> tuple[Graph, str]:
        """The graph that is drawn for this one, and what to say about it."""
        if not is_too_large(self.nodes, self.edges):
            return self, ""
        smaller = self.collapsed or Graph(*folded(self.nodes, self.edges), self.title)
        drawn, _ = smaller._drawn()
        size = f"{len(self.nodes):,} nodes and {len(self.edges):,} edges"
        return drawn, f"too large to draw in full: {size}, here folded into {len(drawn.nodes)} nodes"


def _check(nodes: tuple[GraphNode, ...], edges: tuple[GraphEdge, ...]) -> None:
    """Raise unless the nodes and edges are a graph without cycles whose gradients fit their values."""
    if not nodes:
        raise ValueError("Graph: expected at least one node")
    sources: dict[str, set[str]] = {node.id: set() for node in nodes}
    if len(sources) < len(nodes):
        twice = [id for id, count in Counter(node.id for node in nodes).items() if count > 1]
        raise ValueError(f"Graph: expected one node for each id, got several with {twice[0]!r}")
    for edge in edges:
        where = f"from {edge.source!r} to {edge.target!r}"
        for end in (edge.source, edge.target):
            if end not in sources:
                raise ValueError(f"Graph: an edge leads {where}, but there is no node {end!r}")
        sources[edge.target].add(edge.source)
        shapes = [values.shape for values in (edge.forward, edge.backward) if values is not None]
        if len(set(shapes)) > 1:
            raise ValueError(
                f"Graph: {where}, values {shapes[0]} but a gradient {shapes[1]}; expected one shape"
            )
    try:
        TopologicalSorter(sources).prepare()
    except CycleError as error:
        raise ValueError(f"Graph: expected no cycle, got {' → '.join(error.args[1])}") from None
