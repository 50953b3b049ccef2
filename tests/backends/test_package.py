"""The package: its two names, and what importing it loads."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import backprop


def in_python(code: str, **options: Any) -> str:
    return subprocess.check_output([sys.executable, "-c", code], text=True, **options).strip()


def test_importing_backends_imports_no_library_and_no_networks() -> None:
    code = (
        "import sys, backends; print([name for name in sys.modules if name in ('numpy', 'torch', 'cupy')"
        " or name.startswith('backprop.') and not name.startswith(('backprop.backends', 'backprop.lazy'))])"
    )
    assert in_python(code) == "[]"


@pytest.mark.parametrize("name", ["backends.py", "backends/__init__.py"])
def test_a_program_s_own_module_called_backends(name: str, tmp_path: Path) -> None:
    """Neither hides the other."""
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("mine = 42\n")
    code = (
        "{}; print(backends.mine, backprop.backends.get_backend('cpu'), type(backprop.TwoLayerNet(2, 2, 2)))"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(backprop.__file__).parents[1])}
    for order in ("import backends, backprop", "import backprop, backends"):
        printed = in_python(code.format(order), cwd=tmp_path, env=environment)
        assert (
            printed
            == "42 <backend numpy on cpu> <class 'backprop.networks.models.two_layer_net.TwoLayerNet'>"
        )


def test_both_names_give_the_same_modules() -> None:
    for order in ("backends.base, backprop.backends.base", "backprop.backends.base, backends.base"):
        code = (
            f"import {order}, sys; assert backends is backprop.backends\n"
            "assert backends.base is backprop.backends.base is sys.modules['backends.base']\n"
            "import backends.numpy.backend, backprop.backends.numpy\n"
            "print(type(backends.get_backend('cpu')) is backprop.backends.numpy.backend.NumpyBackend, backends.numpy.__spec__.name)"
        )
        assert in_python(code) == "True backprop.backends.numpy"


def test_only_backends_name_array_libraries() -> None:
    root = next(iter(backprop.__path__))
    names = ("cupy", "torch", "array_api_strict", "array_api_compat")
    for path in Path(root).rglob("*.py"):
        imports = [
            line
            for line in path.read_text("utf-8").splitlines()
            if line.lstrip().startswith(("import ", "from "))
        ]
        assert not [line for line in imports if any(name in line for name in names)], path
