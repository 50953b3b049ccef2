"""The page that compares several runs."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from backprop import TwoLayerNet
from backprop.cli.build import defaults
from backprop.pages.html import number
from backprop.report import write_comparison, write_report
from backprop.saving import history_file, run_folder
from backprop.saving.checkpoint import read_checkpoint, write_checkpoint

from .pages import column, heads, read, tables
from .runs import make_run, with_result


def test_differing_settings_are_listed(run: Path) -> None:
    other = make_run(run.parent / "other", TwoLayerNet(64, 7, 3, rng=1), lr=0.2, hidden=7, keep=5)
    target = run.parent / "comparison.html"
    assert write_comparison([run, other], target) == target
    assert heads(target)[1] == ["run", "lr", "hidden"]
    assert tables(target)[1] == {"run": ["0.1", "–"], "other": ["0.2", "7"]}
    assert column(target, "parameters") == ["683", "479"]
    accuracies = [history_file.read_history(folder)[-1]["test_accuracy"] for folder in (run, other)]
    assert column(target, "test accuracy") == [f"{accuracy:.2%}" for accuracy in accuracies]
    assert "2 runs" in read(target).text
    write_comparison([run, run], target)
    assert "Settings that differNone." in re.sub(r"\n", "", read(target).text)
    assert f"{run}, {run}" in read(target).text


def test_runs_that_differ_only_in_their_seed_have_a_mean(seeds: list[Path]) -> None:
    target = seeds[0].parent / "comparison.html"
    page = read(write_comparison(seeds, target))
    rows = tables(target)[0]
    assert list(rows) == ["a", "b best", "c", "mean ± sd n = 3", "other"]
    means = dict(zip(heads(target)[0][1:], rows["mean ± sd n = 3"], strict=True))
    assert means["test accuracy"] == "92.00% ±\xa03.46%"  # 0.06 / √3
    assert means["test loss"] == "0.4 ±\xa00.1"
    assert means["seconds"] == "2.0 ±\xa00"
    assert (means["steps"], means["epochs"], means["parameters"]) == (
        "36",
        "3",
        number(64 * 4 + 4 + 4 * 3 + 3),
    )
    assert means["network"] == ""
    assert "of 3 runs that differ only in their seed (0, 1, 3)" in page.text
    assert "with n − 1" in page.text
    assert "a, b, c, other" in page.text


def test_runs_that_are_not_averaged(seeds: list[Path]) -> None:
    target = seeds[0].parent / "comparison.html"

    def names(*folders: Path) -> list[str]:
        write_comparison(folders, target)
        return list(tables(target)[0])

    first, second, other, _ = seeds
    assert "mean ± sd n = 2" in names(first, second)
    assert "mean" not in " ".join(names(first, other))
    assert "mean" not in " ".join(names(first, first, second))  # a repeated run
    with_result(second, 0.9, 0.5, step=35)  # interrupted
    assert "mean" not in " ".join(names(first, second))


def test_mean_needs_results_of_all_runs(seeds: list[Path]) -> None:
    with_result(seeds[1], None, 0.3)
    target = write_comparison(seeds, seeds[0].parent / "comparison.html")
    assert column(target, "test accuracy") == ["90.00%", "–", "90.00%", "–", "50.00%"]
    assert column(target, "test loss")[3] == "0.4 ±\xa00.1"


def set_data(folder: Path, name: str, digest: str) -> None:
    (path,) = run_folder.checkpoints(folder)
    checkpoint = read_checkpoint(path)
    checkpoint.description["data"] = {"name": name, "sha256": digest}
    write_checkpoint(path, checkpoint)


def test_best_run(seeds: list[Path]) -> None:
    target = seeds[0].parent / "comparison.html"

    def best(*folders: Path) -> list[str]:
        page = read(write_comparison(folders, target))
        assert ("Best: the " in page.text) is (" best" in "".join(tables(target)[0]))
        return [name.removesuffix(" best") for name in tables(target)[0] if name.endswith(" best")]

    a, b, other, c = seeds
    assert best(a, other, b, c) == ["b"]
    assert best(a, other, c) == ["c"]  # the same accuracy as a, with a lower loss
    assert (
        "Best: the highest test accuracy, and the lowest test loss of the 2 runs with that accuracy."
        in read(target).text
    )
    with_result(a, 0.9, 0.4)
    assert best(a, other, c) == ["a", "c"]
    assert "Best: the highest test accuracy; 2 runs are tied." in read(target).text
    assert best(b, other, c) == ["b"]
    assert "Best: the highest test accuracy." in read(target).text
    assert best(a) == []
    for folder, loss in ((a, 0.6), (other, 0.5)):
        with_result(folder, None, loss)
    assert best(a, other) == ["other"]
    assert "the lowest test loss." in read(target).text
    set_data(a, "data", "0" * 64)
    assert best(a, other) == ["other"]  # other has no digest, so the names of the data are compared
    set_data(other, "data", "1" * 64)
    assert best(a, other) == []
    reason = "No run is marked as the best because they do not all use the same data."
    assert reason in read(target).text


def test_empty_columns_are_dropped(run: Path) -> None:
    target = write_comparison([run, run], run.parent / "comparison.html")
    assert "test accuracy" in heads(target)[0]
    assert not any("validation" in name for name in heads(target)[0])


def test_links_to_existing_pages(run: Path) -> None:
    odd = make_run(run.parent / 'data:"<i>%41 &', TwoLayerNet(64, 4, 3, rng=0))
    write_report(odd)
    place = run.parent / "pages"
    place.mkdir()
    target = write_comparison([run, odd], place / "comparison.html")
    (address,) = re.findall(r'<a href="(.*?)">', target.read_text("utf-8"))
    assert address.startswith("../data%3A%22%3Ci%3E%2541%20%26/")
    assert (place / unquote(unescape(address))).resolve() == (odd / run_folder.REPORT).resolve()
    assert not {"i", "script"} & set(read(target).tags)
    (address,) = re.findall(
        r'<a href="(.*?)">', write_comparison([odd], run.parent / "c.html").read_text("utf-8")
    )
    assert ":" not in address


def test_omitted_settings_show_their_defaults(tmp_path: Path) -> None:
    its: dict[str, Any] = {"net": "two-layer", "optimizer": "sgd", "seed": 0}
    network = TwoLayerNet(64, 50, 3, rng=0)
    one = make_run(tmp_path / "one", network, **its)
    two = make_run(tmp_path / "two", network, **{**its, "optimizer": "adamw", "lr": 0.3, "hidden": 50})
    more = make_run(tmp_path / "more", network, **{**its, "net": "deep-conv", "dropout": 0.1, "epochs": 2})
    target = write_comparison([one, two], tmp_path / "c.html", defaults)
    assert dict(zip(heads(target)[1][1:], zip(*tables(target)[1].values(), strict=True), strict=True)) == {
        "lr": ("0.1", "0.3"),
        "weight-decay": ("0.0", "0.01"),
        "optimizer": ("sgd", "adamw"),
    }
    write_comparison([one, more], target, defaults)
    rows = tables(target)[1]
    found = dict(zip(heads(target)[1][1:], zip(*rows.values(), strict=True), strict=True))
    assert found["init"] == ("0.01", "–")
    assert found["dropout"] == ("–", "0.1")
    assert "hidden" not in found


def test_spread_does_not_break_at_its_hyphen(seeds: list[Path]) -> None:
    with_result(seeds[1], 0.9, 0.5 + 1e-4)
    with_result(seeds[3], 0.9, 0.5)
    target = write_comparison(seeds, seeds[0].parent / "comparison.html")
    assert '<span class="whole">±\xa05.8e-05</span>' in target.read_text("utf-8")
