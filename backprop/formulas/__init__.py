"""The formula of every layer and loss: in symbols, and with the numbers of a batch put in."""

from .expression import Expression
from .formula import Formula, Step, Worked
from .lookup import formula_of, no_formula, worked, worked_backward

__all__ = ["Expression", "Formula", "Step", "Worked", "formula_of", "no_formula", "worked", "worked_backward"]
