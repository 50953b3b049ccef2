"""Arrays of one sample, and weights, as pictures: images, feature maps, or a strip with a cell per number."""

from __future__ import annotations

import numpy as np

from ..backends import HostArray
from ..pages import html
from ..pages.images import LARGEST, sample_image, weight_image, weights_as_images
from ..pictures import image_shape
from .steps import PART, Step

MOST_PICTURES = 32
"""The most feature maps or weights that are shown of an array."""

LONGEST_STRIP = 1024
"""Longer arrays are not shown as a strip."""

LARGEST_MATRIX = 256
"""A matrix with more rows or columns is not shown."""

Sources = list[tuple[str, str]]
"""Addresses of images, with their descriptions."""


def of_input(x: HostArray, name: str, caption: str = "") -> str:
    """A sample of the data as an image; empty if it is none."""
    source = sample_image(np.nan_to_num(x)) if image_shape(x.shape) else None
    return html.picture(source, name, caption) if source else ""


def of_step(step: Step, sample: int, image: tuple[int, ...]) -> str:
    """The sample's arrays and the weights of a step; `image` is the shape of a sample of the data."""
    parts = []
    for name, values in step.arrays.items():
        key = name.removeprefix(PART)
        own = image if key in ("x", "W") and step.node.inputs[0].shape[1:] == image else ()
        if key in step.node.params:
            parts.append(_of_weights(name, values, own))
        elif key in ("x", "y") and values.ndim > 1:
            parts.append(_of_sample(name, values[sample], own))
    return "".join(parts)


def _of_sample(name: str, values: HostArray, image: tuple[int, ...]) -> str:
    """An image of the data's shape, feature maps, or a strip."""
    shape = image_shape(values.shape)
    if shape and values.shape == image:
        if name == "x":
            return _titled("x, the sample", html.grid("single", [of_input(values, name)]))
        values = values.reshape(shape)
    if values.ndim == 3:
        top = _largest(values)
        maps = _first(values[:, None])
        sources = [(weight_image(_small(one), top), f"{name}, channel {i}") for i, one in maps]
        kind = "maps" if len(values) > 1 else "single"
        return _colours(f"{name} of the sample", sources, len(values), kind, top)
    return _strip(name, values) if values.ndim == 1 else ""


def _of_weights(name: str, values: HostArray, image: tuple[int, ...]) -> str:
    """Weights as images, a small matrix as one image, or biases as a strip."""
    if values.ndim == 1:
        return _strip(name, values)
    images = weights_as_images(values, image)
    if images is None:
        return _matrix(name, values)
    top = _largest(images)
    sources = [(weight_image(_small(one), top), f"{name}, picture {i}") for i, one in _first(images)]
    each = "output" if values.ndim == 2 else "filter" if len(images) == len(values) else "filter and channel"
    return _colours(f"{name}, a picture for each {each}", sources, len(images), "weights", top)


def _matrix(name: str, values: HostArray) -> str:
    """A small matrix, turned to be wider than high."""
    if values.ndim != 2 or max(values.shape) > LARGEST_MATRIX:
        return ""
    is_high = values.shape[0] > values.shape[1]
    rows, top = values.T if is_high else values, _largest(values)
    title = f"{name}, transposed: a row for each output" if is_high else f"{name}: a row for each input"
    return _colours(title, [(weight_image(_finite(rows)[None], top), name)], 1, "matrix", top)


def _strip(name: str, values: HostArray) -> str:
    """A row of cells, one for each number."""
    if not 1 < values.size <= LONGEST_STRIP:
        return ""
    if not values.any():
        return _titled(f"{name}: all {values.size:,} numbers are 0", "")
    top = _largest(values)
    sources = [(weight_image(_finite(values)[None, None], top), name)]
    return _colours(f"{name}, a cell for each of its {values.size:,} numbers", sources, 1, "strip", top)


def _colours(title: str, sources: Sources, count: int, kind: str, top: float) -> str:
    """Images in which red is above 0 and blue below."""
    some = "" if len(sources) == count else f" (the first {len(sources)} of {count:,})"
    caption = f"{title}{some}: red above 0, blue below, full colour at {html.number(top)}"
    return _titled(caption, html.grid(kind, [html.picture(source, alt) for source, alt in sources]))


def _titled(caption: str, content: str) -> str:
    return f'<div class="picture">\n{html.paragraph(html.unbroken(caption))}{content}</div>\n'


def _first(images: HostArray) -> enumerate[HostArray]:
    return enumerate(images[:MOST_PICTURES])


def _largest(values: HostArray) -> float:
    """The largest finite |value|, or 1."""
    return float(np.abs(_finite(values)).max()) or 1.0


def _finite(values: HostArray) -> HostArray:
    """The values in float64, with 0 where they are not finite."""
    wide = values.astype(np.float64)
    return np.asarray(np.where(np.isfinite(wide), wide, 0.0))


def _small(image: HostArray) -> HostArray:
    """An image (C, H, W), subsampled if it is large."""
    every = -(-max(image.shape[1:]) // LARGEST)
    return _finite(image)[:, ::every, ::every]
