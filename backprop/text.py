"""Text for people: escape control characters, shorten numbers, align tables to the terminal's width."""

from __future__ import annotations

import math
import os
import re
import sys
import textwrap
import unicodedata
from collections.abc import Sequence
from contextlib import suppress
from typing import TextIO

DEFAULT = 80
"""The width of a terminal that does not tell its own."""

LEAST = 20
"""The smallest width that is used."""

SIGNIFICANT = 4
"""How many digits of a number are written where traces, graphs and formulas show it."""

SPECIAL = {"nan": "NaN", "inf": "∞", "-inf": "−∞"}


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


def digits(value: float, significant: int = SIGNIFICANT) -> str:
    """A number with this many significant digits, without zeros at the end.

    >>> digits(0.123456), digits(-2.0), digits(1.5e-7), digits(12345.6), digits(float("inf"))
    ('0.1235', '−2', '1.5e−7', '12346', '∞')
    """
    value = float(value) or 0.0  # not −0
    if not math.isfinite(value):
        return SPECIAL[str(value)]
    if value and not 1e-3 <= abs(value) < 1e6:
        mantissa, exponent = f"{value:.{significant - 1}e}".split("e")
        text = f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"
    else:
        text = _plain(value, significant)
    return text.replace("-", "−")


def shape(numbers: Sequence[int]) -> str:
    """The shape of an array.

    >>> shape((784, 50)), shape((50,)), shape((1,)), shape(())
    ('784×50', '50 numbers', '1 number', 'a number')
    """
    if len(numbers) > 1:
        return "×".join(map(str, numbers))
    return f"{numbers[0]} number{'s' * (numbers[0] != 1)}" if numbers else "a number"


def sentence(remark: str) -> str:
    """A remark with a capital and a full stop; a symbol at its beginning stays as it is.

    >>> sentence("computed with x − m"), sentence("m is the largest x"), sentence("a row of numbers")
    ('Computed with x − m.', 'm is the largest x.', 'A row of numbers.')
    """
    is_word = re.match("[a-z]{2,} |a ", remark)
    stop = "" if remark.endswith("…") else "."
    return f"{remark[0].upper() if is_word else remark[0]}{remark[1:]}{stop}"


def width(file: TextIO | None = None) -> int | None:
    """The columns of the terminal behind `file`, by default stdout; None if it is not a terminal."""
    file = sys.stdout if file is None else file
    file = getattr(file, "rich_proxied_file", file)  # the real stdout while a live line is shown
    if not file.isatty():
        return None
    if columns := _asked():
        return columns
    with suppress(OSError, ValueError):
        return max(os.get_terminal_size(file.fileno()).columns or DEFAULT, LEAST)
    return DEFAULT


def reading_width() -> int | None:
    """The columns for a text that people read and no program parses: also in a pipe, those of $COLUMNS."""
    return width() or _asked()


def fold(text: str, columns: int) -> list[str]:
    """Visible text in lines of up to `columns`, further ones indented.

    >>> fold("  = 2 + 3 + 4", 9)
    ['  = 2 + 3', '    + 4']
    """
    shown = visible(text)
    start = shown[: len(shown) - len(shown.lstrip())]
    return textwrap.wrap(shown, columns, subsequent_indent=f"{start}  ", break_on_hyphens=False)


def showable(text: str) -> str:
    """Text with a question mark for every character that stdout cannot show, such as ∂ on an old console."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    if "−".encode(encoding, "ignore") == b"":
        text = text.replace("−", "-")  # a question mark before a number would hide its sign
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


def _asked() -> int | None:
    """The width in $COLUMNS, if there is one."""
    with suppress(KeyError, ValueError):
        if (columns := int(os.environ["COLUMNS"])) > 0:
            return max(columns, LEAST)
    return None


def _plain(value: float, significant: int) -> str:
    """A number of ordinary size with this many significant digits, but all those before the point."""
    size = math.floor(math.log10(abs(value))) + 1 if value else 1
    text = f"{value:.{max(significant - size, 0)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _visible(character: str) -> str:
    if character.isprintable() or unicodedata.category(character) == "Zs":
        return character
    if "\udc80" <= character <= "\udcff":  # Python's stand-in for a byte that is not UTF-8
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode()
