"""Samples and weights as small images: PNG data that stands in the page itself.

Source: https://www.w3.org/TR/png/ (the format).
"""

from __future__ import annotations

import base64
import struct
import zlib

import numpy as np

from ..backends import HostArray
from ..pictures import image_shape

LARGEST = 96
"""The height and width above which rows and columns are left out."""

KINDS = {1: 0, 3: 2, 4: 6}
"""What PNG calls pixels of so many channels."""

POSITIVE, NEGATIVE = (196, 60, 30), (30, 90, 180)
"""The colours of weights; those near 0 show the page through."""


def sample_image(x: HostArray) -> str | None:
    """A sample as an image, bytes as they are, other numbers from the smallest to the largest."""
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
    """Weights (C, H, W) from −largest to largest: blue, clear at 0, to red; or three channels as RGB."""
    share = np.clip(W / max(largest, 1e-30), -1.0, 1.0)
    if len(W) == 3:
        return png(np.moveaxis(127.5 + 127.5 * share, 0, 2).round().astype(np.uint8))
    share = share[0][..., None]  # (H, W, 1)
    colour = np.where(share > 0.0, np.asarray(POSITIVE), np.asarray(NEGATIVE))  # (H, W, 3)
    return png(np.concatenate([colour, 255.0 * np.abs(share)], axis=2).round().astype(np.uint8))


def png(pixels: HostArray) -> str:
    """A `data:` address of the image: (H, W, 1) in grey, (H, W, 3) in RGB or (H, W, 4) in RGBA, uint8."""
    height, width, channels = pixels.shape
    rows = np.zeros((height, 1 + width * channels), np.uint8)  # a row begins with its filter: none
    rows[:, 1:] = pixels.reshape(height, -1)
    header = struct.pack(">IIBBBBB", width, height, 8, KINDS[channels], 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes(), 9)), (b"IEND", b""))
    data = b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*part) for part in parts)
    return f"data:image/png;base64,{base64.b64encode(data).decode()}"


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
