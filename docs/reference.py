"""The reference: which modules are public, `docs/api.md`, and the pages that pdoc makes of the docstrings.

`python docs/reference.py` writes `docs/api.md`; `nox -s docs` builds the pages in `build/docs`.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).parents[1]
API = ROOT / "docs" / "api.md"


@dataclass(frozen=True)
class Module:
    """A public module, as far as its file tells without being imported."""

    name: str

    @property
    def file(self) -> Path:
        place = self.name.replace("backprop.backends", "backends")  # a folder beside backprop
        path = ROOT / Path(*place.split("."))
        return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")

    @property
    def page(self) -> str:
        return f"{self.name.replace('.', '/')}.html"

    @property
    def summary(self) -> str:
        """The first paragraph of its docstring."""
        docstring = ast.get_docstring(ast.parse(self.file.read_text("utf-8"))) or ""
        return " ".join(docstring.partition("\n\n")[0].split())

    @property
    def names(self) -> list[str]:
        """What its stub imports, or `__all__`, or else its public classes and functions."""
        stub = self.file.with_suffix(".pyi")
        if stub.is_file():
            imports = (n for n in ast.parse(stub.read_text("utf-8")).body if isinstance(n, ast.ImportFrom))
            return sorted(alias.name for node in imports if node.module for alias in node.names)
        found = []
        for node in ast.parse(self.file.read_text("utf-8")).body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
                return [str(name) for name in ast.literal_eval(node.value)]
            if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_"):
                found.append(node.name)
        return found


@dataclass(frozen=True)
class Group:
    """Modules for one purpose."""

    title: str
    sentence: str
    modules: tuple[Module, ...]


def _group(title: str, sentence: str, *names: str) -> Group:
    return Group(title, sentence, tuple(map(Module, names)))


GROUPS = (
    _group(
        "Start here",
        "What most programs need: `from backprop import …`.",
        "backprop",
    ),
    _group(
        "Training",
        "`fit` trains a network; `Training` does it step by step.",
        "backprop.training",
        "backprop.optimizers",
        "backprop.schedules",
    ),
    _group(
        "Networks and layers",
        "What a network is made of, and the book's networks ready made.",
        "backprop.networks",
        "backprop.networks.initializers",
        "backprop.networks.parameters",
        "backprop.layers",
        "backprop.losses",
        "backprop.inputs",
    ),
    _group(
        "Data and pictures",
        "MNIST, data of your own, and pictures of your own.",
        "backprop.datasets",
        "backprop.pictures",
    ),
    _group(
        "Saving",
        "Networks and whole trainings in files, and the folders of runs.",
        "backprop.saving",
        "backprop.saving.checkpoint",
        "backprop.saving.history",
        "backprop.saving.history_file",
        "backprop.saving.network_config",
        "backprop.saving.optimizer_config",
        "backprop.saving.run_folder",
    ),
    _group(
        "Proving",
        "Every gradient against differences.",
        "backprop.gradcheck",
        "backprop.numerical",
    ),
    _group(
        "Seeing",
        "What happens in every layer on one batch, and computational graphs with their numbers.",
        "backprop.tracing",
        "backprop.graphs",
        "backprop.formulas",
        "backprop.explain",
    ),
    _group(
        "The book",
        "*Deep Learning from Scratch* by its own names and conventions.",
        "backprop.book",
    ),
    _group(
        "Reports",
        "The page of a run, and the page that compares several.",
        "backprop.report",
        "backprop.diagnosis",
    ),
    _group(
        "Backends",
        "NumPy, CuPy, PyTorch, or a library of your own.",
        "backprop.backends",
    ),
)

INTERNAL = {
    *("__main__", "cli", "dtypes", "errors", "files", "lazy", "lookup", "pages", "statistics", "text"),
}
"""Modules of `backprop` that are not for users of the library."""

MODULES = [module for group in GROUPS for module in group.modules]


def undecided() -> list[str]:
    """The modules of `backprop` that are neither public nor internal."""
    found = {path.stem for path in (ROOT / "backprop").glob("*.py")} - {"__init__"}
    found |= {path.parent.name for path in (ROOT / "backprop").glob("*/__init__.py")}
    public = {module.name.removeprefix("backprop.") for module in MODULES}
    return sorted(found - public - INTERNAL)


def markdown() -> str:
    """The text of `docs/api.md`."""
    lines = [
        "# The reference",
        "",
        "Every public module, what it is for, and its names; a link leads to its file, whose docstrings say "
        "the rest. `nox -s docs` builds the same as pages with a search, in `build/docs`. This page is "
        "written by `python docs/reference.py`.",
    ]
    for group in GROUPS:
        lines += ["", f"## {group.title}", "", group.sentence, ""]
        for module in group.modules:
            names = ", ".join(f"`{name}`" for name in module.names)
            link = f"[{module.name}](../{module.file.relative_to(ROOT).as_posix()})"
            lines += [f"- {link}: {module.summary}  ", f"  {names}"]
    return "\n".join([*lines, ""])


def build(folder: Path) -> None:
    """The pages, with one to start from."""
    import pdoc

    for module in MODULES:
        for name in module.names:
            getattr(import_module(module.name), name)  # pdoc sees what has been imported
    pdoc.render.configure(template_directory=Path(__file__).parent / "pdoc", docformat="markdown")
    pdoc.render.env.globals["groups"] = GROUPS
    pdoc.pdoc(*(module.name for module in MODULES), output_directory=folder)


def missing(folder: Path) -> Iterator[str]:
    """The modules without a page or a link on the first one, and the names that are not on their page."""
    start = (folder / "index.html").read_text("utf-8")
    for module in MODULES:
        page = folder / module.page
        if not page.exists() or f'href="{module.page}"' not in start:
            yield module.name
            continue
        text = page.read_text("utf-8")
        yield from (f"{module.name}.{name}" for name in module.names if f'id="{name}"' not in text)


def main(folder: str | None = None) -> None:
    """Write `docs/api.md`, or the pages into a folder."""
    if folder is None:
        API.write_text(markdown(), "utf-8")
        return
    build(Path(folder))
    if absent := list(missing(Path(folder))):
        sys.exit(f"not in the reference: {', '.join(absent)}")


if __name__ == "__main__":
    main(*sys.argv[1:])
