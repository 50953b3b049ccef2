"""Every function of the package that is `fused`, with arguments for a test."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import backprop

FOLDERS = ("layers", "losses", "networks", "optimizers")


def fused_functions() -> dict[str, Callable[..., Any]]:
    """The fused functions by file and name: `"activations._relu"`."""
    found = {}
    for folder in FOLDERS:
        package = importlib.import_module(f"{backprop.__name__}.{folder}")
        for info in pkgutil.iter_modules(package.__path__):
            module = importlib.import_module(f"{package.__name__}.{info.name}")
            for name, value in vars(module).items():
                plain = getattr(value, "__wrapped__", None)
                if plain is not None and plain.__module__ == module.__name__ and callable(value):
                    found[f"{info.name}.{name}"] = value
    return found


class Kind(NamedTuple):
    """An array of a dtype, or of the dtype that is tested."""

    shape: tuple[int, ...]
    dtype: str = ""

    def numbers(self, dtype: str, rng: np.random.Generator) -> np.ndarray:
        """Numbers of every kind: small, large, ±0, ±∞ and NaN."""
        name = self.dtype or dtype
        if name == "bool":
            return rng.integers(0, 2, self.shape).astype(bool)
        if not name.startswith("float"):
            return rng.integers(0, 10, self.shape).astype(name)
        special = [0.0, -0.0, np.inf, -np.inf, np.nan, 1e4, -1e4, 1e-4]
        normal = 2.0 * rng.standard_normal(self.shape)
        chosen = rng.choice(special, self.shape)
        return np.where(rng.random(self.shape) < 0.3, chosen, normal).astype(name)


class Case(NamedTuple):
    """Arguments by position, arrays and numbers, and options."""

    arguments: tuple[Kind | float, ...]
    options: dict[str, Any]


def _case(*arguments: Kind | float, **options: Any) -> Case:
    return Case(arguments, options)


X, ROW, COLUMN, NUMBER = Kind((5, 6)), Kind((1, 6)), Kind((5, 1)), Kind(())
VECTOR, MASK, BYTES, PLACES = Kind((6,)), Kind((5, 6), "bool"), Kind((5, 6), "uint8"), Kind((5, 6), "int64")
IMAGES, IMAGE_MASK, FILTERS = Kind((2, 3, 4, 2)), Kind((2, 3, 4, 2), "bool"), Kind((2, 1, 1, 1))

CASES: dict[str, list[Case]] = {
    "activations._relu": [_case(X), _case(NUMBER), _case(Kind((0, 3))), _case(IMAGES)],
    "activations.where_true": [_case(X, MASK), _case(NUMBER, Kind((), "bool"))],
    "activations._tanh_and_slope": [_case(X), _case(NUMBER), _case(Kind((0, 3)))],
    "activations._leaky_relu": [_case(X, slope=0.1), _case(NUMBER, slope=1e-30)],
    "activations._leaky_relu_backward": [_case(X, X, slope=0.1)],
    "activations._gelu": [_case(X), _case(NUMBER), _case(Kind((0, 3)))],
    "activations._gelu_backward": [_case(X, X, X)],
    "activations.sigmoid": [_case(X), _case(NUMBER)],
    "activations._sigmoid_and_slope": [_case(X), _case(Kind((0, 3)))],
    "dropout._dropped": [
        _case(X, PLACES, Kind((), "int64"), ratio=ratio, inverted=inverted)
        for ratio in (0.0, 0.4)
        for inverted in (True, False)
    ],
    "normalization._sum_of_products": [
        _case(X, X, axis=0),
        _case(IMAGES, IMAGES, axis=(0, 2, 3)),
        _case(Kind((600, 2)), Kind((600, 2)), axis=0),
    ],
    "normalization._variance": [_case(VECTOR, 7, epsilon=1e-6)],
    "normalization._scaled": [_case(X, VECTOR, VECTOR, VECTOR), _case(IMAGES, *[Kind((1, 3, 1, 1))] * 3)],
    "normalization._batch_backward": [
        _case(X, X, *[VECTOR] * 4, 7),
        _case(IMAGES, IMAGES, *[Kind((1, 3, 1, 1))] * 4, 7),
    ],
    "normalization._weighed": [_case(NUMBER, momentum=0.9)],
    "normalization._remembered": [_case(*[VECTOR] * 4, NUMBER, momentum=0.9)],
    "normalization._centred": [_case(X, COLUMN)],
    "normalization._inverse": [_case(COLUMN, epsilon=1e-6)],
    "normalization._normalized": [_case(X, COLUMN, VECTOR, VECTOR)],
    "normalization._products": [_case(X, VECTOR, X)],
    "normalization._layer_backward": [_case(X, X, COLUMN, COLUMN, COLUMN)],
    "pooling._largest": [_case(*[IMAGES] * 4), _case(IMAGES)],
    "pooling._parts": [_case(IMAGES, *[IMAGE_MASK] * 3), _case(IMAGES)],
    "merged._pooled": [_case(FILTERS, *[IMAGES] * 4), _case(FILTERS, IMAGES)],
    "merged._parts": [_case(IMAGES, *[IMAGE_MASK] * 4), _case(IMAGES, IMAGE_MASK)],
    "softmax_with_loss._exponentials": [_case(X, COLUMN, MASK), _case(X, COLUMN, X)],
    "softmax_with_loss._log_and_minus": [_case(VECTOR, VECTOR), _case(COLUMN, X)],
    "softmax_with_loss._backward": [_case(X, COLUMN, MASK, NUMBER), _case(X, COLUMN, MASK, 0.01)],
    "softmax_with_loss._backward_of_distribution": [
        _case(X, COLUMN, X, COLUMN, NUMBER), _case(X, COLUMN, X, COLUMN, 0.01),
    ],
    "softmax_with_loss._count_equal": [
        _case(Kind((600,), "int64"), Kind((600,), "uint8")), _case(Kind((0,), "int64"), Kind((0,), "int64")),
    ],
    "sigmoid_with_loss._cross_entropies": [_case(X, X)],
    "sigmoid_with_loss._backward": [_case(X, X, NUMBER), _case(X, X, 0.01)],
    "sigmoid_with_loss._agree": [_case(X, X)],
    "mean_squared_error._difference": [_case(X, X), _case(Kind((2, 3, 4, 5)), Kind((2, 3, 4, 5)))],
    "border._of_bytes": [_case(BYTES, dtype="float32"), _case(BYTES, dtype="float64")],
    "network._plus_share": [_case(NUMBER, NUMBER, share=0.1)],
    "network._decayed": [_case(X, X, NUMBER), _case(X, X, 0.1)],
    "clipping._squares": [_case(X, NUMBER)],
    "clipping._scale": [_case(NUMBER, NUMBER, 2.0)],
}  # fmt: skip
