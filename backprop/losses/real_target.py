"""`RealTargetLoss`: what losses with real targets share."""

from __future__ import annotations

import numpy as np

from ..backends import Array
from ..dtypes import widened
from ..inputs import parts
from .checks import check_batch, check_same_place, check_target_shape
from .loss import Loss


class RealTargetLoss(Loss):
    """A loss whose target has the shape of x."""

    def pair(self, x: Array, t: Array) -> tuple[Array, Array]:
        """x and t in one dtype, float32 for float16."""
        xp = check_batch(self.name, x)
        check_same_place(self.name, x, t)
        check_target_shape(self.name, t, tuple(x.shape))
        x = widened(x)
        return x, t if t.dtype == x.dtype else xp.astype(t, x.dtype)

    def check_targets(self, t: np.ndarray, samples: int, outputs: tuple[int, ...]) -> None:
        check_target_shape(self.name, t, (samples, *outputs))
        for _, part in parts(t):
            if not np.isfinite(part).all():
                raise ValueError(f"{self.name}: expected finite t, got {part[~np.isfinite(part)][0]}")
