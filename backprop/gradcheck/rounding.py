"""The effect of rounding on a gradient by backpropagation."""

from __future__ import annotations

import numpy as np

from ..backends import Array, dtype_name
from .subject import Slot, Subject, on_host


def rounding_changes(subject: Subject, epsilon: float) -> dict[Slot, float]:
    """How much rounding to `epsilon` changes each gradient.

    Parameters and inputs are rounded and, in a network, the arrays passed from layer to layer.
    """
    rng = np.random.default_rng(0)
    exact = {slot: on_host(value) for slot, value in subject.gradients_with(lambda y: y).items()}
    changes = dict.fromkeys(exact, 0.0)
    originals = {slot: subject.library.xp.asarray(subject.get(slot), copy=True) for slot in subject.slots}

    def rounded(array: Array) -> Array:
        factors = 1.0 + epsilon * rng.choice([-1.0, 1.0], tuple(array.shape))
        changed: Array = array * subject.library.asarray(factors, dtype=dtype_name(array.dtype))
        return changed

    for _ in range(3):
        for slot, values in originals.items():
            subject.set(slot, rounded(values))
        for slot, values in subject.gradients_with(rounded).items():
            changes[slot] = max(changes[slot], float(np.abs(on_host(values) - exact[slot]).max(initial=0.0)))
        for slot, values in originals.items():
            subject.set(slot, values)
    return changes
