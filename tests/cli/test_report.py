"""`backprop report`."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from backprop.cli import main
from backprop.saving import history_file, run_folder

from ..report.pages import read
from ..report.runs import make_runs_with_seeds, make_small_run


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return make_small_run(tmp_path)


@pytest.fixture
def seeds(tmp_path: Path) -> list[Path]:
    return make_runs_with_seeds(tmp_path)


def test_page_and_comparison(
    run: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(run.parent)
    assert main(["report", "run"]) == 0
    assert capsys.readouterr().out == f"{Path('run', 'report.html')}\n"
    assert main(["report", "run", "--out", "page.html"]) == 0
    assert capsys.readouterr().out == "page.html\n"
    assert main(["report", "run", "run"]) == 0
    *rows, page = capsys.readouterr().out.splitlines()
    assert page == "comparison.html"
    accuracy = f"{history_file.read_history(run)[-1]['test_accuracy']:.2%}"
    assert [row.split() for row in rows] == [["run", "test", "accuracy"], *[["run", accuracy]] * 2]
    for name in ("run/report.html", "page.html", "comparison.html"):
        read(run.parent / name)


def test_comparison_shows_means_and_keeps_other_comparisons(
    seeds: list[Path], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(seeds[0].parent)

    def compared(*words: str) -> list[str]:
        assert main(["report", *words]) == 0
        return capsys.readouterr().out.splitlines()

    *rows, page = compared("a", "b", "c", "other")
    assert page == "comparison.html"
    assert [re.split(r"  +", row) for row in rows] == [
        ["run", "test accuracy"],
        ["a", "90.00%"],
        ["b", "96.00%"],
        ["c", "90.00%"],
        ["mean ± sd, n = 3", "92.00% ±\xa03.46%"],
        ["other", "50.00%"],
    ]
    first = Path(page).read_bytes()
    assert compared("a", "b")[-1] == "comparison-2.html"
    assert compared("b", "c")[-1] == "comparison-3.html"
    assert compared("b", "./a")[-1] == "comparison-2.html"  # the same runs as comparison-2
    assert compared("other", "c", "b", "a")[-1] == "comparison.html"
    assert compared("a", "c", "--out", "comparison.html")[-1] == "comparison.html"
    assert Path("comparison.html").read_bytes() != first
    Path("comparison.html").write_text("mine")
    assert compared("a", "c")[-1] == "comparison-4.html"


def test_errors(run: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(run.parent)
    Path("empty").mkdir()
    assert main(["report", "nowhere"]) == 1
    assert main(["report", "empty", "run"]) == 1
    assert main(["report", "run", "--out", "nowhere/page.html"]) == 1
    run_folder.checkpoints(run)[-1].write_bytes(b"damaged")
    assert main(["report", "run"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    lines = err.splitlines()
    assert lines[0] == "backprop: error: nowhere is not a run folder: it does not exist"
    assert lines[1] == "backprop: error: empty is not a run folder: it contains no checkpoint"
    error = "backprop: error: nowhere/page.html cannot be written: there is no folder nowhere; "
    assert lines[2] == f"{error}write the page elsewhere with --out FILE"
    assert "is not a readable checkpoint" in lines[3]
    assert len(lines) == 4
