"""Numbers as they are written in a formula: with four significant digits."""

from __future__ import annotations

import math

SIGNIFICANT = 4
"""How many digits of a number are written."""

SPECIAL = {"nan": "NaN", "inf": "∞", "-inf": "−∞"}


def digits(value: float, significant: int = SIGNIFICANT) -> str:
    """A number with this many significant digits, without zeros at the end.

    >>> digits(0.123456), digits(-2.0), digits(1.5e-7), digits(float("inf"))
    ('0.1235', '−2', '1.5e−7', '∞')
    """
    value = float(value) or 0.0  # not −0
    if not math.isfinite(value):
        return SPECIAL[str(value)]
    if value and not 1e-3 <= abs(value) < 1e6:
        mantissa, exponent = f"{value:.{significant - 1}e}".split("e")
        text = f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"
    else:
        text = plain(value, significant)
    return text.replace("-", "−")


def plain(value: float, significant: int) -> str:
    """A number of ordinary size with this many significant digits, but all those before the point."""
    size = math.floor(math.log10(abs(value))) + 1 if value else 1
    text = f"{value:.{max(significant - size, 0)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def rounded(value: float, significant: int = SIGNIFICANT) -> float:
    """The number that `digits` writes.

    >>> rounded(0.123456)
    0.1235
    """
    text = digits(value, significant)
    return value if text in SPECIAL.values() else float(text.replace("−", "-"))
