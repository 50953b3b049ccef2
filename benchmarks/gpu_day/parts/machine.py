"""The card, its driver, and the versions of the libraries."""

from __future__ import annotations

import platform
import shutil
import subprocess
from importlib import metadata

from backends import BackendUnavailableError, UnknownDeviceError, get_backend
from backends.cupy.driver import cuda_version

from ..plan import DEVICES
from ..reporting import Report

PACKAGES = ("numpy", "cupy-cuda13x", "cupy-cuda12x", "nvmath-python", "array-api-compat", "torch", "triton",
            "jax", "jax-cuda13-plugin", "jax-cuda12-plugin")  # fmt: skip


def run(report: Report, arguments: list[str], quick: bool) -> None:
    report.add("Python", f"{platform.python_version()}, {platform.machine()}")
    for package in PACKAGES:
        try:
            report.add(package, metadata.version(package))
        except metadata.PackageNotFoundError:
            continue
    driver = cuda_version()
    report.add("driver", "none" if driver is None else f"CUDA {driver // 1000}.{driver % 1000 // 10}")
    if shutil.which("nvidia-smi"):
        query = "--query-gpu=name,driver_version,memory.total,power.limit,clocks.max.sm"
        done = subprocess.run(
            ["nvidia-smi", query, "--format=csv,noheader"], capture_output=True, text=True, timeout=15
        )
        report.add("nvidia-smi", (done.stdout or done.stderr).strip().replace("\n", "; "))
    for device in DEVICES[arguments[0]]:
        try:
            backend = get_backend(device)
        except (BackendUnavailableError, UnknownDeviceError) as error:
            report.add(device, f"not usable: {error}".splitlines()[0])
        else:
            report.add(device, ", ".join(f"{key} {value}" for key, value in backend.machine.items()))
