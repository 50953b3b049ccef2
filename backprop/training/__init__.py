"""Training: `fit`, the `Training` it loops over, and the `RunRecorder` that saves a run in a folder."""

from ..saving.history import Metrics
from .divergence import DivergenceError
from .fitting import fit
from .loop import Progress, Training
from .memory import BatchTooLargeError
from .recorder import RunRecorder

__all__ = ["BatchTooLargeError", "DivergenceError", "Metrics", "Progress", "RunRecorder", "Training", "fit"]
