"""The table of a trace: a row for every layer."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..backends import HostArray
from ..statistics import Statistics
from ..text import digits, fold, shape, table, visible
from .record import PART, NodeTrace

if TYPE_CHECKING:
    from .batch import Trace

HEAD = ("layer", "output", "y", f"{PART}y", f"norm of {PART}…", "ms")
SIDES = "<<<<<<"
DROPPED = (5, 4)
"""The columns to drop where they do not fit: the time, then the norms."""

MOST_NORMS = 3
"""How many parameters' norms fit into a row."""

ROUGH = "ms: forward + backward, measured once"
LEGEND = f"y, {PART}y: mean ± standard deviation of the entries"


def overview(trace: Trace, columns: int | None) -> str:
    """The table of all layers, with what belongs to the whole batch; in lines of up to `columns`."""
    rows = [tuple(map(visible, row)) for row in (HEAD, *rows_of(trace))]
    columns = columns or sys.maxsize
    lines = table(rows, SIDES, DROPPED, columns)
    dropped = [HEAD[i] for i in DROPPED if HEAD[i] not in lines[0]]
    notes = [LEGEND, f"a wider terminal also shows: {', '.join(dropped)}" if dropped else ROUGH]
    if max(map(len, lines)) > columns:
        lines, notes = [line for text in _stacked(rows) for line in fold(text, columns)], [LEGEND, ROUGH]
    head = [line for text in heading(trace) for line in fold(text, columns)]
    tail = [line for text in (*notes, *remarks(trace)) for line in fold(text, columns)]
    return "\n".join([*head, "", *lines, "", *tail])


def heading(trace: Trace) -> Iterator[str]:
    """What the trace is of, and the loss."""
    yield trace.network
    loss = float(trace.loss.output)
    penalty = f" + weight decay {digits(trace.value - loss)}" if trace.weight_decay else ""
    yield f"{trace.entries}, in training: loss {digits(loss)}{penalty}"


def remarks(trace: Trace) -> Iterator[str]:
    """What a reader must know about the numbers."""
    if trace.weight_decay:
        yield f"{PART}W includes λ W of the weight decay, λ = {digits(trace.weight_decay)}"
    if trace.sample is not None:
        yield f"y and {PART}y are those of sample {trace.sample}, the loss and the norms those of the batch"
    if first := trace.first_nonfinite:
        yield f"NaN or infinity: first in {first}"


def rows_of(trace: Trace) -> Iterator[tuple[str, ...]]:
    """The cells of a row for the input, every layer, those within it, and the loss."""
    first = next(iter(trace.layers.values()), trace.loss)
    yield "x", shape(trace.x.shape), spread(trace.x), spread(first.dinputs[0]), "", ""
    for layer in (*trace.layers.values(), trace.loss):
        for node in _block_first(layer):
            time = " + ".join(digits(1e3 * s, 2) for s in (node.forward_seconds, node.backward_seconds))
            spreads = spread(node.output), spread(node.dout)
            yield node.name, shape(node.output.shape), *spreads, _norms(node), time


def _block_first(node: NodeTrace) -> Iterator[NodeTrace]:
    yield node
    for part in node.parts:
        yield from _block_first(part)


def spread(values: HostArray | None) -> str:
    """Mean and standard deviation, or the number if it is only one; how many are not finite, if any."""
    if values is None:
        return ""
    found = Statistics.of(values)
    if found.size == 1:
        return digits(values.reshape(-1)[0])
    if found.nonfinite:
        return f"{found.nonfinite:,} of {found.size:,} not finite"
    return f"{digits(found.mean)} ± {digits(found.std)}"


def _norms(node: NodeTrace) -> str:
    """The norm of the gradient of every parameter; of a block, its layers have them."""
    if node.parts:
        return ""
    shown = [f"{key} {digits(Statistics.of(dW).norm)}" for key, dW in list(node.grads.items())[:MOST_NORMS]]
    return ", ".join(shown) + ", …" * (len(node.grads) > MOST_NORMS)


def _stacked(rows: list[tuple[str, ...]]) -> Iterator[str]:
    """The table for a narrow terminal: a few lines for every row."""
    (_, *names), *rows = rows
    for title, *cells in rows:
        yield title
        for name, cell in zip(names, cells, strict=True):
            if cell:
                yield f"  {name}: {cell}"
