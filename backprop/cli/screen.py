r"""Wrap lines to the terminal's width. Output to a file or a pipe is not wrapped.

>>> print("\n".join(fold("data mnist: 60,000 to train on, 10,000 to test on", 30)))
data mnist: 60,000 to train
  on, 10,000 to test on
"""

from __future__ import annotations

import re
import sys
import textwrap
from typing import TextIO

from ..text import visible, width

NONBREAKING = "\ue000"
"""A space at which no line breaks; it does not occur in visible text."""

COMMAND = re.compile(r"\bbackprop \w+ -[^']*$")
"""A command to copy at the end of a text; not one with quotes, inside which a line cannot break."""


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
