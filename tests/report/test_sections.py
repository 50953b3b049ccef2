"""The sections that show a diagnosis."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from backprop import TwoLayerNet
from backprop.report import diagnose, write_report
from backprop.report.diagnosis import frequent_confusions
from backprop.report.sections import _matrix, _most_frequent

from .pages import read, tables
from .runs import make_run


def test_most_frequent_confusions_come_first() -> None:
    labels, predictions = np.repeat([[0, 0, 1, 1, 1, 2], [0, 1, 0, 1, 2, 2]], [9, 4, 7, 9, 1, 9], axis=1)
    confusions = frequent_confusions(labels, predictions)
    cells = re.findall(r"<t[hd](?: scope=.row.)?>(\d+)<", _most_frequent(confusions, 2))
    assert cells == ["1", "0", "7", "0", "1", "4"]
    assert _most_frequent(confusions, 9).count('scope="row"') == 3


def test_many_classes_are_listed(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import backprop.report.page as page_module

    rng = np.random.default_rng(0)
    x, t = rng.standard_normal((200, 4)).astype("f"), rng.integers(0, 40, 200)
    diagnosis = diagnose(TwoLayerNet(4, 5, 40, rng=0), x, t, x, t)
    monkeypatch.setattr(page_module, "diagnose_run", lambda *_: diagnosis)
    page = read(write_report(run))
    assert "Confusions" in page.text
    assert "Confusion matrix" not in page.text
    assert "img" not in page.tags  # samples of four numbers are listed in a table
    assert any(len(rows) == 20 for rows in tables(run / "report.html"))


def test_learning_problem_lists_its_causes(tmp_path: Path) -> None:
    dead = TwoLayerNet(64, 10, 3, weight_init_std=0.1, rng=0)
    dead.params["b1"] = np.full(10, -100.0, "float32")
    folder = make_run(tmp_path / "dead", dead, lr=0.1)
    page = write_report(folder).read_text("utf-8")
    section = page[page.index("<h2>Warnings") :].partition("</section>")[0]
    assert "<p>The network is no better than guessing: loss " in section
    causes = re.findall("<li>(.*?)</li>", section[section.index("<ol>") : section.index("</ol>")])
    assert causes[0].startswith("Relu1: 10 of 10 units (100%) are dead")
    assert all(cause.endswith(".") and cause[0].isupper() for cause in causes)
    assert "(1)" not in section
    assert section.count("are dead") == section.count("W1 has almost no gradient") == 1


def test_class_without_samples_has_no_percentage() -> None:
    body = _matrix(np.asarray([[2, 1], [0, 0]])).partition("<tbody>")[2]
    assert re.findall(r"<td>(.*?)</td></tr>", body) == ["66.7%", "–"]


def test_matrix_axes_are_labelled(run: Path) -> None:
    page = write_report(run).read_text("utf-8")
    head, body = re.findall(r'<table class="confusion">(.*?)<tbody>(.*?)</tbody>', page, re.DOTALL)[0]
    assert '<th scope="colgroup" colspan="3"><span>predicted</span></th>' in head
    assert re.findall(r'scope="col">(\d)<', head) == ["0", "1", "2"]
    assert body.count("<tr>") == 3
    assert re.match(r'\s*<tr><th class="side" scope="rowgroup" rowspan="3"><span>label</span></th><th', body)
