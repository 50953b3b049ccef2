"""The parser of the command line, and its help."""

from __future__ import annotations

import subprocess
import sys

import pytest

from backprop.cli import main

from ..commands import usage

pytestmark = pytest.mark.usefixtures("elsewhere")


def test_help_and_version_import_no_numpy() -> None:
    code = (
        "import sys; from backprop.cli import main\n"
        "try: main(['{}'])\n"
        "except SystemExit: print('numpy' in sys.modules, 'rich' in sys.modules)"
    )
    for option in ("--help", "--version"):
        done = subprocess.run(
            [sys.executable, "-c", code.format(option)], capture_output=True, text=True, check=True
        )
        assert done.stdout.splitlines()[-1] == "False False"


def test_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert "not allowed with argument" in usage(capsys, "train", "--iters", "1", "--epochs", "1")
    assert "see backprop train --help" in usage(capsys, "train", "--lr")
    for word, near in (("trian", "train"), ("chek", "check")):
        assert f"did you mean {near}?" in usage(capsys, word)
    assert "unrecognized arguments: --epohcs 3; did you mean --epochs?" in usage(
        capsys, "train", "--epohcs", "3"
    )
    assert usage(capsys, "train", "--epochs", "0").count("\n") == 1
    assert main([]) == 0
    assert "train a network" in capsys.readouterr().out
    assert "invalid choice: 'sorted'" in usage(capsys, "train", "--sampling", "sorted")
