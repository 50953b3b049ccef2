"""A graph as plain text: its edges with their values, as a table or, where it is narrow, one by one."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import count

from ..backends import HostArray
from ..text import visible
from .labels import label_of
from .parts import GraphEdge, GraphNode

SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
HEAD = ("from", "to", "forward", "gradient")
NONE = "–"


def names_of(nodes: Sequence[GraphNode]) -> dict[str, str]:
    """The name of each node by its id: its label, numbered where several have the same.

    >>> from backprop.graphs import Kind
    >>> names_of([GraphNode("a", "+", Kind.OPERATION), GraphNode("b", "+", Kind.OPERATION)])
    {'a': '+₁', 'b': '+₂'}
    """
    total, names = Counter(visible(node.label) for node in nodes), dict[str, str]()
    numbers = {label: count(1) for label in total}
    for node in nodes:
        label = name = visible(node.label)
        while total[label] > 1 and name in total:
            name = label + str(next(numbers[label])).translate(SUBSCRIPTS)
        names[node.id] = name
    return names


def plain(nodes: Sequence[GraphNode], edges: Sequence[GraphEdge], width: int) -> str:
    """The edges as text of at most `width` columns, as long as names and numbers fit."""
    names = names_of(nodes)
    rows = [HEAD, *edge_rows(nodes, edges)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(HEAD))]
    if sum(widths) + 2 * (len(widths) - 1) <= width:
        lines = ("  ".join(cell.ljust(size) for cell, size in zip(row, widths, strict=True)) for row in rows)
        return "\n".join(line.rstrip() for line in lines)
    return "\n".join(line for edge in edges for line in _stacked(edge, names, width))


def edge_rows(nodes: Sequence[GraphNode], edges: Sequence[GraphEdge]) -> Iterator[tuple[str, ...]]:
    """Source, target, forward values and gradient of each edge."""
    names = names_of(nodes)
    for edge in edges:
        yield names[edge.source], names[edge.target], line_of(edge.forward), line_of(edge.backward)


def line_of(values: HostArray | None) -> str:
    """Values in one line; a dash for none."""
    label = label_of(values)
    return NONE if label is None else label.text()


def _stacked(edge: GraphEdge, names: dict[str, str], width: int) -> Iterator[str]:
    yield from textwrap.wrap(f"{names[edge.source]} → {names[edge.target]}", width, subsequent_indent="    ")
    for what, values in (("forward", edge.forward), ("gradient", edge.backward)):
        label = label_of(values)
        head = f"  {what.ljust(8)}  "
        for row in (NONE,) if label is None else label.text_rows():
            yield from textwrap.wrap(row, width, initial_indent=head, subsequent_indent=" " * (len(head) + 1))
            head = " " * len(head)
