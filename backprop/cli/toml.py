"""Settings in a TOML file: `batch-size = 50` is `--batch-size 50`."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..files import read_file
from ..lookup import UsageError
from .setting import Scope
from .settings import convert

LARGEST = 2**14
"""Limit of a file's bytes: the memory for a key grows with the square of its length."""

IN_A_FILE = set(Scope) - {Scope.COMMAND}


def from_toml(path: Path) -> dict[str, Any]:
    """Read the settings in a TOML file, by attribute."""
    try:
        values = tomllib.loads(read_file(path, LARGEST).decode("utf-8", "surrogateescape"))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise UsageError(f"--config {path}: it is no TOML file: {error}") from None
    return convert(values, str(path), IN_A_FILE, "cannot stand in a file; give it on the command line")


def as_toml(values: Mapping[str, Any]) -> bytes:
    r"""Write settings, by name, as a file for `--config`; a name that is not UTF-8 keeps its bytes.

    >>> as_toml({"batch_size": 50, "net": "mlp"})
    b'batch-size = 50\nnet = "mlp"\n'
    """
    texts = {name: json.dumps(value, ensure_ascii=False) for name, value in values.items()}
    lines = [f"{name.replace('_', '-')} = {text}\n" for name, text in texts.items()]
    return "".join(lines).replace("\x7f", "\\u007f").encode("utf-8", "surrogateescape")
