"""Look up an option by name; suggest close matches for an unknown one."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import TypeVar

T = TypeVar("T")


class UsageError(ValueError):
    """An unknown option or value, or one that conflicts with the others."""


def lookup(what: str, name: str, known: Mapping[str, T], others: str = "") -> T:
    """Return the entry of `known` with this name, ignoring case; a `UsageError` suggests close matches.

    `others` lists what is accepted besides the names.

    >>> lookup("shape", "Circel", {"circle": 1, "square": 4})
    Traceback (most recent call last):
    backprop.lookup.UsageError: unknown shape 'Circel': expected one of circle, square; did you mean circle?
    """
    by_lower = {key.lower(): key for key in known}
    if name.lower() in by_lower:
        return known[by_lower[name.lower()]]
    near = difflib.get_close_matches(name.lower(), by_lower, n=3, cutoff=0.4)
    hint = f"; did you mean {', '.join(by_lower[key] for key in near)}?" if near else ""
    names = ", ".join(sorted(known, key=str.lower))
    raise UsageError(f"unknown {what} {name!r}: expected {others}one of {names}{hint}")
