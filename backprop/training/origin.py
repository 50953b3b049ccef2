"""Where in a user's code an error comes from: the layer, and the line."""

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
"""The standard library's, which is not, either; but what is installed may lie beneath it."""

INSTALLED = _folders(*(sysconfig.get_path(name) for name in ("purelib", "platlib")))
"""Folders of code that is the user's only where there is no other."""


def origin(error: BaseException) -> str:
    """The layer, loss or optimizer that an error was raised in, and the user's line; empty if unknown.

    Of an error that was raised in place of one from the user's code, it is that one's.
    """
    seen: BaseException | None = error
    while seen is not None:
        frames = [place for place in traceback.walk_tb(seen.__traceback__) if not _is_never(place[0])]
        if frames:
            return ", ".join(_told(list(traceback.walk_tb(seen.__traceback__)), frames))
        seen = seen.__cause__ or seen.__context__
    return ""


def _told(all_frames: list[tuple[FrameType, int]], frames: list[tuple[FrameType, int]]) -> Iterator[str]:
    """The innermost part of the training, and the innermost line of the user's."""
    part = next((found for frame, _ in reversed(all_frames) if (found := _part(frame)) is not None), None)
    if part is not None:
        yield _named(part)
    own = [place for place in frames if not place[0].f_code.co_filename.startswith(INSTALLED)]
    frame, line = (own or frames)[-1]
    yield f"{frame.f_code.co_filename}:{line}"


def _is_never(frame: FrameType) -> bool:
    file = frame.f_code.co_filename
    return file.startswith(OURS) or (file.startswith(STANDARD) and not file.startswith(INSTALLED))


def _part(frame: FrameType) -> Any:
    """What the frame is a method of, if that is a part of a training."""
    code = frame.f_code
    first = frame.f_locals.get(code.co_varnames[0]) if code.co_argcount else None
    # Of a traced value, `isinstance` would read what nobody may read.
    return first if issubclass(type(first), (Node, Optimizer)) else None


def _named(part: Any) -> str:
    kind, name = type(part).__name__, getattr(part, "name", "")
    return f"{name} ({kind})" if name and name != kind else kind
