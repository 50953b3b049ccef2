"""Picture files to numbers and back: a list of formats, and no more pixels than a camera has.

A file that claims more is refused before any of them is decoded. EPS is not in the list, as Pillow
starts another program for it.
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

OTHERS = {
    **dict.fromkeys(
        (b"ftypheic", b"ftypheix", b"ftyphevc", b"ftypmif1", b"ftypmsf1"),
        "an HEIC picture, as iPhones take",
    ),
    b"ftypavif": "an AVIF picture",
}
"""Kinds of pictures that are not read, by what is in their bytes 4 to 11."""

LARGEST = 2**26
"""Pixels."""

ENOUGH = 512
"""Pixels of the longer side from which a picture is reduced, by a whole factor."""

WHITES = (1, 255, 1023, 4095, 16383, 65535)
"""What white is in a picture of more than 8 bits: the first that no pixel exceeds."""

CONTRAST = 0.25
"""Between ink and paper in what is not transparent, of the whole range."""

LUMA = np.asarray([[0.299], [0.587], [0.114]], np.float32)
"""How bright red, green and blue are (ITU-R BT.601)."""


class PictureError(ValueError):
    """A picture that cannot be used: which file, what was found, and what was expected."""


@dataclass(frozen=True)
class Picture:
    """The pixels of a file."""

    pixels: HostArray
    """(C, H, W) from 0 to 1, float32."""
    notes: tuple[str, ...]
    """What was done with it that is not plain."""


def read_picture(path: str | os.PathLike[str], channels: int) -> Picture:
    """The picture in a file, upright and on paper where it is transparent; `channels` is 1 or 3."""
    if Path(path).is_dir():
        raise PictureError(f"{path}: expected a file, got a folder; name the files in it, as {path}/*.png")
    if Path(path).exists() and not Path(path).is_file():  # opening a pipe would wait for ever
        raise PictureError(f"{path}: expected a file, got a pipe or a device")
    with open_file(path) as file:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of Pillow's; what makes a picture unusable is an error
                return _decoded(file, channels)
        except ImportError:
            raise PictureError(f"{path}: pictures need Pillow (pip install pillow)") from None
        except PictureError as error:
            raise PictureError(f"{path}: {error}") from None
        except Exception as error:  # a damaged file may raise any
            raise PictureError(f"{path}: a picture that is damaged, or of an unusual kind: {error}") from None


def write_picture(path: str | os.PathLike[str], pixels: HostArray) -> None:
    """Write pixels (C, H, W) of uint8 as PNG."""
    from PIL import Image

    data = io.BytesIO()
    Image.fromarray(pixels[0] if len(pixels) == 1 else np.moveaxis(pixels, 0, -1)).save(data, "PNG")
    replace_file(path, data.getvalue())


def _decoded(file: BinaryIO, channels: int) -> Picture:
    """The pixels of the open file. A picture of more than 8 bits a pixel is grey."""
    image = _opened(file)
    notes = ("the first of its frames",) if _moves(image) else ()
    image = _upright(image)
    if image.mode == "F" or image.mode.startswith("I"):
        return Picture(np.repeat(_deep(image)[None], channels, axis=0), notes)
    rgba = np.asarray(_reduced(image.convert("RGBA")), np.float32) / np.float32(255.0)  # (H, W, 4)
    colours = rgba[..., :3] if channels == 3 else rgba[..., :3] @ LUMA  # (H, W, C)
    return Picture(np.moveaxis(_on_paper(colours, rgba[..., 3:]), -1, 0), notes)


def _opened(file: BinaryIO) -> Any:
    """The image, not yet decoded, whose pixels are not too many."""
    from PIL import Image, UnidentifiedImageError

    try:
        image = Image.open(file, formats=FORMATS)
    except UnidentifiedImageError:
        file.seek(4)
        if other := OTHERS.get(file.read(8)):
            raise PictureError(f"{other}: save it as JPEG or PNG") from None
        kinds = f"{', '.join(FORMATS[:-1])} or {FORMATS[-1]}"
        raise PictureError(f"expected a .npy or .npz file or a picture, as {kinds}; save it as one") from None
    except Image.DecompressionBombError:
        image = None
    if image is None or image.width * image.height > LARGEST:
        found = "more" if image is None else f"{image.width:,} × {image.height:,}"
        raise PictureError(f"expected at most {LARGEST:,} pixels, got {found}; make the picture smaller")
    return image


def _moves(image: Any) -> bool:
    """Whether there are frames after the first; in a camera's JPEG they are previews."""
    return image.format != "MPO" and getattr(image, "is_animated", False)


def _upright(image: Any) -> Any:
    """The image turned as its EXIF orientation says, where that can be read."""
    from PIL import ImageOps

    image.load()
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # damaged EXIF data may raise any, and the pixels are whole
        return image


def _reduced(image: Any) -> Any:
    """The image with fewer pixels, each the mean of several, where there are more than enough."""
    return image.reduce(max(1, max(image.size) // ENOUGH))


def _deep(image: Any) -> HostArray:
    """The pixels (H, W) of more than 8 bits from 0 to 1."""
    from PIL import Image

    values = np.asarray(image).astype(np.float32)
    low, high = float(values.min()), float(values.max())
    if not (low >= 0.0 and high <= WHITES[-1]):
        raise PictureError(
            f"expected pixels from 0 to {WHITES[-1]:,}, got {low:g} to {high:g}; "
            "scale them to 0 to 1, or give a .npy file"
        )
    white = next(white for white in WHITES if high <= white)
    return np.asarray(_reduced(Image.fromarray(values / np.float32(white))))


def _on_paper(colours: HostArray, opacity: HostArray) -> HostArray:
    """The colours (H, W, C) with paper where they are transparent."""
    if opacity.min() == 1.0:
        return np.asarray(colours)
    if opacity.max() == 0.0:
        raise PictureError("there is nothing in it: it is transparent everywhere")
    return np.asarray(colours * opacity + _paper(colours, opacity[..., 0]) * (1 - opacity))


def _paper(colours: HostArray, opacity: HostArray) -> HostArray:
    """What is transparent: as most of the rest is, where that has ink and paper; else what ink is not."""
    light, there = colours.mean(axis=-1), opacity > 0.5
    if there.mean() > 0.5 and np.ptp(np.quantile(light[there], (0.02, 0.98))) > CONTRAST:
        return np.asarray(np.median(colours[there], axis=0))
    return np.asarray(np.average(light, weights=opacity) <= 0.5, np.float32)
