"""A measurement as a table."""

from __future__ import annotations

import statistics
from typing import Any

FLOOR, REFERENCE = "floor:numpy", "pytorch:eager"


def report(measured: dict[str, Any]) -> str:
    """The measurement as a table, fastest first."""
    results, on_gpu = measured["results"], measured["device"] != "cpu"
    products = f", products in {measured['precision']}" if on_gpu else ""
    columns = ["contender", "µs/step", "p10–p90", "floor / it", "PyTorch eager / it", "loss", "peak MB",
               "import s", "first steps s", *(["device MB"] if on_gpu else [])]  # fmt: skip
    lines = [
        f"{measured['workload']}, {measured['threads']} thread(s), {measured['device']}{products}",
        "",
        _row(columns),
        "|---" * len(columns) + "|",
    ]
    for name in sorted(results, key=lambda name: statistics.median(results[name]["us"])):
        result = results[name]
        times = sorted(result["us"])
        low, high = times[len(times) // 10], times[-1 - len(times) // 10]
        cells = [
            name,
            f"{statistics.median(times):,.0f}",
            f"{low:,.0f}–{high:,.0f}",
            ratio(results, FLOOR, name),
            ratio(results, REFERENCE, name),
            _number(result["loss"], ".4f"),
            _number(result["peak_mb"], ".0f"),
            _number(result["import_s"], ".2f"),
            _number(result["first_s"], ".1f"),
        ]
        lines.append(_row([*cells, *([_number(result["device_mb"], ".0f")] if on_gpu else [])]))
    return "\n".join([*lines, *(f"\n{name} did not run: {why}" for name, why in measured["missing"].items())])


def ratio(results: dict[str, Any], base: str, name: str) -> str:
    """The median over the rounds of the base's time divided by the contender's."""
    if base not in results:
        return "–"
    pairs = zip(results[base]["us"], results[name]["us"], strict=True)
    return f"{statistics.median(b / u for b, u in pairs):.2f}"


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _number(value: float | None, form: str) -> str:
    return "–" if value is None else format(value, form)
