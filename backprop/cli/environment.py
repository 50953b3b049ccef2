"""Settings from the environment: `BACKPROP_BATCH_SIZE=50` is `--batch-size 50`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..backends import TIMEOUT_VARIABLE
from .settings import find_setting

PREFIX = "BACKPROP_"


def from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    """Read the settings in the variables that begin with `BACKPROP_` and are not empty, by attribute."""
    found = {}
    for variable, text in environment.items():
        if variable.startswith(PREFIX) and variable != TIMEOUT_VARIABLE and text:
            setting = find_setting(variable.removeprefix(PREFIX).lower(), variable)
            found[setting.attribute] = setting.convert(text, variable)
    return found
