"""Control characters are escaped; tables fit."""

from __future__ import annotations

import pytest

from backprop.files import FileError
from backprop.saving import run_folder
from backprop.text import table, visible

SHOWN = {
    "日本語 – naïve 😀\u3000x": "日本語 – naïve 😀\u3000x",
    "\x1b]52;c;aGk=\x07": "\\x1b]52;c;aGk=\\x07",
    "a\x9b2Jb\x7f\x00": "a\\x9b2Jb\\x7f\\x00",
    "one\ntwo\r\tthree": "one\\ntwo\\r\\tthree",
    "gpj\u202egnp\u2066": "gpj\\u202egnp\\u2066",
    "line\u2028line": "line\\u2028line",
    "na\udcefve\ud800": "na\\xefve\\ud800",
}


@pytest.mark.parametrize(("text", "shown"), SHOWN.items())
def test_control_characters_are_escaped(text: str, shown: str) -> None:
    assert visible(text) == shown
    assert visible(shown) == shown
    shown.encode()


def test_control_characters_in_errors_are_escaped() -> None:
    from backprop.datasets import DatasetError
    from backprop.saving.checkpoint import CheckpointError

    for error in (
        CheckpointError("\x1b[2J"),
        run_folder.RunFolderError("\x1b[2J"),
        FileError("\x1b[2J", "no"),
    ):
        assert str(error).startswith("\\x1b[2J")
    assert str(DatasetError("\x1b[2J", "nothing", "all")) == "\\x1b[2J: nothing; expected all"


def test_table_drops_columns_in_order() -> None:
    rows = [("params.W1", "784×50", "39,200"), ("params.b1", "50", "50")]
    found = [len(table(rows, "<<>", (2, 1), columns)[0].split()) for columns in (25, 24, 17, 16, 5)]
    assert found == [3, 2, 2, 1, 1]
