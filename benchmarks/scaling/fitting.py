"""The constants of this machine, from what was measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

from .model import ITEM, Cluster, Computing, Link, fit


@dataclass(frozen=True)
class Machine:
    """Fitted to one process and to two."""

    computing: dict[str, Computing]
    shared: Cluster
    """Two processes that add in shared memory, where no bytes are sent."""
    messages: Cluster


def fitted(measured: dict[str, Any]) -> Machine:
    """The constants of the fastest round."""
    return Machine(
        {name: _computing(its) for name, its in measured["computing"].items()},
        _shared(measured["exchange"]["shared"]),
        _messages(measured["exchange"]["messages"], measured["own"]),
    )


def _computing(measured: dict[str, Any]) -> Computing:
    samples, times = zip(*measured["steps"].items(), strict=True)
    fixed, per_sample = fit([[1.0, float(its)] for its in samples], times)
    return Computing(max(0.0, fixed - measured["update"]), per_sample, measured["update"])


def _shared(measured: dict[str, float]) -> Cluster:
    """Two processes meet twice, and each adds half of the vector."""
    meeting, per_byte = fit([[2.0, size] for size in _sizes(measured)], list(measured.values()))
    return Cluster("shared memory", Link(meeting, 0.0), per_byte)


def _messages(measured: dict[str, float], own: dict[str, float]) -> Cluster:
    """Two messages of half of the vector, besides what each process does itself."""
    sizes = _sizes(measured)
    alone = Cluster("messages", Link(0.0, 0.0), own["small"], own["large"])
    times = [
        seconds - alone.handling(int(size)) for size, seconds in zip(sizes, measured.values(), strict=True)
    ]
    latency, per_byte = fit([[2.0, size] for size in sizes], times)
    return replace(alone, between=Link(latency, per_byte))


def _sizes(measured: dict[str, float]) -> list[float]:
    return [ITEM * float(length) for length in measured]


def fastest(rounds: list[Any]) -> Any:
    """The least of every number."""
    return _over(rounds, min)


def spread(rounds: list[Any]) -> Any:
    """The median of every number, divided by the least."""
    return _over(rounds, lambda values: median(values) / min(values))


def _over(values: list[Any], how: Callable[[list[float]], float]) -> Any:
    if not isinstance(values[0], dict):
        return how(values)
    keys = dict.fromkeys(key for its in values for key in its)
    return {key: _over([its[key] for its in values if key in its], how) for key in keys}
