"""Pictures of one's own, made into what the pictures of the training data are.

`learn_style` finds out what those are, `read_picture` opens a file, and `fitted` makes it one of them.
"""

from .files import PictureError, read_picture, write_picture
from .fitting import Fitted, RefusedError, fitted
from .style import MNIST, Style, image_shape, learn_style

__all__ = [
    "MNIST",
    "Fitted",
    "PictureError",
    "RefusedError",
    "Style",
    "fitted",
    "image_shape",
    "learn_style",
    "read_picture",
    "write_picture",
]
