"""A picture in the size and the style that a network knows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..backends import HostArray
from .files import PictureError
from .planes import resized
from .preparation import ink_on_paper, normalised, signs
from .style import BRIGHT, DARK, Style, border, lies_in

UNCERTAIN = (
    "the ink cannot be told from what is around it, as where the edge of the paper is in the picture: "
    "crop it to the paper around one sign"
)


class RefusedError(PictureError):
    """A picture in which no sign is found, or none for certain, and what was seen in its place."""

    def __init__(self, message: str, pixels: HostArray) -> None:
        super().__init__(message)
        self.pixels = pixels
        """(C, H, W), uint8."""


@dataclass(frozen=True)
class Fitted:
    """What a network sees of a picture."""

    pixels: HostArray
    """(C, H, W), uint8."""
    done: tuple[str, ...]
    """What was done to it, and what is odd in it, in words."""


def fitted(pixels: HostArray, size: tuple[int, int], style: Style) -> Fitted:
    """A picture (C, H, W) from 0 to 1 in another size (H, W), as pictures of that style are.

    Ink is made as bright or dark as the style's. Where that has a box, the paper is removed, and the ink
    fitted into the box and centred, as in MNIST; else the picture is resized whole, and keeps its aspect.
    """
    if style.ink is None:
        return Fitted(_plain(pixels, size), _resizing(pixels, size))
    if pixels.min() == pixels.max():
        raise RefusedError("there is nothing in it: it is of one colour", _plain(pixels, size))
    if style.box is None:
        return _resized_ink(pixels, size, style.ink)
    return _prepared(pixels[0], size, style.ink, style.box)


def _prepared(grey: HostArray, size: tuple[int, int], ink: str, box: int) -> Fitted:
    """As MNIST's; a picture that is so already stays as it is."""
    if not 0 < box < min(size):
        raise PictureError(f"a box of {box} does not fit into the network's pictures, {size[0]} × {size[1]}")
    dark = _bright_border(grey)
    plain = 1.0 - grey if dark else grey
    if grey.shape == size and lies_in(plain[None], box)[0]:
        return _inked(plain[None], dark, ink, _several(plain))
    found = ink_on_paper(grey)
    if found is None:
        raise RefusedError(
            "there is nothing in it: no ink stands out from the paper", _plain(grey[None], size)
        )
    field = normalised(found.ink, size, box)
    done = f"cropped to the ink, fitted into {box} × {box} and centred in {size[0]} × {size[1]}"
    made = _inked(field[None], found.dark, ink, (*found.done, done, *_several(found.ink)))
    if not found.certain:
        raise RefusedError(UNCERTAIN, made.pixels)
    return made


def _several(ink: HostArray) -> tuple[str, ...]:
    """What to say of ink (H, W) that looks like several signs, where the network knows one in a picture."""
    count = signs(ink)
    told = f"{count} separate pieces of ink, where one sign is expected: crop the picture to one"
    return (told,) if count > 1 else ()


def _resized_ink(pixels: HostArray, size: tuple[int, int], ink: str) -> Fitted:
    """Resized, on paper."""
    dark = _bright_border(pixels)
    whole = _whole(1.0 - pixels if dark else pixels, size, np.zeros(len(pixels)))
    return _inked(whole, dark, ink, _resizing(pixels, size))


def _inked(bright: HostArray, dark: bool, ink: str, done: tuple[str, ...]) -> Fitted:
    """Bright ink in the style's; `dark` tells what it was."""
    if dark != (ink == DARK):
        done = ("dark on bright, so inverted" if dark else "bright on dark, so inverted", *done)
    return Fitted(_bytes(bright if ink == BRIGHT else 1.0 - bright), done)


def _whole(pixels: HostArray, size: tuple[int, int], paper: HostArray) -> HostArray:
    """All of the picture, as large as it may be, in the middle of paper, whose colour is (C,)."""
    if pixels.shape[1:] == size:
        return pixels
    scale = min(n / own for n, own in zip(size, pixels.shape[1:], strict=True))
    height, width = (max(1, round(own * scale)) for own in pixels.shape[1:])
    top, left = (size[0] - height) // 2, (size[1] - width) // 2
    field = np.broadcast_to(paper[:, None, None], (len(pixels), *size)).astype(np.float32)
    for own, plane in zip(field, pixels, strict=True):
        own[top : top + height, left : left + width] = resized(plane, height, width)
    return field


def _plain(pixels: HostArray, size: tuple[int, int]) -> HostArray:
    """All of the picture as it is."""
    return _bytes(_whole(pixels, size, np.median(border(pixels), axis=1)))


def _resizing(pixels: HostArray, size: tuple[int, int]) -> tuple[str, ...]:
    same = pixels.shape[1:] == size
    return () if same else (f"resized to {size[0]} × {size[1]}, its aspect kept",)


def _bright_border(pixels: HostArray) -> bool:
    return float(border(pixels).mean()) > 0.5


def _bytes(pixels: HostArray) -> HostArray:
    return np.rint(255.0 * pixels).astype(np.uint8)
