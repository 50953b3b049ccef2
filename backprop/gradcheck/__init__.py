"""The gradient check: compare backpropagation with differences, and check a layer's other promises.

Differences are taken in float64, on copies, whatever the subject's dtype, with a step that suits each entry
and an estimate of their error (`differences`). Every entry (or `elements` of each array) is compared, and
the worst is reported with both values (`comparison`). In a network, each layer is also compared alone, to
name the wrong one. `promises` and `aliasing` check the other promises of a layer.

Source: *Deep Learning from Scratch*, section 5.7.3.
"""

from __future__ import annotations

from .check import check_gradients
from .comparison import GATE
from .report import GradientEntry, GradientReport

__all__ = ["GATE", "GradientEntry", "GradientReport", "check_gradients"]
