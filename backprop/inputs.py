"""What the inputs of a network are: pixels from 0 to 255, or numbers that are taken as they are.

All of the training data shows it, once. From then on it belongs to the network and to its checkpoints, so
that what is predicted later is scaled as what was learnt, or refused.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from .backends import Array, backend_of, dtype_name, namespace_of

LARGEST_PIXEL = 255.0

IMAGE = 64
"""Whole numbers from 0 to 255 are pixels where a sample has so many of them; fewer may be a table."""

ROOM = 0.1
"""How far a resized picture may lie outside of its range, as a share of it."""

FAR = 10.0
"""How many times the range of the training data an input may lie outside of it before that is said."""

LARGE = 10.0
"""The root mean square of inputs from which on training is likely to fail."""

LOOKED_AT = 1000
"""How many samples, evenly spread, tell the root mean square."""


class InputWarning(UserWarning):
    """Inputs that were converted, or that are not as a network can learn them or has learnt them."""


class PrecisionWarning(InputWarning):
    """Inputs whose digits are more than the network has.

    The commands keep it to themselves: the data come from a file, and `train --dtype` is the user's choice.
    """


@dataclass(frozen=True)
class Inputs:
    """What the inputs of the training data were.

    Parameters
    ----------
    pixels : whether they are from 0 to 255 and are divided by 255
    dtype : their dtype
    shape : the shape of a sample
    least, largest : the range of their values, as they came
    whole : whether all of them are whole numbers
    """

    pixels: bool
    dtype: str
    shape: tuple[int, ...]
    least: float
    largest: float
    whole: bool

    @classmethod
    def of(cls, x: Array) -> Inputs:
        """What these training data are, without NaN and infinities."""
        least, largest = extent(x)
        dtype, shape = dtype_name(x.dtype), tuple(map(int, x.shape[1:]))
        whole = _is_whole(x)
        return cls(whole and _are_pixels(x, least, largest), dtype, shape, least, largest, whole)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Inputs:
        """The inverse of `to_dict`; raises `ValueError`, `TypeError` or `KeyError` for what is none."""
        least, largest = float(values["least"]), float(values["largest"])
        if not (math.isfinite(least) and math.isfinite(largest)):
            raise ValueError(f"the inputs are from {least} to {largest}")
        shape, pixels, whole = values["shape"], values["pixels"], values["whole"]
        if not isinstance(shape, list) or not all(type(n) is int and 0 <= n < 2**31 for n in shape):
            raise ValueError(f"the inputs are samples of shape {shape!r}")
        if type(pixels) is not bool or type(whole) is not bool:
            raise ValueError(f"the inputs are pixels: {pixels!r}, whole: {whole!r}; expected true or false")
        return cls(pixels, str(values["dtype"]), tuple(shape), least, largest, whole)

    def to_dict(self) -> dict[str, Any]:
        """Of JSON's kinds of values."""
        return {**asdict(self), "shape": list(self.shape)}

    def of_training(self, x: Array, dtype: str) -> Array:
        """The training data: bytes where they are pixels, else real numbers; what is unusual is said."""
        if self.pixels:
            if dtype_name(x.dtype) != "uint8":
                _say(
                    f"the inputs are whole numbers of {self.dtype} from {self.least:g} to {self.largest:g}: "
                    "they are taken for pixels and divided by 255 (floats from 0 to 1 are taken as they are)"
                )
            xp = namespace_of(x)
            return xp.astype(x, xp.uint8)
        if dtype_name(x.dtype) == "uint8" and self.largest > 1.0:
            _say(
                f"the inputs are bytes from {self.least:g} to {self.largest:g}: they are taken as they are, "
                "not for pixels from 0 to 255"
            )
        x = _as_floats(x, dtype)
        if (size := root_mean_square(x)) > LARGE:
            _say(
                f"the inputs are large, from {self.least:.4g} to {self.largest:.4g} with a root mean square "
                f"of {size:.4g}, and training on them is likely to fail: scale them, as pixels by 1 / "
                "255 (of 16 bits by 1 / 65535), or standardize every column, "
                "(x - x.mean(axis=0)) / x.std(axis=0)"
            )
        return x

    def of_prediction(self, x: Array, dtype: str) -> Array:
        """Other inputs, laid out already, scaled as those of the training: bytes for pixels, or real numbers.

        Raises `ValueError` where they cannot be of the same scale.
        """
        its = dtype_name(x.dtype)
        if self.pixels:
            return x if its == "uint8" else self._pixels(x, dtype)
        least, largest = extent(x)
        if its == "uint8" and self._are_scaled_pixels:
            return x
        reach = FAR * (self.largest - self.least)
        if reach and not self.least - reach <= least <= largest <= self.largest + reach:
            _say(
                f"the inputs reach from {least:.4g} to {largest:.4g}, but the network has learnt from "
                f"{self.least:.4g} to {self.largest:.4g}: scale them as its training data were"
            )
        return _as_floats(x, dtype)

    @property
    def may_be_pictures(self) -> bool:
        """Whether they were pixels, or can be bytes divided by 255."""
        return self.pixels or self._are_scaled_pixels

    @property
    def _are_scaled_pixels(self) -> bool:
        """Whether they can be bytes divided by 255."""
        return self.dtype.startswith("float") and self.least >= 0.0 and self.largest <= 1.0 and not self.whole

    def _pixels(self, x: Array, dtype: str) -> Array:
        """Pixels of another dtype than bytes, as floats from 0 to 1."""
        if dtype_name(x.dtype) == "bool":
            return _as_floats(x, dtype)
        least, largest = extent(x)
        is_float = dtype_name(x.dtype).startswith("float")
        is_unit = is_float and least >= -ROOM and largest <= 1.0 + ROOM
        if is_unit and (self.dtype == "uint8" or not _is_whole(x)):
            return x
        room = ROOM if is_float else 0.0
        if not (-room * largest <= least and largest <= (1.0 + room) * LARGEST_PIXEL):
            raise ValueError(
                f"the network has learnt from pixels from 0 to 255, but this input reaches from {least:.4g} "
                f"to {largest:.4g}: give pixels, or floats from 0 to 1; for a new start with other data, "
                "build a new network, or set network.inputs = None"
            )
        return _as_floats(x, dtype) * (1.0 / LARGEST_PIXEL)


