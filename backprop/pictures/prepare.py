"""Adapt a picture to the size and style of a network's training data."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..backends import HostArray
from .files import PictureError
from .ink import count_signs, find_ink, normalize_ink
from .morphology import resize
from .style import BRIGHT, DARK, Style, border, fills_box

UNCERTAIN = (
    "the ink cannot be told from its surroundings, perhaps because the edge of the paper is visible: "
    "crop the picture to the paper around one sign"
)


class RefusedError(PictureError):
    """A picture without a sign, or with an uncertain one; `pixels` is what was found instead."""

    def __init__(self, message: str, pixels: HostArray) -> None:
        super().__init__(message)
        self.pixels = pixels
        """(C, H, W), uint8."""


@dataclass(frozen=True)
class PreparedPicture:
    """A picture as a network sees it."""

    pixels: HostArray
    """(C, H, W), uint8."""
    notes: tuple[str, ...]
    """The steps of the preparation, and oddities, in words."""


def prepare_picture(pixels: HostArray, size: tuple[int, int], style: Style) -> PreparedPicture:
    """Adapt a picture (C, H, W) from 0 to 1 to a size (H, W) and a style.

    Ink becomes bright or dark, as in the style. If the style has a box, the paper is removed, and the ink is
    fitted into the box and centred, as in MNIST. Otherwise the whole picture is resized, keeping its aspect
    ratio.
    """
    if style.ink is None:
        return PreparedPicture(_resize_plain(pixels, size), _resize_note(pixels, size))
    if pixels.min() == pixels.max():
        raise RefusedError("the picture is empty: it has one colour", _resize_plain(pixels, size))
    if style.box is None:
        return _resize_ink(pixels, size, style.ink)
    return _normalize(pixels[0], size, style.ink, style.box)


def _normalize(grey: HostArray, size: tuple[int, int], ink: str, box: int) -> PreparedPicture:
    """Normalize the ink as in MNIST; a picture that already is stays as it is."""
    if not 0 < box < min(size):
        raise PictureError(f"a box of {box} does not fit into the network's pictures, {size[0]} × {size[1]}")
    dark = _has_bright_border(grey)
    bright = 1.0 - grey if dark else grey
    if grey.shape == size and fills_box(bright[None], box)[0]:
        return _in_style(bright[None], dark, ink, _note_of_several_signs(bright))
    found = find_ink(grey)
    if found is None:
        message = "the picture is empty: no ink stands out from the paper"
        raise RefusedError(message, _resize_plain(grey[None], size))
    note = f"cropped to the ink, fitted into {box} × {box} and centred in {size[0]} × {size[1]}"
    notes = (*found.removed, note, *_note_of_several_signs(found.ink))
    prepared = _in_style(normalize_ink(found.ink, size, box)[None], found.dark, ink, notes)
    if not found.certain:
        raise RefusedError(UNCERTAIN, prepared.pixels)
    return prepared


def _note_of_several_signs(ink: HostArray) -> tuple[str, ...]:
    """A note if the ink (H, W) looks like several signs."""
    count = count_signs(ink)
    note = f"found {count} separate pieces of ink, expected one sign: crop the picture to one"
    return (note,) if count > 1 else ()


def _resize_ink(pixels: HostArray, size: tuple[int, int], ink: str) -> PreparedPicture:
    """Resize ink with its paper."""
    dark = _has_bright_border(pixels)
    whole = _resize_onto(1.0 - pixels if dark else pixels, size, np.zeros(len(pixels)))
    return _in_style(whole, dark, ink, _resize_note(pixels, size))


def _in_style(bright: HostArray, dark: bool, ink: str, notes: tuple[str, ...]) -> PreparedPicture:
    """Turn bright ink into the style's; `dark` tells what it was originally."""
    if dark != (ink == DARK):
        notes = ("dark on bright, so inverted" if dark else "bright on dark, so inverted", *notes)
    return PreparedPicture(_to_bytes(bright if ink == BRIGHT else 1.0 - bright), notes)


def _resize_onto(pixels: HostArray, size: tuple[int, int], paper: HostArray) -> HostArray:
    """Resize the picture to the largest that fits, centred on paper of the colour (C,)."""
    if pixels.shape[1:] == size:
        return pixels
    scale = min(n / own for n, own in zip(size, pixels.shape[1:], strict=True))
    height, width = (max(1, round(own * scale)) for own in pixels.shape[1:])
    top, left = (size[0] - height) // 2, (size[1] - width) // 2
    field = np.broadcast_to(paper[:, None, None], (len(pixels), *size)).astype(np.float32)
    for own, plane in zip(field, pixels, strict=True):
        own[top : top + height, left : left + width] = resize(plane, height, width)
    return field


def _resize_plain(pixels: HostArray, size: tuple[int, int]) -> HostArray:
    """Resize the picture and change nothing else."""
    return _to_bytes(_resize_onto(pixels, size, np.median(border(pixels), axis=1)))


def _resize_note(pixels: HostArray, size: tuple[int, int]) -> tuple[str, ...]:
    same = pixels.shape[1:] == size
    return () if same else (f"resized to {size[0]} × {size[1]}, keeping the aspect ratio",)


def _has_bright_border(pixels: HostArray) -> bool:
    return float(border(pixels).mean()) > 0.5


def _to_bytes(pixels: HostArray) -> HostArray:
    return np.rint(255.0 * pixels).astype(np.uint8)
