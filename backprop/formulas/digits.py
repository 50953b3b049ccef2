"""The numbers that `backprop.text.digits` writes, as numbers again."""

from __future__ import annotations

from ..text import SIGNIFICANT, SPECIAL, digits


def rounded(value: float, significant: int = SIGNIFICANT) -> float:
    """The number that `digits` writes.

    >>> rounded(0.123456)
    0.1235
    """
    text = digits(value, significant)
    return value if text in SPECIAL.values() else float(text.replace("−", "-"))
