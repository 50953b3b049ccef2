"""A network's gradient by central differences."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..backends import Array
from ..layers.book_style.draws import Draws
from ..numerical import central_differences

if TYPE_CHECKING:
    from .network import Network


def numerical_gradient(network: Network, x: Array, t: Array, h: float, draws: Draws) -> dict[str, Array]:
    """Differentiate the loss with respect to every parameter, in float64, on a copy of the network.

    Layers in the book's style begin every run with these `draws`.
    """
    copied, backend = network.to(dtype="float64"), network.backend
    x = copied.as_input(x)
    with network.computing(x.shape[0]):
        y = copied.forward(x)
        t = copied.as_target(t, y.shape[0], tuple(y.shape[1:]))
        start = copied.copy_state()

        def loss() -> float:
            for key, value in start.items():  # the same masks in every run
                copied.state[key] = backend.xp.asarray(value, copy=True)
            draws.restore(copied.layers)
            y = copied.forward(x, training=True)
            return float(backend.to_numpy(copied.penalized(copied.last_layer.forward(y, t))))

        def gradient(name: str) -> Array:
            values = np.array(backend.to_numpy(copied.params[name]))

            def with_entry(index: tuple[int, ...], entry: float) -> float:
                changed = values.copy()
                changed[index] = entry
                copied.params[name] = backend.asarray(changed)
                return loss()

            differences = central_differences(with_entry, values, h)
            copied.params[name] = backend.asarray(values)
            return backend.asarray(differences)

        return {name: gradient(name) for name in network.params}
