"""Control characters are escaped; numbers have four digits; tables fit."""

from __future__ import annotations

import io
import sys

import pytest

from backprop.files import FileError
from backprop.saving import run_folder
from backprop.text import digits, showable, table, visible

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


@pytest.mark.parametrize(("value", "text"), [
    (0.0, "0"), (-0.0, "0"), (1.0, "1"), (-2.5, "−2.5"), (0.123456, "0.1235"), (0.99999, "1"),
    (12.3456, "12.35"), (1234.56, "1235"), (12345.6, "12346"), (999999.0, "999999"), (1e6, "1e6"),
    (1234567.0, "1.235e6"), (0.001, "0.001"), (0.00099, "9.9e−4"), (1e-300, "1e−300"), (3.1e38, "3.1e38"),
    (float("nan"), "NaN"), (float("inf"), "∞"), (float("-inf"), "−∞"), (100.0, "100"), (0.1 + 0.2, "0.3"),
])  # fmt: skip
def test_digits(value: float, text: str) -> None:
    assert digits(value) == text


def test_a_console_without_a_minus_sign_shows_a_hyphen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), "cp1252"))
    assert showable("−0.5 ± 4e−5, ∂") == "-0.5 ± 4e-5, ?"
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), "utf-8"))
    assert showable("−0.5") == "−0.5"
