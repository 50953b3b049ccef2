"""What a source distribution holds."""

from __future__ import annotations

import ast
import re
import subprocess
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

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


@pytest.mark.parametrize("package", ["backprop", "backprop.saving"])
def test_a_package_and_its_stub_agree(package: str) -> None:
    """The stub is what type checkers and editors read."""
    module = import_module(package)
    assert module.__file__ is not None
    stub = ast.parse(Path(module.__file__).with_suffix(".pyi").read_text("utf-8"))
    imports = [node for node in stub.body if isinstance(node, ast.ImportFrom) and node.module]
    homes = {alias.asname: node.module for node in imports for alias in node.names}
    assert sorted(homes) == module.__all__
    for name, home in homes.items():
        assert getattr(module, name) is getattr(import_module(f"{package}.{home}"), name)
        assert name in dir(module)


def test_no_text_installs_a_stranger_s_package() -> None:
    """The package of this name in PyPI is somebody else's."""
    texts = [
        path
        for pattern in ("backprop/**/*.py", "backends/**/*.py", "examples/*.py", "benchmarks/**/*.py", "*.md",
                        "docs/*.md", "noxfile.py", "tests/**/*.py")
        for path in ROOT.glob(pattern)
    ]  # fmt: skip
    assert len(texts) > 100
    installs = re.compile(
        r"(pip3?|uv|pipx|conda|poetry|pdm)\b[^\n`&;|]*\b(install|add)\b[^\n`&;|]*['\" ]backprop\b(?!/)"
    )
    found = [
        (str(path), line)
        for path in texts
        for line in path.read_text("utf-8").splitlines()
        if installs.search(line)
    ]
    assert found == []
    assert installs.search("pip install 'back" + "prop[plots]'")
