"""CuPy where it cannot be used: the cause and the cure."""

from __future__ import annotations

import ctypes
import sys
from typing import Any

import pytest

from backends import Backend, BackendUnavailableError, get_backend
from backends.registry import _registry


def test_invalid_gpu_number() -> None:
    with pytest.raises(ValueError, match="unknown GPU 'one': expected a number"):
        get_backend("gpu:one")


class Driver:
    """A stand-in for libcuda, of a given CUDA version."""

    def __init__(self, version: int) -> None:
        self.version = version

    def cuDriverGetVersion(self, pointer: Any) -> int:  # noqa: N802 - NVIDIA's name
        pointer._obj.value = self.version
        return 0


@pytest.mark.parametrize(("version", "extra"), [(12080, "cuda12x"), (13000, "cuda13x")])
def test_missing_cupy_names_the_packages_for_the_driver(
    version: int, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda name: Driver(version))
    monkeypatch.setitem(sys.modules, "cupy", None)
    monkeypatch.delitem(sys.modules, "array_api_compat.cupy", raising=False)
    with pytest.raises(
        BackendUnavailableError,
        match=rf"CuPy is not installed; pip install 'cupy-{extra}\[ctk\]>=14'$",
    ):
        _registry["cupy"].load()()


def test_no_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: str) -> None:
        raise OSError(name)

    monkeypatch.setattr(ctypes, "CDLL", fail)
    with pytest.raises(
        BackendUnavailableError, match="no NVIDIA driver was found on this machine; install the driver"
    ):
        _registry["cupy"].load()()


@pytest.mark.only("cupy")
@pytest.mark.parametrize(("value", "is_tf32"), [("0", False), ("1", True), ("2", True), ("yes", False)])
def test_the_machine_says_whether_products_use_tf32(
    value: str, is_tf32: bool, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUPY_TF32", value)
    assert backend.machine["TF32"] is is_tf32
