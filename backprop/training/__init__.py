"""The training loop: `fit`, the `Training` it runs, and what a run tells of itself."""

from ..saving.history import Metrics
from .divergence import DivergenceError
from .fitting import fit
from .loop import Progress, Training
from .memory import BatchTooLargeError

__all__ = ["BatchTooLargeError", "DivergenceError", "Metrics", "Progress", "Training", "fit"]
