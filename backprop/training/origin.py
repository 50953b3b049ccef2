"""Find where in the user's code an error was raised: the layer and the line."""

from __future__ import annotations

import os
import sysconfig
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np

from .. import backends
from ..layers import Node
from ..optimizers import Optimizer


def _folders(*files: object) -> tuple[str, ...]:
    return tuple(f"{Path(str(file))}{os.sep}" for file in files)


OURS = _folders(*(Path(str(file)).parent for file in (__file__, backends.__file__, np.__file__)))
"""Folders of code that is never the user's."""

STANDARD = (*_folders(*(sysconfig.get_path(name) for name in ("stdlib", "platstdlib"))), "<frozen")
"""Folders of the standard library, which is not the user's either; installed packages may lie inside."""

INSTALLED = _folders(*(sysconfig.get_path(name) for name in ("purelib", "platlib")))
"""Folders of installed packages; they count as the user's code only if there is no other."""


def origin(error: BaseException) -> str:
    """The layer, loss or optimizer in which an error was raised, and the user's line; empty if unknown.

    If the error replaced one from the user's code, the place of that one is returned.
    """
    current: BaseException | None = error
    while current is not None:
        all_frames = list(traceback.walk_tb(current.__traceback__))
        frames = [place for place in all_frames if not _is_internal(place[0])]
        if frames:
            return ", ".join(_places(all_frames, frames))
        current = current.__cause__ or current.__context__
    return ""


def _places(all_frames: list[tuple[FrameType, int]], frames: list[tuple[FrameType, int]]) -> Iterator[str]:
    """The innermost layer, loss or optimizer, and the innermost line of the user's code."""
    part = next((found for frame, _ in reversed(all_frames) if (found := _part(frame)) is not None), None)
    if part is not None:
        yield _display_name(part)
    own = [place for place in frames if not place[0].f_code.co_filename.startswith(INSTALLED)]
    frame, line = (own or frames)[-1]
    yield f"{frame.f_code.co_filename}:{line}"


def _is_internal(frame: FrameType) -> bool:
    file = frame.f_code.co_filename
    return file.startswith(OURS) or (file.startswith(STANDARD) and not file.startswith(INSTALLED))


def _part(frame: FrameType) -> Any:
    """The layer, loss or optimizer whose method the frame is running; None for other code."""
    code = frame.f_code
    first = frame.f_locals.get(code.co_varnames[0]) if code.co_argcount else None
    # `isinstance` would read an attribute of a traced value, which must not be read.
    return first if issubclass(type(first), (Node, Optimizer)) else None


def _display_name(part: Any) -> str:
    kind, name = part.__class__.__name__, getattr(part, "name", "")
    return f"{name} ({kind})" if name and name != kind else kind
