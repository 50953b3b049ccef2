"""Run the pages in this folder one after another, and write their results to docs/reproduction.md.

    python examples/_reproduce.py             all pages: three quarters of an hour
    python examples/_reproduce.py ch06        pages whose names begin so; earlier results for the others
    python examples/_reproduce.py --quick     seconds per page, with the table in build/ instead

The output of each page stays in build/reproduction/, so that the table can be built again.
"""

import argparse
import datetime
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
OPTIONS = {"ch05_train_mnist": ["--seeds", "10"], "ch08_deep_convnet": ["--epochs", "20"]}
"""Options of pages in a full run."""

NOT_RUN = (
    "The book network on Fashion-MNIST, 86.87 %: the data are not part of this project. With them: "
    "`backprop train --data FOLDER --sampling with-replacement`.",
)
"""Results for which there is no page."""


def machine() -> str:
    """The processor, the system and the versions."""
    names = [line.partition(":")[2].strip() for line in _cpuinfo() if line.startswith("model name")]
    threads = os.environ.get("OPENBLAS_NUM_THREADS", os.cpu_count())
    return (
        f"{names[0] if names else platform.processor()}, {os.cpu_count()} cores shared with others, "
        f"{platform.system()}, Python {platform.python_version()}, NumPy {np.__version__}, threads {threads}"
    )


def _cpuinfo() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text().splitlines() if path.exists() else []


def run(page: Path, folder: Path, quick: bool) -> None:
    """Run a page and save its JSON lines, preceded by machine, date and seconds."""
    words = ["--quick"] if quick else OPTIONS.get(page.stem, [])
    warnings = [word for option in sys.warnoptions for word in ("-W", option)]
    print(f"{page.name} {' '.join(words)}", flush=True)
    began = time.perf_counter()
    command = [sys.executable, *warnings, str(page), *words, "--json", "--out", str(folder / "figures")]
    printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    facts = {"machine": machine(), "date": str(datetime.date.today())}
    keep(page.stem, folder, printed, {**facts, "seconds": round(time.perf_counter() - began)})


def keep(name: str, folder: Path, printed: str, facts: dict[str, str | int]) -> None:
    """Save the JSON lines that a page printed."""
    lines = [line for line in printed.splitlines() if line.startswith("{")]
    (folder / f"{name}.jsonl").write_text("\n".join([json.dumps(facts), *lines, ""]), "utf-8")


def demand(names: list[str], folder: Path) -> None:
    """Exit unless `folder` has the results of these pages, so that no row or figure is lost."""
    missing = [name for name in names if not complete(folder / f"{name}.jsonl")]
    if missing:
        raise SystemExit(
            f"{folder} has no results, or not all figures, of {', '.join(missing)}; run them, or all pages: "
            f"python examples/_reproduce.py {' '.join(missing)}"
        )


def complete(path: Path) -> bool:
    """Whether a page's results exist, including every figure."""
    if not path.exists():
        return False
    lines = map(json.loads, path.read_text("utf-8").splitlines())
    return all(Path(line["figure"]).exists() for line in lines if "figure" in line)


def shown(value: float | None, form: str) -> str:
    return "–" if value is None else format(int(value) if form == "d" else value, form)


def write(folder: Path, target: Path) -> None:
    """Build the table from the results in `folder`."""
    table, short, figures, machines = [], [], [], []
    shutil.rmtree(target.parent / "figures", ignore_errors=True)
    for path in sorted(folder.glob("*.jsonl")):
        facts, *lines = map(json.loads, path.read_text("utf-8").splitlines())
        if facts["machine"] not in machines:
            machines.append(facts["machine"])
        for line in lines:
            if "figure" in line:
                figures.append(copied(Path(line["figure"]), target.parent / "figures"))
                continue
            book, ours = (shown(line[key], line["form"]) for key in ("book", "ours"))
            book += " (m)" if line["measured"] else ""
            where = f"{machines.index(facts['machine']) + 1}, {facts['date']}"
            cells = (
                line["row"],
                book,
                ours,
                line["note"],
                f"`{line['command']}`",
                where,
                str(facts["seconds"]),
            )
            table.append(f"| {' | '.join(cells)} |")
            if line["note"].startswith(("not run", "shortened")):
                short.append(f"- {line['row']}: {line['note']}.")
    listed = "\n".join(f"{i}. {name}" for i, name in enumerate(machines, 1))
    pictures = "\n\n".join(f"### {file.stem}\n\n![{file.stem}](figures/{file.name})" for file in figures)
    short += [f"- {line}" for line in NOT_RUN]
    text = TEXT.format(machines=listed, table="\n".join(table), short="\n".join(short), pictures=pictures)
    target.write_text(text, "utf-8")
    print(f"{target}: {len(table)} rows, {len(figures)} figures")


def copied(figure: Path, folder: Path) -> Path:
    """Copy a figure into `folder`, and return the copy."""
    folder.mkdir(parents=True, exist_ok=True)
    return Path(shutil.copy(figure, folder))


TEXT = """# The book's results, reproduced

Written by `nox -s reproduce`, which runs the pages of [`examples/`](../examples). The commands run from
a clone of this repository after `pip install '.[plots]'`. A dash: the book gives no number, or the page was
not run; (m): not printed in the book, but measured once with code like the book's. The book's runs are
single ones, and so are ours unless the note says otherwise: they differ by their random numbers. The
seconds were taken while others used the machine.

Machines:

{machines}

| what | book | ours | note | command | machine, date | seconds a page |
|---|---|---|---|---|---|---|
{table}

## Shortened, or not run

{short}

## Figures

{pictures}
"""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pages", nargs="*", help="prefixes of page names; default: all pages")
    parser.add_argument("--quick", action="store_true", help="seconds per page; nothing in docs/ changes")
    parser.add_argument("--table", action="store_true", help="run nothing; only build the table again")
    options = parser.parse_args()
    folder = Path("build/reproduction-quick" if options.quick else "build/reproduction")
    target = folder / "table" / "reproduction.md" if options.quick else Path("docs/reproduction.md")
    for parent in folder, target.parent:
        parent.mkdir(parents=True, exist_ok=True)
    pages = [
        page
        for page in sorted(HERE.glob("[!_]*.py"))
        if "from _common import Page" in page.read_text("utf-8")
    ]
    for name in options.pages:
        if not any(page.name.startswith(name) for page in pages):
            parser.error(f"no page begins with {name!r}: there are {', '.join(page.stem for page in pages)}")
    asked = [page for page in pages if page.name.startswith(tuple(options.pages) or "") and not options.table]
    if not options.quick:
        demand([page.stem for page in pages if page not in asked], folder)
    for page in asked:
        run(page, folder, options.quick)
    write(folder, target)


if __name__ == "__main__":
    main()