def laid_out(x: Array, sample: tuple[int, ...] | None) -> Array:
    """x with samples of this shape, where it is certain how: flat ones, and images with channels last.

    Raises `ValueError` for as many numbers in another order.
    """
    own = tuple(map(int, x.shape[1:]))
    if sample is None or own == sample or math.prod(own) != math.prod(sample):
        return x
    xp = namespace_of(x)
    if len(own) == 1 or len(sample) == 1 or _without_ones(own) == _without_ones(sample):
        return xp.reshape(x, (x.shape[0], *sample))
    if len(own) == len(sample) == 3 and own == (*sample[1:], sample[0]):
        _say(f"images {own} have their channels last: they are taken as {sample}")
        return xp.permute_dims(x, (0, 3, 1, 2))
    raise ValueError(
        f"expected samples of shape {sample}, as the network has learnt from, got {own}: as many numbers, "
        "in another order"
    )


NO_NUMBERS = {
    "c": "take the real parts, array.real, or array.real and array.imag side by side",
    "V": "from numpy.lib.recfunctions import structured_to_unstructured, and take that of it",
    "M": 'count from a day, (array - array.min()) / numpy.timedelta64(1, "D")',
    "m": 'count in days, array / numpy.timedelta64(1, "D")',
}
"""How kinds of dtypes that are no real numbers become some."""


IN_A_FILE = {
    **NO_NUMBERS,
    **dict.fromkeys(
        "OSU",
        "save array.astype(numpy.float32), without the columns that are no numbers, or with these numbered",
    ),
}
"""The same of an array in a file, of which no single entry is looked at."""


def kind_of(dtype: Any) -> str:
    """What a NumPy array holds, in words: a dtype's own name says little of texts.

    >>> kind_of(np.asarray(["cat"]).dtype), kind_of(np.dtype("float32"))
    ('texts', 'float32')
    """
    if dtype.kind in "UST":
        return "texts"
    if dtype.names:
        return "structured records"
    return "objects" if dtype.kind == "O" else str(dtype)


