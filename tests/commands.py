"""What the tests of the commands share."""

from __future__ import annotations

import pytest

from backprop.cli import main


def fails(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """The one line on stderr of a command that fails."""
    assert main(words) == 1
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert err.startswith("backprop: error: ")
    return err
