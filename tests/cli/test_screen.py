"""Output of the commands fits into a terminal of 40 columns or more."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from backprop.cli.screen import fold
from backprop.cli.views import Epochs
from backprop.training.loop import Metrics

pty = pytest.importorskip("pty")
fcntl = pytest.importorskip("fcntl")
termios = pytest.importorskip("termios")

WIDTHS = [40, 60, 80]
VALIDATED = "train --device cpu --data d.npz --epochs 3 --validation 0.2 --schedule cosine --optimizer adam"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set, an array of samples, and a trained run."""
    folder, rng = tmp_path_factory.mktemp("screen"), np.random.default_rng(0)
    t = rng.integers(0, 9, 300)
    x = (rng.standard_normal((300, 9)) + 3.0 * np.eye(9)[t]).astype("f")
    np.savez(folder / "d.npz", x_train=x, t_train=t, x_test=x, t_test=t)
    np.save(folder / "x.npy", x[:3])
    words = (
        "train --device cpu --data d.npz --net mlp --layers 9-8-9 --batch-norm --epochs 2 --out run --quiet"
    )
    command = [sys.executable, "-m", "backprop", *words.split(), "--no-report"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return folder


def screen(folder: Path, columns: int, words: str, **variables: str) -> list[str]:
    """The lines that a command writes to a terminal of this width, without escape sequences."""
    leader, follower = pty.openpty()
    termios.tcsetwinsize(follower, (40, 200 if "COLUMNS" in variables else columns))
    environment = {key: value for key, value in os.environ.items() if key != "COLUMNS"}
    environment |= {"TERM": "xterm", "BACKPROP_NO_REPORT": "1", **variables}
    command = [sys.executable, "-m", "backprop", *words.split()]
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdin=follower, stdout=follower, stderr=follower
    ):
        os.close(follower)
        seen = b""
        try:
            while chunk := os.read(leader, 65536):
                seen += chunk
        except OSError:  # on Linux: the other end is closed
            pass
    os.close(leader)
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", seen.decode())
    return [line.rstrip() for line in re.split(r"[\r\n]+", text)]


COMMANDS = {
    "train": f"{VALIDATED} --no-save",
    "kept": "train --device cpu --data d.npz --epochs 1 --net mlp --layers 9-8-7-9",
    "usage": "train --quite",
    "nowhere": "train --device cpu --data d.npz --epochs 1 --out no/where",
    "evaluate": "evaluate run",
    "predict": "predict run --input x.npy --top 9",
    "inspect": "inspect run",
    "devices": "devices",
    "check": "check --net mlp --layer ConvolutionReLUPooling --elements 2",
    "a mistake": "check --layer fish",
    "help": "--help",
    "help of train": "train --help",
    "help of check": "check --help",
    "help of predict": "predict --help",
}


@pytest.mark.parametrize("columns", WIDTHS)
@pytest.mark.parametrize("words", COMMANDS.values(), ids=COMMANDS)
def test_every_line_fits(words: str, columns: int, folder: Path) -> None:
    lines = screen(folder, columns, words)
    assert [line for line in lines if len(line) > columns and " " in line.strip()] == []
    assert "…" not in "".join(lines).replace("…; see", "")  # nothing is cut
    assert len(lines) > 1


def test_columns_overrides_the_terminal_width(folder: Path) -> None:
    lines = screen(folder, 40, "evaluate run", COLUMNS="40")
    assert len(lines[0]) <= 40
    assert lines[1].startswith("  ")


def test_pipe_is_not_wrapped(folder: Path) -> None:
    command = [sys.executable, "-m", "backprop", "inspect", "run"]
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, "COLUMNS": "40"}, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[1].endswith("Affine2 · SoftmaxWithLoss), float32")
    assert "params.W1              F32  9×8                  72          288 bytes" in done.stdout


def test_wrapping_keeps_the_words(folder: Path) -> None:
    wide, narrow = (" ".join(screen(folder, columns, "inspect run")).split() for columns in (400, 40))
    assert narrow[: narrow.index("command")] == wide[: wide.index("command")]


def test_live_line_keeps_the_loss(folder: Path) -> None:
    for columns, kept in ((40, "loss"), (60, "accuracy"), (80, "steps/s")):
        moving = [line for line in screen(folder, columns, COMMANDS["train"]) if line.startswith("step ")]
        assert moving
        assert all(len(line) <= columns for line in moving)
        assert kept in moving[-1]


def test_long_path_has_its_own_line() -> None:
    path = "runs/two-layer-1/checkpoint-00010000.safetensors"
    assert [line.strip() for line in fold(f"checkpoint {path} is the last", 30)] == [
        "checkpoint",
        path,
        "is the last",
    ]


def test_command_can_be_copied() -> None:
    command = (
        "backprop train --device cpu --epochs 12 && backprop train --resume runs/two-layer-1 --iters 10600"
    )
    lines = fold(f"interrupted after step 4,556; resume with: {command}", 40)
    assert all(len(line) <= 40 for line in lines)
    text = "\n".join(lines)
    script = text[text.index("backprop") :].replace("\\\n", "")
    assert "\n" not in script
    assert script.split() == command.split()


@pytest.mark.parametrize("held_out", ["test", "validation"])
@pytest.mark.parametrize("steps", [700, 1_234_567, 10**12])
@pytest.mark.parametrize("columns", WIDTHS)
def test_epochs_fit(columns: int, steps: int, held_out: str) -> None:
    epochs = Epochs(held_out, steps, columns)
    row = epochs.row(Metrics(99, steps, 0.0781, 0.9788, 0.1, 0.9703, 1.0, 0.1, 0.9703))
    assert max(map(len, [*epochs.head, row])) <= columns
    assert len(epochs.head[-1].replace(" accuracy", "").split()) == len(row.split())
    assert row.split()[0] == "99"
    assert row.split()[-1] == "0.9703"


@pytest.mark.parametrize("held_out", ["test", "validation"])
@pytest.mark.parametrize("columns", [40, 80, None])
def test_huge_loss_fits_its_column(columns: int | None, held_out: str) -> None:
    def row(loss: float) -> str:
        return epochs.row(Metrics(1, 700, loss, 0.5, 0.1, 0.25, 1.0, 0.1, 0.25))

    epochs = Epochs(held_out, 10_000, columns)
    usual = row(0.0781)
    for loss, shown in (
        (23519115416826.2148, "2.4e+13" if columns == 40 else "2.35e+13"),
        (23519.25, "23519.2" if columns == 40 else "23519.25"),
        (1.5e300, "2e+300" if columns == 40 else "1.5e+300"),
    ):
        assert shown in row(loss).split()
        assert len(row(loss)) == len(usual)


def test_long_word_stays_whole() -> None:
    path = "/".join(["a" * 30] * 5)
    assert fold(path, 40) == [path]
    assert fold(f"report {path}", 40) == ["report", f"  {path}"]
