"""`Inputs`: a description of the training data, by which later inputs are scaled."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ..backends import Array, dtype_name, namespace_of
from .messages import warn
from .statistics import LARGE, extent, is_whole, root_mean_square

LARGEST_PIXEL = 255.0

IMAGE_SIZE = 64
"""Whole numbers from 0 to 255 are pixels where a sample has so many of them; fewer may be a table."""

MARGIN = 0.1
"""How far a resized picture may lie outside its range, as a share of it."""

FAR = 10.0
"""An input warns that lies outside the range of the training data by so many times this range."""


@dataclass(frozen=True)
class Inputs:
    """A description of the training data.

    Parameters
    ----------
    pixels : whether they go from 0 to 255 and are divided by 255
    dtype : their dtype
    shape : the shape of a sample
    least, largest : the range of their values, before any scaling
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
        """The description of these training data, which must be finite."""
        least, largest = extent(x)
        dtype, shape = dtype_name(x.dtype), tuple(map(int, x.shape[1:]))
        whole = is_whole(x)
        return cls(whole and _are_pixels(x, least, largest), dtype, shape, least, largest, whole)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Inputs:
        """The inverse of `to_dict`; raises `ValueError`, `TypeError` or `KeyError` for anything else."""
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
        """The description in values that JSON has."""
        return {**asdict(self), "shape": list(self.shape)}

    def of_training(self, x: Array, dtype: str) -> Array:
        """The training data as bytes where they are pixels, else as real numbers; unusual ones warn."""
        if self.pixels:
            if dtype_name(x.dtype) != "uint8":
                warn(
                    f"the inputs are whole numbers of {self.dtype} from {self.least:g} to {self.largest:g}: "
                    "they are taken for pixels and divided by 255 (floats from 0 to 1 are taken as they are)"
                )
            xp = namespace_of(x)
            return xp.astype(x, xp.uint8)
        if dtype_name(x.dtype) == "uint8" and self.largest > 1.0:
            warn(
                f"the inputs are bytes from {self.least:g} to {self.largest:g}: they are taken as they are, "
                "not for pixels from 0 to 255"
            )
        x = _as_floats(x, dtype)
        if (size := root_mean_square(x)) > LARGE:
            warn(
                f"the inputs are large, from {self.least:.4g} to {self.largest:.4g} with a root mean square "
                f"of {size:.4g}, and training on them is likely to fail: scale them, as pixels by 1 / "
                "255 (of 16 bits by 1 / 65535), or standardize every column, "
                "(x - x.mean(axis=0)) / x.std(axis=0)"
            )
        return x

    def of_prediction(self, x: Array, dtype: str) -> Array:
        """Later inputs, laid out already, scaled like the training data: pixel bytes, or real numbers.

        Raises `ValueError` where they cannot have the same scale.
        """
        its = dtype_name(x.dtype)
        if self.pixels:
            return x if its == "uint8" else self._pixels(x, dtype)
        least, largest = extent(x)
        if its == "uint8" and self._are_scaled_pixels:
            return x
        reach = FAR * (self.largest - self.least)
        if reach and not self.least - reach <= least <= largest <= self.largest + reach:
            warn(
                f"the inputs reach from {least:.4g} to {largest:.4g}, but the network has learned from "
                f"{self.least:.4g} to {self.largest:.4g}: scale them as its training data were"
            )
        return _as_floats(x, dtype)

    @property
    def may_be_pictures(self) -> bool:
        """Whether they were pixels, or may be bytes divided by 255."""
        return self.pixels or self._are_scaled_pixels

    @property
    def _are_scaled_pixels(self) -> bool:
        """Whether they may be bytes divided by 255."""
        return self.dtype.startswith("float") and self.least >= 0.0 and self.largest <= 1.0 and not self.whole

    def _pixels(self, x: Array, dtype: str) -> Array:
        """Pixels that are not bytes, as floats from 0 to 1."""
        if dtype_name(x.dtype) == "bool":
            return _as_floats(x, dtype)
        least, largest = extent(x)
        is_float = dtype_name(x.dtype).startswith("float")
        is_unit = is_float and least >= -MARGIN and largest <= 1.0 + MARGIN
        if is_unit and (self.dtype == "uint8" or not is_whole(x)):
            return x
        room = MARGIN if is_float else 0.0
        if not (-room * largest <= least and largest <= (1.0 + room) * LARGEST_PIXEL):
            raise ValueError(
                f"the network has learned from pixels from 0 to 255, but this input reaches from {least:.4g} "
                f"to {largest:.4g}: give pixels, or floats from 0 to 1; for a new start with other data, "
                "build a new network, or set network.inputs = None"
            )
        return _as_floats(x, dtype) * (1.0 / LARGEST_PIXEL)


def _are_pixels(x: Array, least: float, largest: float) -> bool:
    """Whether whole numbers may be the pixels of images."""
    if not (least >= 0.0 and LARGEST_PIXEL / 2.0 < largest <= LARGEST_PIXEL):
        return False
    return dtype_name(x.dtype) == "uint8" or x.ndim >= 3 or math.prod(x.shape[1:]) >= IMAGE_SIZE


def _as_floats(x: Array, dtype: str) -> Array:
    xp = namespace_of(x)
    return x if dtype_name(x.dtype).startswith("float") else xp.astype(x, getattr(xp, dtype))
