"""Every diff of CONTRIBUTING.md applies to a copy of the project, and the tests that concern it pass."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NEEDS_GIT = pytest.mark.skipif(shutil.which("git") is None, reason="git applies the diffs")
COPIED = (
    "backends",
    "backprop",
    "docs",
    "examples",
    "tests",
    "CONTRIBUTING.md",
    "README.md",
    "noxfile.py",
    "pyproject.toml",
)
TESTS = {
    "Adding a layer": (
        *("tests/layers/test_gradients.py", "tests/layers/test_aliasing.py", "tests/formulas/test_lookup.py"),
        *("-k", "Softplus or test_every_class_has_a_case"),
    ),
    "Adding an optimizer": ("tests/optimizers", "tests/saving", "-k", "AdaDelta or every"),
    "Adding a backend": ("tests/backends", "-k", "registered or usable or device"),
    "Adding an option": ("tests/cli/test_settings.py", "tests/cli/test_build.py"),
}
"""What pytest runs for the diff under each heading."""


def diffs() -> dict[str, str]:
    sections = re.split(r"^## ", (ROOT / "CONTRIBUTING.md").read_text("utf-8"), flags=re.MULTILINE)[1:]
    found = {}
    for section in sections:
        for diff in re.findall(r"```diff\n(.*?)```", section, re.DOTALL):
            heading = section.partition("\n")[0]
            assert heading not in found
            found[heading] = diff
    return found


def test_every_diff_is_tried() -> None:
    assert diffs().keys() == TESTS.keys()


@pytest.fixture
def copy(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of the project with the diff under this heading."""
    for name in COPIED:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tmp_path / name)
    (tmp_path / "a.diff").write_text(diffs()[request.param], "utf-8")
    said = run(tmp_path, "git", "apply", "a.diff")
    assert said.returncode == 0, said.stderr
    return tmp_path


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@NEEDS_GIT
@pytest.mark.parametrize(("copy", "tests"), TESTS.items(), indirect=["copy"], ids=TESTS)
def test_a_diff_applies_and_its_tests_pass(copy: Path, tests: tuple[str, ...]) -> None:
    said = run(
        copy, sys.executable, "-m", "pytest", "-q", "--backend", "numpy", "-p", "no:cacheprovider", *tests
    )
    assert said.returncode == 0, said.stdout
    assert re.search(r"^[1-9]\d* passed", said.stdout, re.MULTILINE)


@NEEDS_GIT
@pytest.mark.parametrize("copy", ["Adding a layer"], indirect=True)
def test_a_layer_without_its_case_is_noticed(copy: Path) -> None:
    shutil.copy(ROOT / "tests" / "cases.py", copy / "tests" / "cases.py")
    said = run(
        copy, sys.executable, "-m", "pytest", "-q", "tests/layers/test_gradients.py", "-k", "has_a_case"
    )
    assert said.returncode == 1, said.stdout
    assert "Softplus" in said.stdout


@NEEDS_GIT
@pytest.mark.parametrize("copy", ["Adding a backend"], indirect=True)
def test_a_new_backend_is_listed(copy: Path) -> None:
    """Where ndonnx is installed, it computes; elsewhere it says what to install."""
    said = run(copy, sys.executable, "-m", "backprop", "devices", "--json")
    (listed,) = (found for found in json.loads(said.stdout) if found["name"] == "ndonnx")
    if importlib.util.find_spec("ndonnx") is None:
        assert (listed["usable"], listed["cure"]) == (False, "pip install ndonnx")
    else:
        assert listed["usable"]
