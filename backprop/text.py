"""Text for people: escape control characters, shorten numbers, align tables to the terminal's width."""

from __future__ import annotations

import os
import sys
import unicodedata
from collections.abc import Sequence
from contextlib import suppress
from typing import TextIO

DEFAULT = 80
"""The width of a terminal that does not tell its own."""

LEAST = 20
"""The smallest width that is used."""


def visible(text: str) -> str:
    r"""Escape everything but printable characters and spaces, which a terminal would interpret.

    This covers control characters, marks that change the direction of writing, and the bytes of a name that
    is not UTF-8.

    >>> visible("two words, 日本語"), visible("a\x1b[2Jb\n"), visible("a\u202eb"), visible("\udcff")
    ('two words, 日本語', 'a\\x1b[2Jb\\n', 'a\\u202eb', '\\xff')
    """
    return text if text.isprintable() else "".join(map(_visible, text))


def indefinite(noun: str) -> str:
    """A noun with its indefinite article.

    >>> indefinite("list"), indefinite("ndarray"), indefinite("OnlyForward")
    ('a list', 'an ndarray', 'an OnlyForward')
    """
    vowel = noun[:1].lower() in tuple("aeio") or noun.startswith(("nd", "Un", "un"))
    return f"{'an' if vowel else 'a'} {noun}"


def short(value: float, width: int = 8, decimals: int = 4) -> str:
    """Format a number with up to `decimals` decimals, or in powers of ten, to fit into `width` characters.

    >>> short(0.12345), short(23519.25), short(23519115416826.2), short(-1e200)
    ('0.1235', '23519.25', '2.35e+13', '-1e+200')
    """
    kinds = [*(f".{n}f" for n in range(decimals, 0, -1)), ".2e", ".1e", ".0e"]
    texts = [format(value, kind) for kind in kinds]
    return next((text for text in texts if len(text) <= width), texts[-1])


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


def showable(text: str) -> str:
    """Text with a question mark for every character that stdout cannot show, such as ∂ on an old console."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    return text.encode(encoding, "replace").decode(encoding)


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


def _visible(character: str) -> str:
    if character.isprintable() or unicodedata.category(character) == "Zs":
        return character
    if "\udc80" <= character <= "\udcff":  # Python's stand-in for a byte that is not UTF-8
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode()
