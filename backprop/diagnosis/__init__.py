"""Diagnose training: layers and gradients on one batch, warnings, and networks that learn nothing."""

from .baseline import Baseline, constant_baseline
from .batch import Gradient, Histogram, LayerOutput, inspect_batch
from .learning import LearningProblem, LearningWarning, find_learning_problem, sample_indices
from .warnings import find_warnings

__all__ = [
    "Baseline",
    "Gradient",
    "Histogram",
    "LayerOutput",
    "LearningProblem",
    "LearningWarning",
    "constant_baseline",
    "find_learning_problem",
    "find_warnings",
    "inspect_batch",
    "sample_indices",
]
