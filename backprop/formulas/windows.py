"""Where the windows of a convolution or pooling lie on an image."""

from __future__ import annotations

from dataclasses import dataclass

from .formula import Entry


@dataclass(frozen=True)
class Window:
    """A window of height × width, moved by `down` and `across` over images with `pad` around them.

    >>> Window(2, 2, 2, 2, 1).pixels((0, 1), (4, 4))
    [(1, 0, 0, 1), (1, 1, 0, 2)]
    >>> Window(2, 2, 2, 2, 1).pixel()
    ('2i+u−1', '2j+v−1')
    """

    height: int
    width: int
    down: int
    across: int
    pad: int

    def pixels(self, window: tuple[int, ...], image: tuple[int, ...]) -> list[Entry]:
        """The entries (u, v) of a window (i, j) that lie in the image, each with its pixel (r, q)."""
        i, j = window
        top, left = i * self.down - self.pad, j * self.across - self.pad
        places = ((u, v, top + u, left + v) for u in range(self.height) for v in range(self.width))
        return [place for place in places if 0 <= place[2] < image[0] and 0 <= place[3] < image[1]]

    def covering(self, pixel: tuple[int, ...], windows: tuple[int, ...]) -> list[Entry]:
        """The windows (i, j) over the pixel (r, q), each with the entry (u, v) that lies on it."""
        r, q = pixel
        rows = _covering(r + self.pad, self.down, self.height, windows[0])
        columns = _covering(q + self.pad, self.across, self.width, windows[1])
        return [(i, j, u, v) for i, u in rows for j, v in columns]

    def pixel(self) -> tuple[str, str]:
        """The pixel under the entry (u, v) of the window (i, j), in symbols."""
        return _symbols("i", self.down, "u", self.pad), _symbols("j", self.across, "v", self.pad)


def _covering(place: int, step: int, size: int, windows: int) -> list[tuple[int, int]]:
    """The windows over a place in padded images, along one axis, with its place in them."""
    first = max(0, -(-(place - size + 1) // step))
    last = min(windows - 1, place // step)
    return [(i, place - i * step) for i in range(first, last + 1)]


def _symbols(window: str, step: int, entry: str, pad: int) -> str:
    return f"{'' if step == 1 else step}{window}+{entry}{f'−{pad}' if pad else ''}"
