"""The attribute `formula` of the book's layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..formulas import Formula


class Carried:
    """A layer's attribute `formula`: what the function `make` of `book.formulas` returns for it.

    It is None in a subclass with a forward or backward of its own, of which nobody knows what it computes.
    """

    def __init__(self, make: str) -> None:
        self.make = make

    def __set_name__(self, owner: type, name: str) -> None:
        self.owner = owner

    def __get__(self, layer: Any, kind: type) -> Formula | None:
        from . import formulas  # which only traces need

        methods = ("forward", "backward")
        known = all(getattr(kind, method) is getattr(self.owner, method) for method in methods)
        found: Formula | None = getattr(formulas, self.make)(layer) if known else None
        return found
