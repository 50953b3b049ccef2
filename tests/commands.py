"""What the tests of the commands share."""

from __future__ import annotations

import subprocess
import sys

import pytest

from backprop.cli import main


def fails(capsys: pytest.CaptureFixture[str], *words: str, status: int = 1) -> str:
    """The one line on stderr of a command that fails."""
    capsys.readouterr()
    assert main(words) == status
    out, err = capsys.readouterr()
    assert err.count("\n") == 1
    assert err.startswith("backprop: error: ")
    assert "Traceback" not in out + err
    return err


def usage(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What stands on stderr for a command line that is wrong."""
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    return capsys.readouterr().err


def backprop(*words: str, **options: object) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own."""
    command = [sys.executable, "-m", "backprop", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, **options)  # type: ignore[call-overload,no-any-return]
