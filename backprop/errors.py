"""Errors that layers, networks and optimizers share."""

from __future__ import annotations


def missing_super_init(kind: type, call: str = "super().__init__()") -> AttributeError:
    """The error for an object whose class has an `__init__` that does not call its base's."""
    return AttributeError(f"{kind.__name__}: its __init__ does not call {call}; call it there first")


def float16_training(owner: str) -> TypeError:
    """The error for training in float16: why it cannot work, and what to do instead."""
    return TypeError(
        f"{owner}: float16 cannot be trained, since squares and sums overflow; train in float32 and convert "
        'the network for inference, network.to(dtype="float16")'
    )
