"""Backends by the name of a device."""

from __future__ import annotations

import sys

import numpy as np
import pytest

import backends
from backends import Backend, BackendUnavailableError, get_backend
from backends.registry import _registry


def test_same_backend_every_time(backend: Backend) -> None:
    assert get_backend(backend.name) is backend
    assert get_backend(f"{backend.name}:{backend.device}") is backend
    assert get_backend(backend) is backend
    assert repr(backend) == f"<backend {backend.name} on {backend.device}>"
    backend.synchronize()


def test_cpu_is_numpy_and_auto_gives_its_reason() -> None:
    assert get_backend("cpu") is get_backend("numpy")
    automatic = get_backend("auto")
    assert automatic.name in ("numpy", "cupy")
    assert automatic.why.startswith("no GPU: " if automatic.name == "numpy" else "a GPU")


def test_unknown_device() -> None:
    with pytest.raises(ValueError, match="unknown device 'tpu': expected one of auto, cpu, gpu, numpy, cupy"):
        get_backend("tpu")


@pytest.mark.parametrize("spec", ["numpy:gpu", "strict:device9", "torch:nowhere", "torch:cuda:99"])
def test_unusable_device_names_cause_and_cure(spec: str) -> None:
    with pytest.raises(BackendUnavailableError) as caught:
        get_backend(spec)
    assert caught.value.cause
    assert caught.value.cure
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("name", "module"), [("torch", "torch"), ("strict", "array_api_strict")])
def test_missing_library(name: str, module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(BackendUnavailableError, match=r"is not installed; pip install"):
        _registry[name].load()()


def test_available_backends_lists_all() -> None:
    statuses = {status.name: status for status in backends.available_backends()}
    assert list(statuses) == backends.backend_names()
    assert statuses["numpy"].usable
    assert statuses["numpy"].version == np.__version__
    assert all(status.usable or (status.cause and status.cure) for status in statuses.values())
