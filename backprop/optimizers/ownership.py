"""The one network that an optimizer belongs to."""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from typing import Any

from ..backends import Array
from ..networks.parameters import layer_of


def owner_of(
    name: str, owner: weakref.ref[Any] | None, params: Mapping[str, Array]
) -> weakref.ref[Any] | None:
    """Return the owner after these parameters: a layer, which tells its network from all others.

    Raises `ValueError` if they belong to another network. Plain mappings belong to none.
    """
    layer = layer_of(params)
    if layer is None:
        return owner
    if owner is None:
        return weakref.ref(layer)
    if owner() is not layer:
        raise ValueError(
            f"{name}: this optimizer has been used for another network; make a new one for every network"
        )
    return owner
