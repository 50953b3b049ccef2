"""A block of layers with a shortcut around it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Self

import numpy as np

from ..backends import Array, Backend, namespace_of
from .activations import ReLU
from .affine import Affine
from .book_style.form import LayerLike
from .book_style.node import how_to_copy
from .checks import check_dout, no_layer
from .layer import Layer
from .naming import by_name
from .shared_batch import SharedBatch
from .spec import ArraySpec


def within_blocks(layers: Mapping[str, Layer]) -> Iterator[tuple[str, Layer]]:
    """The layers by name, with the layers of blocks in place of the blocks."""
    for name, layer in layers.items():
        if isinstance(layer, Residual):
            yield from within_blocks({f"{name}.{key}": inner for key, inner in layer.layers.items()})
        else:
            yield name, layer


class Residual(Layer):
    """y = x + F(x), where F is a stack of layers that keeps the shape; dx = dout + the gradient through F.

    The parameters are those of the layers, as `params["Affine1.W"]`.

    Parameters
    ----------
    layers : as for `Network`: a mapping of names to layers, or a sequence, named after the classes

    Source: He and others, *Deep residual learning for image recognition* (2015).

    >>> import numpy as np
    >>> block = Residual([Affine(np.eye(2), np.ones(2)), ReLU()])
    >>> block.forward(np.asarray([[1.0, -3.0]])), list(block.params)
    (array([[ 3., -3.]]), ['Affine1.W', 'Affine1.b'])
    """

    def __init__(self, layers: Mapping[str, LayerLike] | Sequence[LayerLike]) -> None:
        self.layers = by_name(layers)
        for name, layer in self.layers.items():
            if not isinstance(layer, Layer):
                raise no_layer(f"Residual: {name}", layer)
            if layer.is_owned:
                raise ValueError(
                    f"Residual: {name} is already in a network or block; give a copy, {how_to_copy(layer)}"
                )
        if len({id(layer) for layer in self.layers.values()}) < len(self.layers):
            raise ValueError("Residual: a layer stands in this block twice: give every place its own")
        self._own()
        super().__init__(**{f"{name}.{key}": layer.params[key] for name, layer, key in self._all("params")})
        self.state = {f"{name}.{key}": layer.state[key] for name, layer, key in self._all("state")}

    def forward(self, x: Array, *, training: bool = False) -> Array:
        self.move_state_to(x)
        self._lend()
        y = x
        for name, layer in self.layers.items():
            layer.name = f"{self.name}.{name}"
            y = layer.forward(y, training=training)
        self._keep_state()
        total = self._added(x, y)
        if not training:
            self.saved = None
        return total

    def backward(self, dout: Array) -> Array:
        check_dout(self.name, dout, self.saved)
        dx = dout
        for layer in reversed(self.layers.values()):
            dx = layer.backward(dx)
        return self._finished(dout, dx)

    def forward_parts(self, parts: Sequence[Self], xs: Sequence[Array], batch: SharedBatch) -> list[Array]:
        self.move_state_to(xs[0])
        for part in parts:
            part._lend()
        ys = list(xs)
        for name in self.layers:
            layers = [part.layers[name] for part in parts]
            for layer in layers:
                layer.name = f"{self.name}.{name}"
            ys = layers[0].forward_parts(layers, ys, batch)
        batch.sums_at_the_end(self._keep_state)  # after the layers' own
        return [part._added(x, y) for part, x, y in zip(parts, xs, ys, strict=True)]

    def backward_parts(
        self, parts: Sequence[Self], douts: Sequence[Array], batch: SharedBatch, *, needs_dx: bool = True
    ) -> list[Array]:
        for part, dout in zip(parts, douts, strict=True):
            check_dout(part.name, dout, part.saved)
        dxs = list(douts)
        for name in reversed(self.layers):
            layers = [part.layers[name] for part in parts]
            dxs = layers[0].backward_parts(layers, dxs, batch)
        return [part._finished(dout, dx) for part, dout, dx in zip(parts, douts, dxs, strict=True)]

    def _keep_state(self) -> None:
        """Take over the layers' state."""
        self.state.update({f"{name}.{key}": layer.state[key] for name, layer, key in self._all("state")})

    def _added(self, x: Array, y: Array) -> Array:
        """x + y; saves what backward needs."""
        if tuple(y.shape) != tuple(x.shape):
            raise ValueError(
                f"{self.name}: expected a block that keeps the shape {tuple(x.shape)}, got {tuple(y.shape)}"
            )
        self.saved = ArraySpec.of(y)
        return x + y

    def _finished(self, dout: Array, dx: Array) -> Array:
        """Take over the layers' gradients; return dout + dx."""
        for name, layer, key in self._all("params"):
            gradient = layer.grads[key]
            self.set_grad(f"{name}.{key}", namespace_of(dout).astype, gradient, gradient.dtype)
        return dout + dx

    def region(self, x: Array) -> Array | None:
        self._lend()
        xp, regions = namespace_of(x), []
        for layer in self.layers.values():
            here = layer.region(x)
            if here is not None:
                regions.append(xp.astype(xp.reshape(here, (-1,)), xp.int64))
            x = layer.forward(x, training=True)
        return xp.concat(regions) if regions else None

    def to(self, backend: Backend, dtype: Any = None) -> Self:
        self._lend()
        clone = super().to(backend, dtype)
        clone.layers = {name: layer.to(backend, dtype) for name, layer in self.layers.items()}
        clone.state = {f"{name}.{key}": layer.state[key] for name, layer, key in clone._all("state")}
        clone._own()
        return clone

    def state_dtype(self, dtype: Any) -> Any:
        return None  # each layer has its own

    def _own(self) -> None:
        for layer in self.layers.values():
            layer.is_owned = True

    def _all(self, kind: str) -> Iterator[tuple[str, Layer, str]]:
        return ((name, layer, key) for name, layer in self.layers.items() for key in getattr(layer, kind))

    def _lend(self) -> None:
        """Give every layer of the block its parameters and state, which a network may have moved."""
        for name, layer in self.layers.items():
            layer.params = {key: self.params[f"{name}.{key}"] for key in layer.params}
            layer.state = {key: self.state[f"{name}.{key}"] for key in layer.state}

    @classmethod
    def case(cls, rng: np.random.Generator) -> tuple[Residual, np.ndarray]:
        first = Affine(rng.standard_normal((4, 5)), 3.0 * rng.choice([-1.0, 1.0], 5))
        second = Affine(rng.standard_normal((5, 4)), rng.standard_normal(4))
        return cls([first, ReLU(), second]), 0.3 * rng.standard_normal((3, 4))
