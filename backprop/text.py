"""Text from files, as people see it."""

from __future__ import annotations

import unicodedata


def visible(text: str) -> str:
    r"""The text with all that is not a character or a space as an escape: a terminal would obey it.

    These are control characters, the marks that turn the direction of writing, and the bytes of a name
    that is not UTF-8.

    >>> visible("two words, 日本語"), visible("a\x1b[2Jb\n"), visible("a\u202eb"), visible("\udcff")
    ('two words, 日本語', 'a\\x1b[2Jb\\n', 'a\\u202eb', '\\xff')
    """
    return text if text.isprintable() else "".join(map(_visible, text))


def short(value: float, width: int = 8, decimals: int = 4) -> str:
    """A number with so many decimals, with fewer where that is too wide, and else in powers of ten.

    >>> short(0.12345), short(23519.25), short(23519115416826.2), short(-1e200)
    ('0.1235', '23519.25', '2.35e+13', '-1e+200')
    """
    kinds = [*(f".{n}f" for n in range(decimals, 0, -1)), ".2e", ".1e", ".0e"]
    texts = [format(value, kind) for kind in kinds]
    return next((text for text in texts if len(text) <= width), texts[-1])


def _visible(character: str) -> str:
    if character.isprintable() or unicodedata.category(character) == "Zs":
        return character
    if "\udc80" <= character <= "\udcff":  # how Python keeps a byte that is not UTF-8
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode()
