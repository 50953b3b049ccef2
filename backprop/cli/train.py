"""`backprop train`."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any, Protocol

import numpy as np

from backends import Backend, get_backend

from ..datasets import Dataset, load_dataset, mnist
from ..networks import Network
from ..optimizers import Optimizer
from ..training import Metrics, Progress, fit
from .build import as_images, build_network, build_optimizer


def run(options: argparse.Namespace) -> int:
    """Train as the options say; show the run on stdout and a live line on stderr."""
    began = time.perf_counter()
    backend = get_backend(options.device)
    if options.precision == "tf32" and backend.name != "cupy":
        raise ValueError(f"--precision tf32 is for a GPU (--device gpu), but the device is {backend.device}")
    data = mnist() if options.data is None else load_dataset(options.data)
    rng = np.random.default_rng(options.seed)
    network = build_network(options, data, backend, rng)
    shaped = as_images if len(network.input_shape or ()) == 3 else lambda x: x
    iterations = None if options.epochs else options.iters or 10_000
    steps = iterations or options.epochs * -(-len(data.x_train) // options.batch_size)
    optimizer = build_optimizer(options, steps)
    view: _View = _Json() if options.json else _Lines(quiet=options.quiet)
    with _live_line(steps, shown=not (options.json or options.quiet)) as progress:
        epochs = fit(
            network,
            shaped(data.x_train),
            data.t_train,
            optimizer=optimizer,
            epochs=options.epochs,
            iterations=iterations,
            batch_size=options.batch_size,
            sampling=options.sampling,
            rng=rng,
            test=(shaped(data.x_test), data.t_test),
            progress=progress,
            capture=not options.no_capture,
        )
        view.start(_settings(options, backend, data, network, optimizer, steps))
        last = None
        try:
            for last in epochs:
                view.epoch(last)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(f"after step {last.step:,}" if last else "in the first epoch") from None
    assert last is not None  # fit yields at least one epoch
    view.end(last, time.perf_counter() - began)
    return 0


def _settings(
    options: argparse.Namespace,
    backend: Backend,
    data: Dataset,
    network: Network,
    optimizer: Optimizer,
    steps: int,
) -> dict[str, Any]:
    return {
        "network": repr(network).partition(";")[0] + ")",
        "parameters": network.size,
        "dtype": network.dtype,
        "precision": options.precision,
        "capture": not options.no_capture,
        "device": backend.device,
        "backend": backend.name,
        "version": backend.version,
        "threads": backend.threads,
        "why": backend.why if options.device == "auto" else "",
        "data": data.name,
        "train_samples": len(data.x_train),
        "test_samples": len(data.x_test),
        "steps": steps,
        "batch_size": options.batch_size,
        "sampling": options.sampling,
        "optimizer": type(optimizer).__name__,
        "lr": optimizer.rate(1 + options.warm_up),
        "schedule": options.schedule,
        "warm_up": options.warm_up,
        "weight_decay": options.weight_decay,
        "clip_norm": options.clip_norm,
        "seed": options.seed,
    }


class _View(Protocol):
    """What the user sees on stdout."""

    def start(self, settings: dict[str, Any]) -> None: ...
    def epoch(self, metrics: Metrics) -> None: ...
    def end(self, metrics: Metrics, seconds: float) -> None: ...


class _Json:
    """One object a line."""

    def start(self, settings: dict[str, Any]) -> None:
        self._print("start", settings)

    def epoch(self, metrics: Metrics) -> None:
        self._print("epoch", asdict(metrics))

    def end(self, metrics: Metrics, seconds: float) -> None:
        self._print("end", _result(metrics, seconds))

    def _print(self, event: str, values: dict[str, Any]) -> None:
        print(json.dumps({"event": event, **values}, allow_nan=False), flush=True)


class _Lines:
    """Text for people."""

    def __init__(self, *, quiet: bool) -> None:
        self.quiet = quiet

    def start(self, s: dict[str, Any]) -> None:
        if self.quiet:
            return
        threads = f", {s['threads']} thread{'s' * (s['threads'] > 1)}" if s["threads"] else ""
        why = f" ({s['why']})" if s["why"] else ""
        print(f"{s['network']}: {s['parameters']:,} parameters, {s['dtype']}")
        print(f"device {s['device']}{why}: {s['backend']} {s['version']}{threads}")
        print(f"data {s['data']}: {s['train_samples']:,} to train on, {s['test_samples']:,} to test on")
        print(
            f"{s['steps']:,} steps, batches of {s['batch_size']} {s['sampling'].replace('-', ' ')}, "
            f"{s['optimizer']} lr {s['lr']}{_extras(s)}, seed {s['seed']}\n"
        )
        print("epoch    step     loss   train accuracy   test accuracy", flush=True)

    def epoch(self, m: Metrics) -> None:
        if not self.quiet:
            print(
                f"{m.epoch:5d} {m.step:7,d} {m.loss:8.4f} {m.accuracy:16.4f} {m.test_accuracy:15.4f}",
                flush=True,
            )

    def end(self, metrics: Metrics, seconds: float) -> None:
        result = _result(metrics, seconds)
        print(
            f"{'' if self.quiet else chr(10)}test accuracy {result['test_accuracy']:.4f}, "
            f"{seconds:.1f} s in all, {result['steps_per_second']:,.0f} steps/s"
        )


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


def _result(metrics: Metrics, seconds: float) -> dict[str, Any]:
    return {
        "test_accuracy": metrics.test_accuracy,
        "step": metrics.step,
        "seconds": seconds,
        "steps_per_second": metrics.step / metrics.seconds,
    }


@contextmanager
def _live_line(steps: int, *, shown: bool) -> Iterator[Any]:
    """A function that shows `Progress` in one moving line on stderr; None where nothing may move."""
    if not (shown and sys.stderr.isatty()):
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Line

    columns = (
        TextColumn("step {task.completed:,.0f}/{task.total:,.0f}"),
        BarColumn(bar_width=20),
        TextColumn("{task.fields[numbers]}"),
        TimeRemainingColumn(),
    )
    # Rows that go to the same terminal are printed above the line, not through it.
    line = Line(
        *columns,
        console=Console(stderr=True),
        transient=True,
        redirect_stdout=sys.stdout.isatty(),
        refresh_per_second=10,
    )
    with line:
        task = line.add_task("train", total=steps, numbers="")
        began = time.perf_counter()

        def show(progress: Progress) -> None:
            rate = progress.step / (time.perf_counter() - began)
            accuracy = "" if progress.accuracy is None else f"accuracy {progress.accuracy:.3f}  "
            numbers = f"loss {progress.loss:.4f}  {accuracy}{rate:,.0f} steps/s"
            line.update(task, completed=progress.step, numbers=numbers)

        yield show
