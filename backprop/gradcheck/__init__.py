"""The gradient check: backpropagation against differences, and what else a layer promises.

Differences are taken in float64, on copies, whatever dtype the subject has, with steps that suit every
entry and with an estimate of their own error (`differences`). Every entry is compared (or `elements` of
each array), and the worst is reported with both its values (`comparison`). In a network every layer is
compared by itself besides, so that the one that is wrong is named. `promises` and `aliasing` are what a
layer is held to besides the gradient's value.

Source: *Deep Learning from Scratch*, section 5.7.3.
"""

from __future__ import annotations

from .check import check_gradients
from .comparison import GATE
from .report import GradientEntry, GradientReport

__all__ = ["GATE", "GradientEntry", "GradientReport", "check_gradients"]
