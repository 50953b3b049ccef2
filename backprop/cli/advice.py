"""What to do about an error, said behind it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..files import WriteError

ELSEWHERE = "give another folder with --out DIR, or keep nothing with --no-save"


@contextmanager
def advised(advice: str, *others: type[OSError]) -> Iterator[None]:
    """Add what to do to the error that a file cannot be written, and to `others`."""
    try:
        yield
    except OSError as error:
        if isinstance(error, (WriteError, *others)):
            error.add_note(advice)
        raise
