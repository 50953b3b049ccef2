"""Parsers for numbers on the command line, which say what they expected.

>>> positive("10_000")
10000
>>> share("1.5")
Traceback (most recent call last):
argparse.ArgumentTypeError: expected a share above 0 and below 1, got '1.5'
"""

from __future__ import annotations

import math
from argparse import ArgumentTypeError
from collections.abc import Callable
from typing import Literal


def _at_least(smallest: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        try:
            value = int(text.replace("_", ""))
        except ValueError:
            value = smallest - 1
        if value < smallest:
            raise ArgumentTypeError(f"expected a whole number of at least {smallest}, got {text!r}")
        return value

    return parse


positive, natural = _at_least(1), _at_least(0)


def steps_or_epoch(text: str) -> int | Literal["epoch"]:
    """Parse a number of steps, or the word "epoch"."""
    return "epoch" if text == "epoch" else positive(text)


def finite(text: str) -> float:
    """Parse a finite number."""
    return _where(math.isfinite, "a finite number", text)


def positive_float(text: str) -> float:
    """Parse a finite number above 0."""
    return _where(lambda value: 0.0 < value < math.inf, "a finite number above 0", text)


def nonnegative_float(text: str) -> float:
    """Parse a finite number of at least 0."""
    return _where(lambda value: 0.0 <= value < math.inf, "a finite number of at least 0", text)


def share(text: str) -> float:
    """Parse a number between 0 and 1."""
    return _where(lambda value: 0.0 < value < 1.0, "a share above 0 and below 1", text)


def _where(valid: Callable[[float], bool], expected: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not valid(value):
        raise ArgumentTypeError(f"expected {expected}, got {text!r}")
    return value
