"""Pictures are not data yet: how to recognize them, and how to make data of them."""

from __future__ import annotations

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".tif", ".tiff", ".webp", ".ppm")

PICTURES_TO_DATA = (
    "an .npz archive made from them: x of backprop.pictures' prepare_picture(read_picture(file, 1).pixels, "
    "(28, 28), MNIST).pixels for each file (for photographs use 3 and Style.default(3)), t of their class "
    "numbers"
)
