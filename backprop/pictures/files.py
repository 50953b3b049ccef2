"""Read and write picture files of listed formats, up to a camera's number of pixels.

A file that claims more pixels is refused before it is decoded. EPS is not listed because Pillow starts
another program to read it.
"""

from __future__ import annotations

import io
import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ..backends import HostArray
from ..files import open_file, replace_file

FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM")

UNSUPPORTED = {
    **dict.fromkeys(
        (b"ftypheic", b"ftypheix", b"ftyphevc", b"ftypmif1", b"ftypmsf1"),
        "an HEIC picture, the format of iPhones",
    ),
    b"ftypavif": "an AVIF picture",
}
"""Formats that are not supported, by their bytes 4 to 11."""

MOST_PIXELS = 2**26

ENOUGH = 512
"""Pictures whose longer side exceeds this many pixels are reduced by an integer factor."""

WHITES = (1, 255, 1023, 4095, 16383, 65535)
"""The values of white in a picture of more than 8 bits: it has the first that no pixel exceeds."""

CONTRAST = 0.25
"""The contrast between ink and paper in the opaque part, relative to the full range."""

LUMA = np.asarray([[0.299], [0.587], [0.114]], np.float32)
"""The brightness of red, green and blue (ITU-R BT.601)."""


class PictureError(ValueError):
    """A picture that cannot be used: its path, what was found, what was expected."""


@dataclass(frozen=True)
class Picture:
    """The pixels of a file."""

    pixels: HostArray
    """(C, H, W) from 0 to 1, float32."""
    notes: tuple[str, ...]
    """What was done that is not obvious."""


def read_picture(path: str | os.PathLike[str], channels: int) -> Picture:
    """Read a picture, turn it upright, and put paper behind transparent parts; `channels` is 1 or 3."""
    if Path(path).is_dir():
        raise PictureError(f"{path}: expected a file, got a folder; name its files, such as {path}/*.png")
    if Path(path).exists() and not Path(path).is_file():  # opening a pipe would block
        raise PictureError(f"{path}: expected a file, got a pipe or a device")
    with open_file(path) as file:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # Pillow's warnings; real faults are errors
                return _decode(file, channels)
        except ImportError:
            raise PictureError(f"{path}: pictures need Pillow (pip install pillow)") from None
        except PictureError as error:
            raise PictureError(f"{path}: {error}") from None
        except Exception as error:  # a damaged file may raise anything
            raise PictureError(f"{path}: the picture is damaged, or of an unusual kind: {error}") from None


def write_picture(path: str | os.PathLike[str], pixels: HostArray) -> None:
    """Write uint8 pixels (C, H, W) as PNG."""
    from PIL import Image

    data = io.BytesIO()
    Image.fromarray(pixels[0] if len(pixels) == 1 else np.moveaxis(pixels, 0, -1)).save(data, "PNG")
    replace_file(path, data.getvalue())


def _decode(file: BinaryIO, channels: int) -> Picture:
    """Decode an open file. Pictures of more than 8 bits a pixel are grey."""
    image = _open(file)
    notes = ("used the first frame",) if _is_animated(image) else ()
    image = _upright(image)
    if image.mode == "F" or image.mode.startswith("I"):
        return Picture(np.repeat(_deep_pixels(image)[None], channels, axis=0), notes)
    rgba = np.asarray(_reduced(image.convert("RGBA")), np.float32) / np.float32(255.0)  # (H, W, 4)
    colours = rgba[..., :3] if channels == 3 else rgba[..., :3] @ LUMA  # (H, W, C)
    return Picture(np.moveaxis(_on_paper(colours, rgba[..., 3:]), -1, 0), notes)


def _open(file: BinaryIO) -> Any:
    """Open an image without decoding it, and check its format and size."""
    from PIL import Image, UnidentifiedImageError

    try:
        image = Image.open(file, formats=FORMATS)
    except UnidentifiedImageError:
        file.seek(4)
        if unsupported := UNSUPPORTED.get(file.read(8)):
            raise PictureError(f"{unsupported}: save it as JPEG or PNG") from None
        kinds = f"{', '.join(FORMATS[:-1])} or {FORMATS[-1]}"
        raise PictureError(f"expected a .npy or .npz file, or a picture: {kinds}; convert it") from None
    except Image.DecompressionBombError:
        image = None
    if image is None or image.width * image.height > MOST_PIXELS:
        found = "more" if image is None else f"{image.width:,} × {image.height:,}"
        raise PictureError(f"expected at most {MOST_PIXELS:,} pixels, got {found}; make the picture smaller")
    return image


def _is_animated(image: Any) -> bool:
    """Whether there are several frames; in a camera's JPEG, the others are just previews."""
    return image.format != "MPO" and getattr(image, "is_animated", False)


def _upright(image: Any) -> Any:
    """Turn the image according to its EXIF orientation, if that is readable."""
    from PIL import ImageOps

    image.load()
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # damaged EXIF data may raise anything, but the pixels are intact
        return image


def _reduced(image: Any) -> Any:
    """Average blocks of pixels if there are more than enough."""
    return image.reduce(max(1, max(image.size) // ENOUGH))


def _deep_pixels(image: Any) -> HostArray:
    """Scale pixels (H, W) of more than 8 bits to the range from 0 to 1."""
    from PIL import Image

    values = np.asarray(image).astype(np.float32)
    low, high = float(values.min()), float(values.max())
    if not (low >= 0.0 and high <= WHITES[-1]):
        raise PictureError(
            f"expected pixels from 0 to {WHITES[-1]:,}, got {low:g} to {high:g}; "
            "scale them to the range from 0 to 1, or give a .npy file"
        )
    white = next(white for white in WHITES if high <= white)
    return np.asarray(_reduced(Image.fromarray(values / np.float32(white))))


def _on_paper(colours: HostArray, opacity: HostArray) -> HostArray:
    """Put paper behind the transparent parts of the colours (H, W, C)."""
    if opacity.min() == 1.0:
        return np.asarray(colours)
    if opacity.max() == 0.0:
        raise PictureError("the picture is empty: it is transparent everywhere")
    return np.asarray(colours * opacity + _paper(colours, opacity[..., 0]) * (1 - opacity))


def _paper(colours: HostArray, opacity: HostArray) -> HostArray:
    """The paper's colour: the median if the opaque part has ink and paper, otherwise the ink's opposite."""
    light, opaque = colours.mean(axis=-1), opacity > 0.5
    if opaque.mean() > 0.5 and np.ptp(np.quantile(light[opaque], (0.02, 0.98))) > CONTRAST:
        return np.asarray(np.median(colours[opaque], axis=0))
    return np.asarray(np.average(light, weights=opacity) <= 0.5, np.float32)
