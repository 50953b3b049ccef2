"""The most memory of a GPU that a process held, as its library counts it, in MB."""

from __future__ import annotations

from typing import Any

MB = 2**20


class HeldByCupy:
    """What CuPy's pools take from the device, those of graphs included, until `mb` is asked for.

    Pools keep what they have, so what was taken is the most that was held.
    """

    def __init__(self) -> None:
        from cupy.cuda import MemoryHook

        class Taken(MemoryHook):  # type: ignore[misc]
            name, total = "taken", 0

            def alloc_postprocess(self, **allocation: Any) -> None:
                self.total += allocation["mem_size"]

        self._hook = Taken()
        self._hook.__enter__()

    def mb(self) -> float:
        """End counting, which slows allocations down, and return the sum."""
        self._hook.__exit__(None, None, None)
        return self._hook.total / MB


def held_by_torch(torch: Any) -> float:
    """What PyTorch's allocator reserved at most."""
    return float(torch.cuda.max_memory_reserved()) / MB


def held_by_jax(device: Any) -> float | None:
    """What arrays and programs used at most; None where JAX does not count."""
    used = (device.memory_stats() or {}).get("peak_bytes_in_use")
    return None if used is None else used / MB
