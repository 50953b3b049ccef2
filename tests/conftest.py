"""One fixture, `backend`, feeds every test that computes; `--backend NAME` chooses.

Without `--backend` every usable backend runs and the others are skipped with their reason. A
backend asked for by name and missing is an error. Tests that need no backend run on the host
once: with NumPy, or when no backend is named.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import numpy as np
import pytest

from backends import Backend, BackendUnavailableError, backend_names, get_backend

collect_ignore = ["book/gradient_check.py", "book/train_neuralnet.py"]  # scripts, which would run on import


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--backend", choices=backend_names(), help="run the tests of this backend only")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "only(name): a test for this backend alone")
    config.addinivalue_line("markers", "changes_arrays: a test of arrays that are changed in place")
    name = config.getoption("--backend")
    if name:
        try:
            get_backend(name)
        except BackendUnavailableError as error:
            raise pytest.UsageError(str(error)) from None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "backend" not in metafunc.fixturenames:
        return
    only = metafunc.definition.get_closest_marker("only")
    chosen = metafunc.config.getoption("--backend")
    names = [only.args[0]] if only else backend_names()
    names = [name for name in names if chosen in (None, name)]
    metafunc.parametrize("backend", names, indirect=True, scope="session")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    chosen = config.getoption("--backend")
    kept = [item for item in items if chosen is None or _runs_with(item, chosen)]
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = kept


def _runs_with(item: pytest.Item, chosen: str) -> bool:
    if "backend" not in getattr(item, "fixturenames", ()):
        return chosen == "numpy"
    only = item.get_closest_marker("only")
    return only is None or only.args[0] == chosen


@pytest.fixture(scope="session")
def backend(request: pytest.FixtureRequest) -> Backend:
    try:
        return get_backend(request.param)
    except BackendUnavailableError as error:
        pytest.skip(str(error))


@pytest.fixture(autouse=True)
def _float64(request: pytest.FixtureRequest) -> Iterator[None]:
    """float64, in which tests compute, also where a library has it within a scope only."""
    if "backend" not in request.fixturenames:
        yield
        return
    with request.getfixturevalue("backend").float64():
        yield


@pytest.fixture(autouse=True)
def _arrays_change(request: pytest.FixtureRequest) -> None:
    if request.node.get_closest_marker("changes_arrays") and "backend" in request.fixturenames:
        backend = request.getfixturevalue("backend")
        if backend.replays_mappings:
            pytest.skip(f"arrays of {backend.name} never change")


@pytest.fixture(autouse=True, scope="module")
def _compiled() -> Iterator[None]:
    """Without the programs that JAX keeps in memory, gigabytes after thousands of tests."""
    yield
    if "jax" in sys.modules:
        sys.modules["jax"].clear_caches()


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture(autouse=True)
def _no_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the width that a shell, or pytest-xdist, may hand on: it changes what is printed."""
    monkeypatch.delenv("COLUMNS", raising=False)
