"""Pages about training runs: results, mistakes, curves, and the state of the layers.

`write_report` writes the page of one run, `write_comparison` a page that compares several. `diagnose`
computes a page's facts about a network.
"""

from .comparison import write_comparison
from .diagnosis import BATCH, Diagnosis, diagnose
from .page import write_report

__all__ = ["BATCH", "Diagnosis", "diagnose", "write_comparison", "write_report"]
