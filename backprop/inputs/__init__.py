"""What the inputs of a network are: pixels from 0 to 255, or numbers that are taken as they are.

The training data decide it, once. From then on it belongs to the network and to its checkpoints, so that
later inputs are scaled like the training data, or refused.
"""

from .inputs import Inputs
from .layout import laid_out
from .mapped import Mapped, is_mapped, take_samples
from .messages import InputWarning, PrecisionWarning
from .numbers import IN_A_FILE, as_numbers, check_finite, kind_of
from .statistics import LARGE, extent, parts, root_mean_square

__all__ = [
    "IN_A_FILE",
    "LARGE",
    "InputWarning",
    "Inputs",
    "Mapped",
    "PrecisionWarning",
    "as_numbers",
    "check_finite",
    "extent",
    "is_mapped",
    "kind_of",
    "laid_out",
    "parts",
    "root_mean_square",
    "take_samples",
]
