"""Blocks of text with their sizes, estimated to be no smaller than any usual font makes them."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from ..pages.html import escaped
from ..text import shape
from .labels import Label

SIZE = 13
"""The font's size in pixels."""

LINE = 17
"""The height of a line."""

ASCENT = 13
"""From the top of a line to its baseline."""

BETWEEN = 10
"""Between the columns of an array."""

BRACKET = 5

NARROW = frozenset("iljtfrI.,:;|!'()[] ")
WIDE = frozenset("mwMW%@—…")


@dataclass(frozen=True)
class Block:
    """Lines of cells, each column flush right; in brackets if they are the entries of an array."""

    lines: tuple[tuple[str, ...], ...]
    kind: str
    """The class of the text, which sets its colour."""
    brackets: bool = False
    header: str = ""
    """A line above, such as the shape."""
    flush: bool = False
    """Whether lines begin at the left rather than lie in the middle."""

    @property
    def columns(self) -> list[float]:
        """The width of every column."""
        return [
            max(text_width(line[i]) for line in self.lines if i < len(line))
            for i in range(max(map(len, self.lines)))
        ]

    @property
    def width(self) -> float:
        inner = sum(self.columns) + BETWEEN * (len(self.columns) - 1)
        return max(text_width(self.header), inner + (2 * BRACKET if self.brackets else 0))

    @property
    def height(self) -> float:
        return LINE * (len(self.lines) + bool(self.header))

    def svg(self, x: float, y: float) -> Iterator[str]:
        """The block with its upper left corner here."""
        anchor, kind = (x, f"{self.kind} start") if self.flush else (x + self.width / 2, self.kind)
        if self.header:
            yield text(anchor, y + ASCENT, self.header, kind)
            y += LINE
        columns = self.columns
        if not self.brackets:
            yield from (
                text(anchor, y + LINE * i + ASCENT, line[0], kind) for i, line in enumerate(self.lines)
            )
            return
        inner = sum(columns) + BETWEEN * (len(columns) - 1)
        left = x + BRACKET if self.flush else anchor - inner / 2
        for i, line in enumerate(self.lines):
            for j, cell in enumerate(line):
                right = left + sum(columns[: j + 1]) + BETWEEN * j
                yield text(right, y + LINE * i + ASCENT, cell, f"{self.kind} cell")
        for side, towards in ((left - BRACKET, 3), (left + inner + BRACKET, -3)):
            points = (
                f"M{px(side + towards)} {px(y + 1.5)}h{-towards}v{px(LINE * len(self.lines) - 3)}h{towards}"
            )
            yield f'<path class="bracket {self.kind}" d="{points}"/>'


def block_of(
    label: Label, kind: str, mark: str = "", *, with_shape: bool = True, flush: bool = False
) -> Block:
    """The block of a label, with a `mark` such as Σ before it."""
    header = shape(label.shape) if with_shape and label.needs_shape else ""
    lines = label.lines
    if mark and label.entries:
        header = f"{mark} {header}".strip()
    elif mark:
        lines = ((f"{mark} {lines[0][0]}",),)
    return Block(tuple(map(tuple, lines)), kind, label.entries, header, flush)


def text(x: float, y: float, content: str, kind: str) -> str:
    """Text on a baseline; its class says how it is anchored."""
    return f'<text class="{kind}" x="{px(x)}" y="{px(y)}">{escaped(content)}</text>'


def px(value: float) -> str:
    """A coordinate.

    >>> px(12.0), px(0.26), px(-0.01)
    ('12', '0.3', '0')
    """
    return f"{round(value, 1) + 0.0:.1f}".removesuffix(".0")


def text_width(content: str, size: float = SIZE) -> float:
    """An estimate of the width of text, for wide fonts such as Verdana and DejaVu Sans."""
    return size * sum(map(_em, content))


def shortened(content: str, longest: float, size: float = SIZE) -> str:
    """The text, cut off with … where it is wider than `longest`.

    >>> shortened("Affine1", 100), shortened("a name that goes on and on", 100)
    ('Affine1', 'a name that…')
    """
    if text_width(content, size) <= longest:
        return content
    while content and text_width(f"{content}…", size) > longest:
        content = content[:-1]
    return f"{content.rstrip()}…"


def _em(character: str) -> float:
    if character in NARROW:
        return 0.42
    if character in WIDE or unicodedata.east_asian_width(character) in "WF":
        return 1.02
    return 0.66 if character.islower() or character.isdecimal() else 0.84
