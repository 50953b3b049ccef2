"""The path of a page, which shows the page in a notebook."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

import pytest

from backprop import RunRecorder, TwoLayerNet, fit
from backprop.report import Report, shown

from ..tables import Tables
from .runs import TRAIN


def test_a_recorder_s_page_shows_itself(tmp_path: Path) -> None:
    recorder = RunRecorder(tmp_path / "run")
    fit(TwoLayerNet(64, 5, 3, rng=0), *TRAIN, epochs=1, rng=0, verbose=False, recorder=recorder)
    report = recorder.page
    assert isinstance(report, Report)
    assert report == tmp_path / "run" / "report.html"
    cell = report._repr_html_()
    assert Tables(cell).tags.count("iframe") == 1
    (source,) = re.findall(r'<iframe sandbox="" title="report.html" srcdoc="([^"]*)">', cell)
    assert unescape(source) == report.read_text("utf-8")


def test_a_large_or_missing_page_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report = Report(tmp_path / "a.html")
    assert "The report cannot be read: " in report._repr_html_()
    report.write_text("<html></html>" * 1000)
    monkeypatch.setattr(shown, "LARGEST", 1000)
    cell = report._repr_html_()
    assert f"{report} has 0 MB: open it in a browser" in cell
    assert "<iframe" not in cell


def test_it_is_a_path_like_any_other(tmp_path: Path) -> None:
    report = Report(tmp_path / "a.html")
    assert isinstance(report, Path)
    assert (str(report), report.name, report.parent) == (str(tmp_path / "a.html"), "a.html", tmp_path)
