"""Parsers of numbers."""

from __future__ import annotations

import argparse

import pytest

from backprop.cli import numbers

from ..commands import usage

pytestmark = pytest.mark.usefixtures("elsewhere")


@pytest.mark.parametrize("number", ["0", "-1", "2.5", "many"])
@pytest.mark.parametrize("option", ["--hidden", "--iters", "--epochs", "--batch-size", "--threads"])
def test_invalid_numbers(option: str, number: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert f"argument {option}: expected a whole number of at least 1, got '{number}'" in usage(
        capsys, "train", option, number
    )


@pytest.mark.parametrize("rate", ["nan", "-1", "inf", "fast"])
def test_wrong_rate(rate: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert "expected a finite number of at least 0" in usage(capsys, "train", "--lr", rate)


@pytest.mark.parametrize("norm", ["0", "-1"])
def test_wrong_norm(norm: str, capsys: pytest.CaptureFixture[str]) -> None:
    error = f"argument --clip-norm: expected a finite number above 0, got '{norm}'"
    assert error in usage(capsys, "train", "--clip-norm", norm)


@pytest.mark.parametrize(
    ("parser", "valid", "invalid", "expected"),
    [
        ("positive", {"1": 1, "10_000": 10_000}, ["0", "1.0", ""], "a whole number of at least 1"),
        ("natural", {"0": 0, "7": 7}, ["-1", "x"], "a whole number of at least 0"),
        ("finite", {"-1e3": -1000.0, "0": 0.0}, ["nan", "-inf", "x", ""], "a finite number"),
        ("positive_float", {"1e-9": 1e-9}, ["0", "-1", "inf", "nan", "x"], "a finite number above 0"),
        (
            "nonnegative_float",
            {"0": 0.0, "2": 2.0},
            ["-1", "inf", "nan", "x"],
            "a finite number of at least 0",
        ),
        ("share", {"0.5": 0.5}, ["0", "1", "nan", "x"], "a share above 0 and below 1"),
        ("steps_or_epoch", {"epoch": "epoch", "3": 3}, ["0", "epochs"], "a whole number of at least 1"),
    ],
)
def test_what_parsers_take(parser: str, valid: dict[str, object], invalid: list[str], expected: str) -> None:
    parse = getattr(numbers, parser)
    for text, value in valid.items():
        assert (parse(text), type(parse(text))) == (value, type(value))
    for text in invalid:
        with pytest.raises(argparse.ArgumentTypeError) as caught:
            parse(text)
        assert str(caught.value) == f"expected {expected}, got {text!r}"
