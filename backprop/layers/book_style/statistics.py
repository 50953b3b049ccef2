"""The running statistics of a layer in the book's style that makes them at its first call."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from .attributes import Attributes
from .form import Form

BATCHES = ((-1.0, 1.0), (1.0, 5.0))
"""Two batches of two samples, of different means and variances."""


def make_statistics(layer: Any, attributes: Attributes, form: Form) -> bool:
    """Set running statistics that are still None to what an inference would make them; whether any was.

    The book's batch normalization leaves them None until it has seen a batch, of which it needs only the
    shape: that of γ and β. So a copy is called with two different batches. If all that it makes of them are
    arrays, the same for both, the layer starts from these, and they can be saved like any other state.
    """
    own = vars(layer)
    unknown = [key for key in attributes.unsaved if own.get(key) is None]
    shapes = {own[key].shape for key in attributes.params if isinstance(own[key], np.ndarray)}
    if not unknown or len(shapes) != 1 or len(shape := shapes.pop()) != 1:
        return False
    dtype = own[attributes.params[0]].dtype
    one, other = (
        _made(layer, form, unknown, np.asarray([np.full(shape, x, dtype) for x in batch]))
        for batch in BATCHES
    )
    if not one or one.keys() != other.keys() or not all(_same(one[key], other[key]) for key in one):
        return False
    own.update(one)
    return True


def _made(layer: Any, form: Form, names: list[str], x: np.ndarray) -> dict[str, Any]:
    """What an inference on a copy makes of these attributes; empty if it raises."""
    draws = np.random.get_state(legacy=False)
    try:
        copied = copy.deepcopy(layer)
        copied.forward(x, **{form.flag: False} if form.flag else {})
    except Exception:  # of any kind: it takes no such batch
        return {}
    finally:
        np.random.set_state(draws)
    return {key: value for key in names if (value := vars(copied).get(key)) is not None}


def _same(one: Any, other: Any) -> bool:
    return isinstance(one, np.ndarray) and isinstance(other, np.ndarray) and np.array_equal(one, other)
