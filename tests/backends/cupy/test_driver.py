"""The packages for a driver."""

from __future__ import annotations

import tomllib
from pathlib import Path

from backends.cupy.driver import cupy_packages

ROOT = Path(__file__).parents[3]


def test_hints_name_what_the_extras_bring() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    for version, extra in ((12080, "cuda12x"), (13000, "cuda13x")):
        brought = project["optional-dependencies"][extra]
        assert cupy_packages(version) == " ".join(f"'{requirement}'" for requirement in brought)
