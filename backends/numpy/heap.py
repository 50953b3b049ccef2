"""Memory for temporaries that stays with the process."""

from __future__ import annotations

import ctypes
import sys


def allocate_from_heap() -> None:
    """Make glibc keep freed memory, so that temporaries do not fault in their pages again at every step.

    By default an array of 128 kB or more is mapped from the kernel and returned to it, at a cost of some 4 µs
    for each page of 4 kB that is touched again. Other C libraries are left alone.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return
    m_trim_threshold, m_top_pad, m_mmap_threshold = -1, -2, -3
    mallopt(m_mmap_threshold, 32 * 2**20)  # the largest that glibc takes
    mallopt(m_trim_threshold, 512 * 2**20)
    mallopt(m_top_pad, 16 * 2**20)
