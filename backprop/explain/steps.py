"""What the reader is shown of each layer, forward and backward; pages and text are made of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import dropwhile

import numpy as np

from ..backends import HostArray
from ..formulas import Expression, Worked, formula_of, worked, worked_backward
from ..layers import Affine
from ..losses import Loss
from ..text import sentence, shape
from ..tracing import NodeTrace, Trace
from .difference import Difference, Float64

PART = "∂L/∂"
MOST_PARAMETERS = 4
"""The most parameters of a layer whose gradients are worked out."""


@dataclass(frozen=True)
class Step:
    """A layer or the loss, in one of the two directions."""

    node: NodeTrace
    is_backward: bool
    formula: Expression | None
    """None if the layer has none, or none for this direction."""
    notes: tuple[str, ...]
    """What its symbols mean, in sentences."""
    worked: Mapping[str, Worked]
    """One entry each, by what it is: `"y"`, `"∂L/∂x"`, `"∂L/∂W"`, …"""
    difference: Difference | None = None

    @property
    def title(self) -> str:
        """As `Affine1, backward`."""
        return f"{self.node.name}, {'backward' if self.is_backward else 'forward'}"

    @property
    def arrays(self) -> dict[str, HostArray]:
        """The arrays of the batch that this direction is about, by name; of a block without parameters."""
        arrays = self.node.passing if self.node.parts else self.node.arrays
        return {name: values for name, values in arrays.items() if name.startswith(PART) == self.is_backward}

    @property
    def is_loss(self) -> bool:
        """Whether it is the loss."""
        return isinstance(self.node.node, Loss)


def steps_of(trace: Trace, precise: Float64, sample: int, only: str | None = None) -> Iterator[Step]:
    """Every layer and the loss forward, then all of them backward; or `only` the one of that name."""
    for node in (node for node in trace.nodes() if only in (None, node.name)):
        formula, found = formula_of(node.node), worked(node, sample)
        yield Step(
            node,
            is_backward=False,
            formula=formula.forward if formula else None,
            notes=_notes(node, [found], formula.note if formula else ""),
            worked={node.result: found} if found else {},
        )
    for node in (node for node in trace.nodes(backward=True) if only in (None, node.name)):
        yield _backward(trace, node, precise, sample)


def _backward(trace: Trace, node: NodeTrace, precise: Float64, sample: int) -> Step:
    formula, found = formula_of(node.node), {}
    for key in ("x", *list(node.grads)[:MOST_PARAMETERS]):
        if one := worked_backward(node, sample, None, key, trace.weight_decay):
            found[f"{PART}{key}"] = one
    key = "x" if node.parts else next(iter(node.grads), "x")
    return Step(
        node,
        is_backward=True,
        formula=formula.backward if formula else None,
        notes=_notes(node, found.values(), *((formula.back_note, formula.note) if formula else ())),
        worked=found,
        difference=precise.difference(node.name, key, _largest(node, key, sample)),
    )


def _notes(node: NodeTrace, found: Iterable[Worked | None], *notes: str) -> tuple[str, ...]:
    """The notes, with one about samples of several axes where they count as rows."""
    x = node.inputs[0]
    if isinstance(node.node, Affine) and x.ndim > 2:
        size = shape(x.shape[1:])
        counted = _counted(_row(found), x.shape[1:])
        notes = (*notes, f"a sample of x, {size}, counts as a row of {x[0].size:,} numbers, {counted}")
    return tuple(map(sentence, filter(None, notes)))


def _row(found: Iterable[Worked | None]) -> int:
    """The first row of W that is worked with; 0 if there is none."""
    steps = (step for one in found if one for step in one.steps)
    symbols = (symbol for step in steps for symbol in (step.target, *step.expression.symbols()))
    return next((int(symbol.index[0]) for symbol in symbols if symbol.name == "W"), 0)


def _counted(row: int, sample: tuple[int, ...]) -> str:
    """How the entry that meets a row of W is counted.

    >>> _counted(240, (1, 28, 28)), _counted(1024, (3, 28, 28))
    ('row-major: 240 = 8 · 28 + 16', 'row-major: 1024 = (1 · 28 + 8) · 28 + 16')
    """
    place = [(int(i), size) for i, size in zip(np.unravel_index(row, sample), sample, strict=True)]
    (first, _), *others = list(dropwhile(lambda axis: axis[1] == 1, place)) or place[-1:]
    text = str(first)
    for i, size in others:
        text = f"{f'({text})' if ' ' in text else text} · {size} + {i}"
    return f"row-major: {row} = {text}"


def _largest(node: NodeTrace, key: str, sample: int) -> tuple[int, ...]:
    """The entry with the largest gradient: of a parameter, or of this sample's input."""
    gradient = node.grads[key] if key in node.grads else node.dinputs[0]
    assert gradient is not None  # only a target has none, and it is never the first input
    own = gradient if key in node.grads else gradient[sample]
    place = tuple(int(i) for i in np.unravel_index(int(np.argmax(np.abs(own))), own.shape))
    return place if key in node.grads else (sample, *place)
