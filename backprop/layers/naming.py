"""The names of a network's layers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from .adapter import adapted
from .book_style.form import LayerLike
from .layer import Layer


def by_name(layers: Mapping[str, LayerLike] | Sequence[LayerLike]) -> dict[str, Layer]:
    """The mapping, or the layers by their class and its count: `"Affine1"`, `"ReLU1"`, `"Affine2"`, …

    Those in the book's style are adapted.
    """
    if isinstance(layers, Mapping):
        named = dict(layers)
    else:
        named, counts = {}, dict[str, int]()
        for layer in layers:
            kind = layer.__name__ if isinstance(layer, type) else layer.__class__.__name__
            counts[kind] = counts.get(kind, 0) + 1
            named[f"{kind}{counts[kind]}"] = layer
    made = {id(layer): adapted(layer, name) for name, layer in named.items()}
    return {name: made[id(layer)] for name, layer in named.items()}


def display_names(kinds: Mapping[str, Any]) -> dict[str, str]:
    """The name that each layer of a network is shown with: a merged one lists the layers it stands for.

    kinds : the class name of every layer, by the layer's own name, in order

    >>> kinds = {"Conv1": "Convolution", "Relu1": "ReLU", "Conv2": "ConvolutionReLUPooling"}
    >>> display_names(kinds)["Conv2"]
    'Conv2 with Relu2 and Pool1'
    """
    shown, pools = {}, 0
    for name, kind in kinds.items():
        merged = kind == "ConvolutionReLUPooling"
        pools += merged or kind == "MaxPooling"
        number = re.fullmatch(r"Conv(\d+)", name)
        parts = (f"Relu{number[1]}", f"Pool{pools}") if number else ()
        if not merged or name.startswith("ConvolutionReLUPooling"):
            shown[name] = name
        elif parts and not kinds.keys() & set(parts):
            shown[name] = f"{name} with {' and '.join(parts)}"
        else:
            shown[name] = f"{name} with ReLU and pooling"
    return shown
