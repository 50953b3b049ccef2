"""Turn samples and weights into small PNG images, embedded in the page.

Source of the format: https://www.w3.org/TR/png/.
"""

from __future__ import annotations

import base64
import math
import struct
import zlib

import numpy as np

from ..backends import HostArray
from ..pictures import image_shape

LARGEST = 96
"""Larger images are subsampled to this height and width."""

COLOUR_TYPES = {1: 0, 3: 2, 4: 6}
"""PNG's colour types by the number of channels."""

POSITIVE, NEGATIVE = (196, 60, 30), (30, 90, 180)
"""The colours of weights; near 0 they are transparent."""


def sample_image(x: HostArray) -> str | None:
    """A sample as an image: bytes as they are, other values scaled to their range."""
    shape = image_shape(x.shape)
    if shape is None:
        return None
    every = -(-max(shape[1:]) // LARGEST)
    image = x.reshape(shape)[:, ::every, ::every]
    if image.dtype != np.uint8:
        image = image - image.min().astype(np.float64)
        image = image * (255.0 / max(image.max(), 1e-30))
    return png(np.moveaxis(image, 0, 2).round().astype(np.uint8))


def weight_image(W: HostArray, largest: float) -> str:
    """Weights (C, H, W) from −largest (blue) over 0 (transparent) to largest (red); or 3 channels as RGB."""
    share = np.clip(W / max(largest, 1e-30), -1.0, 1.0)
    if len(W) == 3:
        return png(np.moveaxis(127.5 + 127.5 * share, 0, 2).round().astype(np.uint8))
    share = share[0][..., None]  # (H, W, 1)
    colour = np.where(share > 0.0, np.asarray(POSITIVE), np.asarray(NEGATIVE))  # (H, W, 3)
    return png(np.concatenate([colour, 255.0 * np.abs(share)], axis=2).round().astype(np.uint8))


def weights_as_images(W: HostArray, sample: tuple[int, ...]) -> HostArray | None:
    """Weights as images (K, 1 or 3, H, W); None if they are not.

    They are the columns of a matrix (D, K) if a sample is an image of D pixels, or the filters
    (FN, C, FH, FW), with an image for each channel if C is neither 1 nor 3.
    """
    if W.ndim == 4:
        return W if W.shape[1] in (1, 3) else W.reshape(-1, 1, *W.shape[2:])
    shape = image_shape(sample)
    fits = W.ndim == 2 and shape is not None and math.prod(shape) == W.shape[0]
    return W.T.reshape(-1, *shape) if shape is not None and fits else None


def png(pixels: HostArray) -> str:
    """The `data:` URL of a uint8 image: (H, W, 1) grey, (H, W, 3) RGB or (H, W, 4) RGBA."""
    height, width, channels = pixels.shape
    rows = np.zeros(
        (height, 1 + width * channels), np.uint8
    )  # each row starts with its filter type, 0 for none
    rows[:, 1:] = pixels.reshape(height, -1)
    header = struct.pack(">IIBBBBB", width, height, 8, COLOUR_TYPES[channels], 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes(), 9)), (b"IEND", b""))
    data = b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*part) for part in parts)
    return f"data:image/png;base64,{base64.b64encode(data).decode()}"


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
