"""Warnings about inputs."""

from __future__ import annotations

import warnings


class InputWarning(UserWarning):
    """Inputs that were converted, or that differ from what a network can learn or has learned."""


class PrecisionWarning(InputWarning):
    """Inputs with more digits than the network keeps.

    The commands do not show it: the data come from a file, and `train --dtype` is the user's choice.
    """


def warn(text: str) -> None:
    """Warn about inputs."""
    warnings.warn(text, InputWarning, stacklevel=4)
