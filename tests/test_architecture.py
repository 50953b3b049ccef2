"""What docs/architecture.md says: which room may import which, no circles, and the journeys."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import FrameType

import numpy as np
import pytest

import backprop
from backprop import Momentum, TwoLayerNet, fit, load_network, save_network
from backprop.cli import main

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "architecture.md"

Graph = Mapping[str, set[str]]


def module_name(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {module_name(file): file for room in ("backprop", "backends") for file in (ROOT / room).rglob("*.py")}


def imported(module: str) -> set[str]:
    """Our modules that it imports, at its top or within a function, but not for type checkers alone."""
    file = FILES[module]
    package = module if file.name == "__init__.py" else module.rpartition(".")[0]
    found: set[str] = set()
    for node in runtime_nodes(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {ours(alias.name) for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = absolute(node, package)
            names = {ours(f"{base}.{alias.name}") for alias in node.names}
            found |= {name if name in FILES else ours(base) for name in names}
    return (found & FILES.keys()) - {module}


def ours(name: str) -> str:
    """The folder `backends` is loaded as `backprop.backends`."""
    return re.sub(r"^backprop\.backends\b", "backends", name)


def runtime_nodes(tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(tree):
        if not (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"):
            yield node
            yield from runtime_nodes(node)


def absolute(node: ast.ImportFrom, package: str) -> str:
    if not node.level:
        return node.module or ""
    parts = package.split(".")
    return ".".join([*parts[: len(parts) - node.level + 1], *([node.module] if node.module else [])])


MODULES: Graph = {module: imported(module) for module in FILES}


def room(module: str) -> str:
    """The folder of a module, or the file that lies beside the folders."""
    first, *others = module.split(".")
    return first if first == "backends" or others in ([], ["__main__"]) else others[0]


def rooms() -> Graph:
    found: dict[str, set[str]] = {}
    for module, others in MODULES.items():
        found.setdefault(room(module), set()).update(map(room, others))
    del found["backprop"]
    return {name: others - {name, "backprop"} for name, others in found.items()}


def picture() -> Graph:
    """The arrows of the page's picture."""
    (drawing,) = re.findall(r"```mermaid\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    found: dict[str, set[str]] = {}
    for start, end in re.findall(r"^ *(\w+) --> (\w+)$", drawing, re.MULTILINE):
        found.setdefault(start, set()).add(end)
    return found


def reachable(graph: Graph, start: str) -> set[str]:
    found: set[str] = set()
    left = [start]
    while left:
        for name in graph.get(left.pop(), set()) - found:
            found.add(name)
            left.append(name)
    return found


def test_no_module_imports_itself_by_way_of_others() -> None:
    assert [module for module in MODULES if module in reachable(MODULES, module)] == []


def test_rooms_import_what_the_picture_allows() -> None:
    allowed = picture()
    assert [name for name in allowed if name in reachable(allowed, name)] == []
    forbidden = {
        f"{name} --> {other}"
        for name, others in rooms().items()
        for other in others - reachable(allowed, name)
    }
    assert forbidden == set()


def test_the_picture_has_every_room_and_no_arrow_in_vain() -> None:
    drawn, real = picture(), rooms()
    ends = set(drawn) | {end for others in drawn.values() for end in others}
    assert ends == set(real)
    idle = {f"{name} --> {other}" for name, others in drawn.items() for other in others - real[name]}
    assert idle == set()


def test_the_graph_is_that_of_the_code() -> None:
    assert "backprop.layers.affine" in MODULES
    assert "backends" in reachable(MODULES, "backprop.layers.affine")
    assert "backprop.networks.network" in reachable(MODULES, "backprop.training.loop")


def journeys() -> dict[str, list[tuple[str, str]]]:
    """By heading: the file and the name of every function in the list."""
    sections = re.split(r"^### ", PAGE.read_text("utf-8"), flags=re.MULTILINE)[1:]
    return {
        section.partition("\n")[0]: re.findall(r"^\d+\. `(\S+)` `(\S+?)`", section, re.MULTILINE)
        for section in sections
    }


def calls(function: Callable[[], object]) -> list[tuple[str, str]]:
    """The file and the name of every function of ours that is called, in order."""
    found: list[tuple[str, str]] = []

    def note(frame: FrameType, event: str, _: object) -> None:
        file = Path(frame.f_code.co_filename)
        if event == "call" and file.is_relative_to(PACKAGE):
            found.append((file.relative_to(PACKAGE).as_posix(), frame.f_code.co_qualname))

    sys.setprofile(note)
    try:
        function()
    finally:
        sys.setprofile(None)
    return found


PACKAGE = Path(backprop.__file__).parents[1]
X = np.random.default_rng(0).standard_normal((40, 4)).astype("float32")
T = np.arange(40) % 3


def train_by_fit() -> None:
    network = TwoLayerNet(4, 5, 3, rng=0)
    fit(network, X, T, epochs=1, batch_size=10, optimizer=Momentum(), capture=False, verbose=False)


def train_by_command() -> None:
    np.savez("data.npz", x_train=X, t_train=T, x_test=X, t_test=T)
    assert main(["train", "--data", "data.npz", "--batch-size", "20", "--epochs", "1", "--no-save"]) == 0


def load() -> None:
    save_network("a.safetensors", TwoLayerNet(4, 5, 3, rng=0))
    load_network("a.safetensors")


@pytest.mark.parametrize(("beginning", "travel"), [
    ("A batch", train_by_fit), ("A flag", train_by_command), ("An array", load)
])  # fmt: skip
def test_a_journey_is_the_one_that_is_made(
    beginning: str, travel: Callable[[], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (stations,) = (found for heading, found in journeys().items() if heading.startswith(beginning))
    assert len(stations) > 5
    made = iter(calls(travel))
    missed = [station for station in stations if station not in made]  # `in` goes on from the last one
    assert missed == []
