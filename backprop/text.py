"""Text for people: escape control characters, shorten numbers."""

from __future__ import annotations

import unicodedata


def visible(text: str) -> str:
    r"""Escape everything but printable characters and spaces, which a terminal would interpret.

    This covers control characters, marks that change the direction of writing, and the bytes of a name that
    is not UTF-8.

    >>> visible("two words, 日本語"), visible("a\x1b[2Jb\n"), visible("a\u202eb"), visible("\udcff")
    ('two words, 日本語', 'a\\x1b[2Jb\\n', 'a\\u202eb', '\\xff')
    """
    return text if text.isprintable() else "".join(map(_visible, text))


def short(value: float, width: int = 8, decimals: int = 4) -> str:
    """Format a number with up to `decimals` decimals, or in powers of ten, to fit into `width` characters.

    >>> short(0.12345), short(23519.25), short(23519115416826.2), short(-1e200)
    ('0.1235', '23519.25', '2.35e+13', '-1e+200')
    """
    kinds = [*(f".{n}f" for n in range(decimals, 0, -1)), ".2e", ".1e", ".0e"]
    texts = [format(value, kind) for kind in kinds]
    return next((text for text in texts if len(text) <= width), texts[-1])


def _visible(character: str) -> str:
    if character.isprintable() or unicodedata.category(character) == "Zs":
        return character
    if "\udc80" <= character <= "\udcff":  # Python's stand-in for a byte that is not UTF-8
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode()
