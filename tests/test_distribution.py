"""What a source distribution holds."""

from __future__ import annotations

import ast
import subprocess
import tomllib
from pathlib import Path

import pytest

import backprop

ROOT = Path(__file__).parents[1]
NOT_IN_IT = {".ci"}
ALWAYS = {".gitignore", "pyproject.toml"}
"""What the build backend adds by itself."""


def listed() -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    names: list[str] = project["tool"]["hatch"]["build"]["targets"]["sdist"]["include"]
    assert all(name.startswith("/") for name in names)  # else it would hold for every folder
    return {name[1:] for name in names}


def test_what_is_listed_is_there() -> None:
    assert [name for name in listed() if not (ROOT / name).exists()] == []


def test_all_that_is_tracked_is_listed() -> None:
    try:
        found = subprocess.run(
            ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not in a clone of the repository")
    tracked = {Path(name).parts[0] for name in found.stdout.split("\0") if name}
    assert tracked - NOT_IN_IT - ALWAYS == listed()


def test_its_name_is_nobody_else_s() -> None:
    """The distribution called backprop in PyPI is somebody else's."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["name"] == "backprop-xp"
    assert project["scripts"] == {"backprop": "backprop.cli:main"}


def test_the_public_names_are_said_alike() -> None:
    """For type checkers, for the import on demand, and in `__all__`."""
    tree = ast.parse((ROOT / "backprop" / "__init__.py").read_text("utf-8"))
    checked = next(node for node in tree.body if isinstance(node, ast.If))
    imports = [node for node in checked.body if isinstance(node, ast.ImportFrom) and node.module]
    seen = {(node.module, alias.name) for node in imports for alias in node.names}
    homes = {(module, name) for module, names in backprop._homes.items() for name in names}
    assert seen == homes
    assert {name for _, name in homes} == set(backprop.__all__)
    assert all(hasattr(backprop, name) for name in backprop.__all__)
