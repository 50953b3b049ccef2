"""The host's processor."""

from __future__ import annotations

import platform
from contextlib import suppress
from functools import cache


@cache
def processor_name() -> str:
    """The model of the CPU."""
    with suppress(OSError), open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
        for line in file:
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
