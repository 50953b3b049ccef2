"""Pages about training runs: results, mistakes, curves, and the state of the layers.

`write_report` writes the page of one run, `write_comparison` a page that compares several; both return its
path, a `Report`, which shows the page in a notebook. `diagnose` computes a page's facts about a network.
"""

from .comparison import write_comparison
from .diagnosis import BATCH, Diagnosis, diagnose
from .page import write_report
from .shown import Report

__all__ = ["BATCH", "Diagnosis", "Report", "diagnose", "write_comparison", "write_report"]
