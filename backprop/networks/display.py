"""What networks and parameters show in a notebook."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ..backends import dtype_name
from ..pages import html
from ..pages.fragment import fragment
from .summary import counts, names, output_shapes

if TYPE_CHECKING:
    from .network import Network
    from .parameters import NamedParameters


def network_html(network: Network) -> str:
    """The table of a network's layers; without output shapes if that of the input is unknown."""
    what = (
        f"{type(network).__name__}: {network.size:,} parameters, {network.dtype} on {network.backend.device}"
    )
    rows = zip(
        names(network), _shapes(network), (f"{n:,}" if n else "" for n in counts(network)), strict=True
    )
    head = ("layer", "output", "parameters")
    return fragment(
        html.paragraph(what), html.table(*html.without_empty_columns(head, list(map(list, rows))))
    )


def _shapes(network: Network) -> list[str]:
    """The shape of each row's output; empty if it cannot be computed."""
    try:
        return output_shapes(network)
    except Exception:  # of any kind: the shape of a sample is unknown, or a layer refuses zeros
        return [""] * len(names(network))


def parameters_html(params: NamedParameters) -> str:
    """The table of a network's parameters."""
    rows = [
        (name, str(tuple(p.shape)), f"{math.prod(p.shape):,}", dtype_name(p.dtype))
        for name, p in params.items()
    ]
    return fragment(html.table(("parameter", "shape", "numbers", "dtype"), rows))
