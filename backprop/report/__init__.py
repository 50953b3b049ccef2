"""The page of a training run: what it has reached, what it gets wrong, and how its layers look.

`write_report` makes the page of one run folder, `write_comparison` that of several. `diagnose` computes
what the page shows of a network, for use without a page.
"""

from .comparison import write_comparison
from .diagnosis import BATCH, Diagnosis, diagnose
from .page import write_report

__all__ = ["BATCH", "Diagnosis", "diagnose", "write_comparison", "write_report"]
