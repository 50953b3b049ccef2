"""How training goes: layers and gradients on one batch, signs of trouble, and whether the network guesses."""

from .batch import Gradient, Histogram, LayerOutput, look_at
from .guessing import Guess, Guessing, LearningWarning, guess, no_better_than_guessing, some_samples
from .signs import warning_signs

__all__ = [
    "Gradient",
    "Guess",
    "Guessing",
    "Histogram",
    "LayerOutput",
    "LearningWarning",
    "guess",
    "look_at",
    "no_better_than_guessing",
    "some_samples",
    "warning_signs",
]
