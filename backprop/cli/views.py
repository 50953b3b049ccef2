"""What the user of `backprop train` sees: lines for people, or JSON."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any, Protocol

from ..text import visible
from ..training import Metrics


class View(Protocol):
    """What the user sees on stdout."""

    def start(self, settings: dict[str, Any]) -> None: ...
    def epoch(self, metrics: Metrics) -> None: ...
    def note(self, text: str, **facts: Any) -> None: ...
    def end(self, result: dict[str, Any]) -> None: ...


class Json:
    """One object a line."""

    def __init__(self, held_out: str) -> None:
        self.held_out = held_out

    def start(self, settings: dict[str, Any]) -> None:
        self._print("start", settings)

    def epoch(self, metrics: Metrics) -> None:
        self._print("epoch", named(metrics, self.held_out))

    def note(self, text: str, **facts: Any) -> None:
        self._print("note", {"text": text, **facts})

    def end(self, result: dict[str, Any]) -> None:
        self._print("end", result)

    def _print(self, event: str, values: dict[str, Any]) -> None:
        print(json.dumps({"event": event, **values}, allow_nan=False), flush=True)


class Lines:
    """Text for people."""

    def __init__(self, held_out: str, *, quiet: bool) -> None:
        self.held_out, self.quiet = held_out, quiet

    def start(self, s: dict[str, Any]) -> None:
        if self.quiet:
            if s["out"]:
                print(f"run {visible(s['out'])}", flush=True)
            return
        s = {key: visible(value) if isinstance(value, str) else value for key, value in s.items()}
        threads = f", {s['threads']} thread{'s' * (s['threads'] > 1)}" if s["threads"] else ""
        why = f" ({s['why']})" if s["why"] else ""
        print(f"{s['network']}: {s['parameters']:,} parameters, {s['dtype']}")
        print(f"device {s['device']}{why}: {s['backend']} {s['version']}{threads}")
        held_back = f", {s['validation_samples']:,} to validate on" if s["validation_samples"] else ""
        print(
            f"data {s['data']}: {s['train_samples']:,} to train on{held_back}, "
            f"{s['test_samples']:,} to test on"
        )
        print(
            f"{s['steps']:,} steps, batches of {s['batch_size']} {s['sampling'].replace('-', ' ')}, "
            f"{s['optimizer']} lr {s['lr']}{_extras(s)}, seed {s['seed']}"
        )
        kept = f"run {s['out']}" if s["out"] else "nothing is kept"
        print(f"{kept}, resumed at step {s['step']:,}\n" if s["resumed"] else f"{kept}\n")
        print(f"epoch    step     loss   train accuracy   {self.held_out} accuracy", flush=True)

    def epoch(self, m: Metrics) -> None:
        if not self.quiet:
            print(
                f"{m.epoch:5d} {m.step:7,d} {m.loss:8.4f} {m.accuracy:16.4f} "
                f"{m.test_accuracy:{len(self.held_out) + 11}.4f}",
                flush=True,
            )

    def note(self, text: str, **facts: Any) -> None:
        if not self.quiet:
            print(visible(text), flush=True)

    def end(self, result: dict[str, Any]) -> None:
        speed = f", {result['steps_per_second']:,.0f} steps/s" if result["steps_per_second"] else ""
        print(
            f"{'' if self.quiet else chr(10)}test accuracy {result['test_accuracy']:.4f}, "
            f"{result['seconds']:.1f} s in all{speed}"
        )
        if not self.quiet:
            for what in ("checkpoint", "report"):
                if result.get(what):
                    print(f"{what} {visible(result[what])}")


def _extras(s: dict[str, Any]) -> str:
    """What is not as usual with the optimizer."""
    extras = []
    if s["schedule"] != "constant":
        extras.append(f"schedule {s['schedule']}")
    for key, name in (
        ("warm_up", "warm-up"),
        ("weight_decay", "weight decay"),
        ("clip_norm", "norm at most"),
    ):
        if s[key]:
            extras.append(f"{name} {s[key]}")
    return "".join(f", {extra}" for extra in extras)


def named(metrics: Metrics, held_out: str) -> dict[str, Any]:
    """The metrics, with `validation_loss` in place of `test_loss` where that is what was held out."""
    return {
        f"{held_out}_{key.removeprefix('test_')}" if key.startswith("test_") else key: value
        for key, value in asdict(metrics).items()
    }
