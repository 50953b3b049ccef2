"""The pages of examples/: what their command lines refuse. That they run is shown by `nox -s examples`."""

from __future__ import annotations

import json
import runpy
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., object]:
    """Run a script of examples/ in an empty folder with these arguments; what it exits with."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(EXAMPLES)

    def run(name: str, *arguments: str) -> object:
        monkeypatch.setattr(sys, "argv", [f"{name}.py", *arguments])
        with pytest.raises(SystemExit) as caught:
            runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")
        return caught.value.code

    return run


def test_no_result_is_lost(run: Callable[..., object]) -> None:
    """The table is put together from all pages or not at all."""
    figure = Path("docs/figures/ch05_apple_graph.png")
    figure.parent.mkdir(parents=True)
    for path in (figure, Path("docs/reproduction.md")):
        path.write_text("kept")
    results = Path("build/reproduction")
    results.mkdir(parents=True)
    for page in EXAMPLES.glob("[!_]*.py"):
        lines = [{"machine": "m", "date": "d", "seconds": 1}, {"figure": str(figure)}]
        (results / f"{page.stem}.jsonl").write_text("\n".join(map(json.dumps, lines)))
    (results / "ch06_dropout.jsonl").unlink()
    lost = {"figure": str(results / "figures" / "gone.png")}
    (results / "ch04_two_layer_training.jsonl").write_text(json.dumps(lost))
    for arguments in (["--table"], ["ch05", "ch06_w"]):
        message = str(run("_reproduce", *arguments))
        assert "not all figures, of ch04_two_layer_training, ch06_dropout; run them" in message
        assert "python examples/_reproduce.py ch04_two_layer_training ch06_dropout" in message
    assert figure.read_text() == Path("docs/reproduction.md").read_text() == "kept"


def test_a_page_that_is_none(run: Callable[..., object], capsys: pytest.CaptureFixture[str]) -> None:
    assert run("_reproduce", "ch06_dropuot") == 2
    assert (
        "no page begins with 'ch06_dropuot': there are ch03_pretrained_network, " in capsys.readouterr().err
    )


@pytest.mark.parametrize("seeds", ["0", "-1", "two"])
def test_counts_of_a_page(seeds: str, run: Callable[..., object], capsys: pytest.CaptureFixture[str]) -> None:
    assert run("ch05_train_mnist", "--seeds", seeds) == 2
    error = f"argument --seeds: expected a whole number of at least 1, got '{seeds}'"
    assert error in capsys.readouterr().err
