"""Shared by the scripts in this folder: the command line, the figures, and the result rows."""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from backprop.graphs import Graph

KEPT_OUT = ("quick", "json", "out")
"""Options left out of the command in a result row."""


def count(text: str) -> int:
    """A whole number of at least 1, on the command line."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, got {text!r}")
    return int(text)


class Page:
    """A page: its options, its figures, and its results compared with the book's.

    Parameters
    ----------
    text : the page's docstring, for `--help`
    seed : whether it draws random numbers, and so takes `--seed`
    further : names and defaults of more options, such as `epochs=20`
    """

    def __init__(self, text: str, *, seed: bool = True, **further: Any) -> None:
        parser = argparse.ArgumentParser(
            description=text, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        parser.add_argument("--device", default="cpu", help="cpu, gpu, torch, … (default: cpu)")
        parser.add_argument("--quick", action="store_true", help="run for seconds only, to test the script")
        if seed:
            parser.add_argument("--seed", type=int, default=0, help="seed of all random numbers (default: 0)")
        for name, default in further.items():
            kind = {type(None): str, int: count}.get(type(default), type(default))
            parser.add_argument(f"--{name}", type=kind, default=default, help=f"default: {default}")
        parser.add_argument(
            "--out", type=Path, default=Path("build/figures"), help="folder for the figures and for files "
            "that later scripts need (default: build/figures)"
        )  # fmt: skip
        parser.add_argument("--json", action="store_true", help="print the results as JSON")
        self.options = parser.parse_args()
        self.device, self.quick = self.options.device, self.options.quick
        self.seed: int = getattr(self.options, "seed", 0)
        self.name = Path(sys.argv[0]).stem
        given = vars(self.options)
        changed = [
            f" --{k} {v}" for k, v in given.items() if k not in KEPT_OUT and v != parser.get_default(k)
        ]
        self.command = f"python examples/{self.name}.py" + "".join(changed)

    def file(self, name: str) -> Path:
        """A file in the folder of the figures."""
        self.options.out.mkdir(parents=True, exist_ok=True)
        return self.options.out / name

    def figure(
        self, draw: Callable[..., None], rows: int = 1, columns: int = 1, *, part: str = "", **subplots: Any
    ) -> None:
        """Call `draw` with rows × columns of axes and save the figure; without matplotlib, say so."""
        try:
            from matplotlib.figure import Figure
        except ImportError:
            print("no figure: matplotlib is not installed (pip install matplotlib)")
            return
        size = subplots.pop("size", (4.5 * columns, 3.2 * rows))
        figure = Figure(figsize=size, layout="constrained")
        draw(*figure.subplots(rows, columns, squeeze=False, **subplots).flat)
        path = self.file(f"{self.name}{part and '_'}{part}.png")
        figure.savefig(path, dpi=90)
        self._saved(path)

    def graph(self, graph: Graph) -> None:
        """Save the drawing of a computational graph."""
        path = self.file(f"{self.name}.svg")
        graph.save(path)
        self._saved(path)

    def _saved(self, path: Path) -> None:
        print(json.dumps({"figure": str(path)}) if self.options.json else f"figure {path}")

    def row(
        self,
        what: str,
        book: float | None,
        ours: float | None,
        form: str = ".4f",
        *,
        note: str = "",
        measured: bool = False,
    ) -> None:
        """Print a result: the book's value, or one `measured` with its code, or None, and ours."""
        if self.options.json:
            row = {"row": what, "book": book, "ours": ours, "form": form, "note": note, "measured": measured}
            print(json.dumps({**row, "command": self.command, "quick": self.quick}))
            return
        shown = [
            name + ("–" if v is None else format(v, form))
            for name, v in (("measured " if measured else "book ", book), ("ours ", ours))
        ]
        print(f"{what}: {', '.join(shown)}{note and f' ({note})'}")
