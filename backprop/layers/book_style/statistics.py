"""The running statistics of a layer in the book's style that makes them at its first call."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from .attributes import Attributes
from .form import Form

SAMPLES = 2


def make_statistics(layer: Any, attributes: Attributes, form: Form) -> bool:
    """Set running statistics that are still None to what an inference would make them; whether any was.

    The book's batch normalization leaves them None until it has seen a batch, which only tells it their
    shape: that of γ and β. So a copy is called with two different batches, and what is an array afterwards,
    the same for both, is what the layer starts from. Then it can be saved like any other state.
    """
    own = vars(layer)
    unknown = [key for key in attributes.unsaved if own.get(key) is None]
    shapes = {own[key].shape for key in attributes.params if isinstance(own[key], np.ndarray)}
    if not unknown or len(shapes) != 1 or len(shape := shapes.pop()) != 1:
        return False
    dtype = own[attributes.params[0]].dtype
    made = [_after_inference(layer, form, np.full((SAMPLES, *shape), x, dtype)) for x in (-1.0, 2.0)]
    for key in unknown:
        first, second = (found.get(key) for found in made)
        if isinstance(first, np.ndarray) and isinstance(second, np.ndarray) and np.array_equal(first, second):
            own[key] = first
    return any(own.get(key) is not None for key in unknown)


def _after_inference(layer: Any, form: Form, x: np.ndarray) -> dict[str, Any]:
    """The attributes of a copy after an inference; empty if it raises."""
    try:
        copied = copy.deepcopy(layer)
        copied.forward(x, **{form.flag: False} if form.flag else {})
    except Exception:  # of any kind: it takes no such batch
        return {}
    return vars(copied)
