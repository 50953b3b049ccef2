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


def _visible(character: str) -> str:
    if character.isprintable() or unicodedata.category(character) == "Zs":
        return character
    if "\udc80" <= character <= "\udcff":  # how Python keeps a byte that is not UTF-8
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode()
