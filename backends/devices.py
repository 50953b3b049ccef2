"""Backends by the name of a device, and which of them can be used here."""

from __future__ import annotations

from dataclasses import dataclass

from .base import Backend
from .errors import BackendUnavailableError, UnknownDeviceError
from .registry import backend_names, open_backend

_aliases = {"cpu": "numpy", "gpu": "cupy"}


@dataclass(frozen=True)
class BackendStatus:
    """A line of `available_backends()`: what the backend is, or why it cannot be used."""

    name: str
    usable: bool
    device: str = ""
    version: str = ""
    cause: str = ""
    cure: str = ""


def get_backend(spec: str | Backend = "cpu") -> Backend:
    """The backend for `spec`.

    `"cpu"` is NumPy, `"gpu"` is CuPy, `"gpu:1"` its second device; `"torch"`, `"torch:cuda"` and
    every other registered name work alike. `"auto"` takes a usable GPU, else the CPU, and gives the
    reason in the result's `why`. A backend that was asked for by name and cannot be used is a
    `BackendUnavailableError`: nothing falls back silently. A name that nobody registered is a
    `ValueError`.
    """
    if isinstance(spec, Backend):
        return spec
    if not isinstance(spec, str):
        raise TypeError(f"expected a device name such as 'cpu' or 'gpu', got {spec!r}")
    if spec == "auto":
        return _automatic()
    name, _, device = spec.partition(":")
    name = _aliases.get(name, name)
    if name not in backend_names():
        known = ", ".join(["auto", *_aliases, *backend_names()])
        raise UnknownDeviceError(f"unknown device {spec!r}: expected one of {known}, or NAME:DEVICE")
    backend = open_backend(name, device or None)
    if device:
        backend.make_current()
    return backend


def _automatic() -> Backend:
    try:
        backend = get_backend("gpu")
        backend.why = "a GPU is usable"
    except BackendUnavailableError as error:
        backend = get_backend("cpu")
        backend.why = f"no GPU: {error.cause}"
    return backend


def available_backends() -> list[BackendStatus]:
    """Every registered backend on its default device: usable, or the cause and the cure."""
    return [_status(name) for name in backend_names()]


def _status(name: str) -> BackendStatus:
    try:
        backend = get_backend(name)
    except BackendUnavailableError as error:
        return BackendStatus(name, False, cause=error.cause, cure=error.cure)
    return BackendStatus(name, True, backend.device, backend.version)
