"""Make your own pictures look like those of the training data.

`learn_style` finds out what those look like, `read_picture` reads a file, and `prepare_picture` adapts it.
"""

from .files import PictureError, read_picture, write_picture
from .prepare import PreparedPicture, RefusedError, prepare_picture
from .style import MNIST, Style, image_shape, learn_style

__all__ = [
    "MNIST",
    "PictureError",
    "PreparedPicture",
    "RefusedError",
    "Style",
    "image_shape",
    "learn_style",
    "prepare_picture",
    "read_picture",
    "write_picture",
]