def as_numbers(name: str, x: Any) -> Any:
    """A NumPy array of objects or texts as floating-point numbers; real numbers as they are.

    Raises `TypeError` for other dtypes, and with the first entry that is no number.
    """
    if not isinstance(x, np.ndarray) or x.dtype.kind in "fiub":
        return x
    if x.dtype.kind in NO_NUMBERS:
        found = "a structured array" if x.dtype.names else str(x.dtype)
        raise TypeError(f"{name}: expected real numbers, got {found}; {NO_NUMBERS[x.dtype.kind]}")
    wrong = next(((i, v) for i, v in np.ndenumerate(x) if not _is_number(v)), None)
    if wrong is not None:
        raise TypeError(
            f"{name}: expected numbers, got {wrong[1]!r} at {list(wrong[0])}; leave such columns out, or "
            "number their values: values, column = numpy.unique(column, return_inverse=True)"
        )
    return x.astype(np.float64)


def _is_number(value: Any) -> bool:
    """Whether it is one, or the text of one; None is a gap."""
    try:
        return value is None or isinstance(float(value), float)
    except (TypeError, ValueError):
        return False


def check_finite(name: str, x: Array) -> None:
    """Raise a `ValueError` that says where the first NaN or infinity is."""
    if not dtype_name(x.dtype).startswith("float"):
        return
    xp = namespace_of(x)
    for start, part in _parts(x):
        if bool(xp.all(xp.isfinite(part))):
            continue
        host = backend_of(part).to_numpy(part)
        row, *columns = (int(i) for i in np.argwhere(~np.isfinite(host))[0])
        value = host[(row, *columns)]
        column = {0: "", 1: f", column {columns[0]}" if columns else ""}.get(len(columns), f", at {columns}")
        raise ValueError(
            f"{name}: {value} in row {start + row}{column} (counted from 0): expected finite numbers; fill "
            "such gaps, as with the column's mean, or leave these rows out"
        )


def extent(x: Array) -> tuple[float, float]:
    """The least and the largest value."""
    if dtype_name(x.dtype) == "bool":
        return 0.0, 1.0
    backend = backend_of(x)
    if backend.device == "cpu":
        host = backend.to_numpy(x)
        return float(host.min()), float(host.max())
    return float(backend.to_numpy(backend.xp.min(x))), float(backend.to_numpy(backend.xp.max(x)))


def _are_pixels(x: Array, least: float, largest: float) -> bool:
    """Whether whole numbers can be the pixels of images."""
    if not (least >= 0.0 and LARGEST_PIXEL / 2.0 < largest <= LARGEST_PIXEL):
        return False
    return dtype_name(x.dtype) == "uint8" or x.ndim >= 3 or math.prod(x.shape[1:]) >= IMAGE


def _is_whole(x: Array) -> bool:
    if not dtype_name(x.dtype).startswith("float"):
        return True
    xp = namespace_of(x)
    return all(bool(xp.all(xp.floor(part) == part)) for _, part in _parts(x))


def _parts(x: Array) -> Iterator[tuple[int, Array]]:
    """The samples, so many at a time, with the number of the first."""
    for start in range(0, x.shape[0], LOOKED_AT):
        yield start, x[start : min(start + LOOKED_AT, x.shape[0]), ...]


def root_mean_square(x: Array) -> float:
    """The root mean square of evenly spread samples."""
    part = x[:: max(1, x.shape[0] // LOOKED_AT), ...]
    host = backend_of(part).to_numpy(part).astype(np.float64)
    return math.sqrt(float(np.square(host).mean())) if host.size else 0.0


def _as_floats(x: Array, dtype: str) -> Array:
    xp = namespace_of(x)
    return x if dtype_name(x.dtype).startswith("float") else xp.astype(x, getattr(xp, dtype))


def _without_ones(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(n for n in shape if n != 1)


def _say(text: str) -> None:
    warnings.warn(text, InputWarning, stacklevel=4)
