"""Parsers of numbers."""

from __future__ import annotations

import pytest

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
