r"""Wrap lines to the terminal's width. Output to a file or a pipe is not wrapped.

>>> print("\n".join(fold("data mnist: 60,000 to train on, 10,000 to test on", 30)))
data mnist: 60,000 to train
  on, 10,000 to test on
"""

from __future__ import annotations

import os
import re
import sys
import textwrap
from collections.abc import Sequence
from contextlib import suppress
from typing import TextIO

from ..text import visible

DEFAULT = 80
"""The width of a terminal that does not tell its own."""

LEAST = 20
"""The smallest width that is used."""

NONBREAKING = "\ue000"
"""A space at which no line breaks; it does not occur in visible text."""

COMMAND = re.compile(r"\bbackprop \w+ -[^']*$")
"""A command to copy at the end of a text; not one with quotes, inside which a line cannot break."""


def width(file: TextIO | None = None) -> int | None:
    """The columns of the terminal behind `file`, by default stdout; None if it is not a terminal."""
    file = sys.stdout if file is None else file
    file = getattr(file, "rich_proxied_file", file)  # the real stdout while a live line is shown
    if not file.isatty():
        return None
    with suppress(KeyError, ValueError):
        if (columns := int(os.environ["COLUMNS"])) > 0:
            return max(columns, LEAST)
    with suppress(OSError, ValueError):
        return max(os.get_terminal_size(file.fileno()).columns or DEFAULT, LEAST)
    return DEFAULT


def say(text: str, *, indent: int = 2, file: TextIO | None = None, columns: int | None = None) -> None:
    """Print text with control characters escaped, wrapped to the terminal's width."""
    file = sys.stdout if file is None else file
    columns = width(file) if columns is None else columns
    lines = [visible(text)] if columns is None else fold(visible(text), columns, indent)
    print("\n".join(lines), file=file, flush=True)


def bound(text: str) -> str:
    """Make the text unbreakable for `fold`."""
    return NONBREAKING.join(text.split())


def fold(text: str, columns: int, indent: int = 2) -> list[str]:
    r"""Wrap visible text to `columns`, indenting all lines but the first; longer words stay whole.

    No line begins with a parenthesis: "4 (99.5%)" stays together.

    A command that does not fit is continued as in a shell:

    >>> fold("resume with: backprop train --resume runs/two-layer-2", 40)
    ['resume with: backprop train --resume \\', '  runs/two-layer-2']
    """
    if len(text) <= columns:
        return [text]
    command = COMMAND.search(text)
    longest = max((len(word) for word in text.split() if len(word) <= columns), default=0)
    lines = textwrap.wrap(
        text.replace(" (", f"{NONBREAKING}("),
        columns - 2 if command else columns,
        subsequent_indent=" " * min(indent, columns // 4, columns - longest),
        break_long_words=False,
        break_on_hyphens=False,
    )
    lines = [line.replace(NONBREAKING, " ") for line in lines]
    if command:
        before = len(text[: command.start()].split())
        ends = [len(" ".join(lines[: i + 1]).split()) for i in range(len(lines) - 1)]
        lines[:-1] = [f"{line} \\" if end > before else line for line, end in zip(lines, ends, strict=False)]
    return lines


def table(rows: Sequence[Sequence[str]], sides: str, dropped: Sequence[int], columns: int) -> list[str]:
    """Align rows in columns two spaces apart; drop the columns `dropped`, in this order, until they fit.

    sides : `<` or `>` for each column, its alignment

    >>> table([("params.W1", "784×50", "39,200"), ("params.b1", "50", "50")], "<<>", (2, 1), 20)
    ['params.W1  784×50', 'params.b1  50']
    """
    kept = list(range(len(sides)))
    for drop in (None, *dropped):
        kept = [i for i in kept if i != drop]
        widths = [max((len(row[i]) for row in rows), default=0) for i in kept]
        if sum(widths) + 2 * len(widths) - 2 <= columns:
            break
    kinds = [f"{sides[i]}{wide}" for i, wide in zip(kept, widths, strict=True)]
    return [
        "  ".join(format(row[i], kind) for i, kind in zip(kept, kinds, strict=True)).rstrip() for row in rows
    ]
