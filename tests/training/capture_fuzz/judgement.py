"""Both ways, and what differs: every number that the two trainings give or let a user see, bit for bit."""

from __future__ import annotations

import array
import collections
import ctypes
import fractions
import itertools
import random
import re
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import SimpleNamespace
from typing import Any

import numpy as np

from backends import CaptureWarning
from backprop import DivergenceError, Layer, Training
from backprop.layers import Node

from .cases import Case, Trial, make
from .changes import Here
from .habits import seed_globals

RECORDED = "identical, recorded"
GIVEN_UP = "identical, given up"
TOLD = "different, and said so (hidden habits)"
CALLED = "different by itself, called (clocks)"
"""Where a step depends on the time and a stretch is too short to be recorded, there is nothing to judge."""
SEEN = "DIFFERENT TO LOOK AT"
"""The numbers are the same, but not what a hook can look at along the way."""
WRONG = "DIFFERENT although given up"
SILENT = "SILENT"
OUTCOMES = (RECORDED, GIVEN_UP, TOLD, CALLED, SEEN, WRONG, SILENT)
FAILURES = (SEEN, WRONG, SILENT)

NUMBERS = ("error", "loss", "params", "state", "slots")
"""What the training gives; all else is what a user may look at along the way."""

OWN = {"_params", "_grads", "_saved", "state", "constants", "name", "is_owned", "layers", "_slots"}
"""Attributes of layers and optimizers that are looked at elsewhere, or are for nobody to look at."""

BLAS = re.compile("encountered in (matmul|dot)")
"""Flags that BLAS sets now and then."""

Seen = dict[str, Any]


@dataclass
class Run:
    """What came of a case that was trained one way."""

    events: list[list[tuple[str, Seen]]] = field(default_factory=list)
    """For each trial what was seen, in order, with when it was."""
    captured: list[str] = field(default_factory=list)
    """The texts of `CaptureWarning`s."""
    warned: set[str] = field(default_factory=set)
    """All other warnings."""


@dataclass
class Outcome:
    """What one case showed."""

    kind: str
    difference: str = ""
    warned: str = ""

    @property
    def failed(self) -> bool:
        return self.kind in FAILURES


def judge(case: Case, captured: Run, called: Run) -> Outcome:
    """Whether the recorded run is the called one."""
    warned = "; ".join(dict.fromkeys(captured.captured))
    found = list(differences(captured, called))
    numbers = [text for name, text in found if name.startswith(NUMBERS)]
    if case.unsteady:
        return Outcome(CALLED, found[0][1] if found else "", warned)
    if not found:
        return Outcome(GIVEN_UP if warned else RECORDED, "", warned)
    if case.hidden and warned:
        return Outcome(TOLD, found[0][1], warned)
    if not numbers:
        return Outcome(SEEN, found[0][1], warned)
    return Outcome(WRONG if warned else SILENT, numbers[0], warned)


def differences(captured: Run, called: Run) -> Iterator[tuple[str, str]]:
    """Every difference: the name of what differs, and a text."""
    for which, (mine, its) in enumerate(zip(captured.events, called.events, strict=True)):
        trial = f"training {which + 1}, " if len(called.events) > 1 else ""
        for (when, seen), (at, expected) in zip(mine, its, strict=False):
            if when != at:
                yield "error", f"{trial}{when} where the called run has {at}"
                break
            for name in [*expected, *(name for name in seen if name not in expected)]:
                have, want = seen.get(name, "nothing"), expected.get(name, "nothing")
                if have != want:
                    yield name, f"{trial}{when}: {name} is {_text(have)}, called {_text(want)}"
        if len(mine) != len(its):
            longer, ends = (mine, "called") if len(mine) > len(its) else (its, "recorded")
            yield "error", f"{trial}the {ends} run ends before {longer[min(len(mine), len(its))][0]}"
    if captured.warned != called.warned:
        yield "warnings", f"warnings {sorted(captured.warned ^ called.warned)} in one of the runs alone"


def examine(seed: int, *, train: Callable[..., Any] = Training, control: bool = False) -> Outcome:
    """Make, train both ways, judge. With `control` both are called, and have to be equal."""
    captured = run(seed, capture=not control, train=train)
    called = run(seed, capture=False)
    return judge(make(seed), captured, called)


def run(seed: int, *, capture: bool, train: Callable[..., Any] = Training) -> Run:
    """Train the case of a seed one way."""
    seed_globals(seed)
    case, result = make(seed), Run()
    result.events = [[] for _ in case.trials]
    with warnings.catch_warnings(record=True) as said, np.errstate():
        warnings.simplefilter("always")
        jobs = [
            _Job(case, trial, events, capture, train)
            for trial, events in zip(case.trials, result.events, strict=True)
        ]
        WAYS[case.mode](jobs)
    for warning in said:
        if issubclass(warning.category, CaptureWarning):
            result.captured.append(str(warning.message))
        elif issubclass(warning.category, RuntimeWarning | UserWarning) and not BLAS.search(
            str(warning.message)
        ):
            result.warned.add(f"{warning.category.__name__}: {warning.message}")
    return result


class _Job:
    """One training of a run: iterating it trains, and what is seen goes into `events`."""

    def __init__(
        self,
        case: Case,
        trial: Trial,
        events: list[tuple[str, Seen]],
        capture: bool,
        train: Callable[..., Any],
    ) -> None:
        self.case, self.trial, self.events, self.capture, self.train = case, trial, events, capture, train
        self.hooks = self.epochs = 0
        self.training: Any = None
        self.here: Here | None = None

    def starts(self, **options: Any) -> bool:
        """Make the training; whether it is one."""
        try:
            self.start(**options)
        except Exception as error:
            self.events.append((f"{type(error).__name__} before the first step", {}))
            return False
        return True

    def start(self, **options: Any) -> None:
        """Make the training."""
        trial = self.trial
        options = {**trial.options, "optimizer": trial.optimizer, **options}
        if trial.hook_steps:
            options = {"hook": self.hook, "hook_steps": trial.hook_steps, **options}
        if trial.progress_steps:
            options |= {"progress": self.progress, "progress_steps": trial.progress_steps}
        self.training = self.train(trial.network, *trial.data, capture=self.capture, **options)
        self.here = Here(self.training, trial.data, self.capture)

    def steps(self) -> Iterator[None]:
        """An epoch at a time, until it is over or fails."""
        try:
            for metrics in self.training:
                self.epochs += 1
                told = {key: plain(value) for key, value in vars(metrics).items() if key != "seconds"}
                seen = {f"loss.{key}": value for key, value in told.items()}
                self.events.append((f"epoch {self.epochs}", seen | self.look()))
                self.change(between=True, times=self.epochs - 1)
                yield
        except Exception as error:
            kind = type(error).__name__
            step = f" at step {error.step}" if isinstance(error, DivergenceError) else ""
            self.events.append((f"{kind}{step}", {}))
            if not (isinstance(error, DivergenceError) and self.case.habits):
                self.events.append((f"after the {kind}", self.look()))
            return
        self.events.append(("end", self.look()))

    def run(self, **options: Any) -> None:
        """All of it."""
        if not self.starts(**options):
            return
        for _ in self.steps():
            pass

    def hook(self, training: Any) -> None:
        self.events.append((f"hook at step {training.step}", self.look()))
        self.change(between=False, times=self.hooks)
        self.hooks += 1

    def progress(self, progress: Any) -> None:
        seen = {"loss.so_far": plain(progress.loss), "loss.accuracy_so_far": plain(progress.accuracy)}
        self.events.append((f"progress at step {progress.step}", seen))

    def change(self, between: bool, times: int) -> None:
        for change in self.trial.changes:
            if change.between == between and times >= change.first:
                change.habit.make(self.here, times - change.first)

    def look(self) -> Seen:
        """All that a user could look at now."""
        network, optimizer = self.trial.network, self.trial.optimizer
        seen = {f"params.{name}": plain(value) for name, value in network.params.items()}
        seen |= {f"state.{name}": plain(value) for name, value in network.state.items()}
        seen |= {f"slots.{name}": plain(value) for name, value in vars(optimizer).get("_slots", {}).items()}
        seen |= {f"optimizer.{name}": value for name, value in attributes(optimizer).items()}
        seen["network.weight_decay"] = plain(network.weight_decay)
        for name, node in parts(network):
            seen |= {f"grads of {name}.{key}": plain(value) for key, value in node.grads.items()}
            seen |= {f"attribute {name}.{key}": value for key, value in attributes(node).items()}
        if self.case.mode != "threads":
            seen["generator random"] = hash(random.getstate())
            seen["generator np.random"] = plain(np.random.get_state())
        return seen


def _one(jobs: list[_Job]) -> None:
    jobs[0].run()


def _by_turns(jobs: list[_Job]) -> None:
    """Every training in turn for an epoch."""
    running = [job.steps() for job in jobs if job.starts()]
    for _ in range(1000):
        running = [steps for steps in running if next(steps, "over") != "over"]


def _threads(jobs: list[_Job]) -> None:
    threads = [threading.Thread(target=job.run) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _again(jobs: list[_Job]) -> None:
    """The same network and optimizer once more, on other batches."""
    (job,) = jobs
    job.run()
    job.run(rng=7)


def _resumed(jobs: list[_Job]) -> None:
    """A training that is stopped in the middle, and another that goes on from its checkpoint."""
    first, second = jobs
    stop = first.trial.total // 2 + 1
    first.trial.hook_steps = second.trial.hook_steps = stop
    kept: list[Any] = []
    look = first.hook

    def hook(training: Any) -> None:
        look(training)
        kept.append(training.checkpoint())
        training.stop()

    first.run(hook=hook)
    second.run(**({"resume": kept[0]} if kept else {}))


def _one_network(jobs: list[_Job]) -> None:
    """Two trainings of one network by turns, each with an optimizer of its own."""
    (job,) = jobs
    trial = make(job.case.seed).trials[0]
    trial.network = job.trial.network
    other = _Job(job.case, trial, job.events, job.capture, job.train)
    _by_turns([job, other])


WAYS: Mapping[str, Callable[[list[_Job]], None]] = {
    "one": _one,
    "by turns": _by_turns,
    "threads": _threads,
    "again": _again,
    "resumed": _resumed,
    "one network": _one_network,
}


def parts(network: Any) -> Iterator[tuple[str, Node]]:
    """All layers, those in blocks too, and the loss."""
    stack = [*network.layers.items(), ("loss", network.last_layer)]
    for name, node in stack:
        yield name, node
        for inner, layer in getattr(node, "layers", {}).items():
            yield f"{name}.{inner}", layer


def attributes(thing: Any) -> Seen:
    """Its attributes and, for a user's, those of its class, as far as they are numbers, arrays or made of such."""
    own = {name: value for name, value in vars(thing).items() if name not in OWN}
    if "capture_fuzz" in type(thing).__module__:
        own |= {
            name: value
            for name, value in vars(type(thing)).items()
            if not name.startswith("_") and not callable(value)
        }
    return {name: told for name, value in own.items() if (told := plain(value)) is not None}


def plain(value: Any, depth: int = 4) -> Any:
    """The value as what can be compared: equal if and only if all bits are, and every NaN equal; else None."""
    told = _plain(value, depth, ())
    return hash(told) if isinstance(told, tuple) and len(told) > 12 else told


def _plain(value: Any, depth: int, above: tuple[int, ...]) -> Any:
    if isinstance(value, np.ndarray | np.generic) or (
        hasattr(value, "__array__") and hasattr(value, "dtype")
    ):
        return _of_array(np.asarray(value))
    if value is None or isinstance(value, bool | int | str | bytes | Enum):
        return (type(value).__name__, str(value))
    if isinstance(value, float | complex):
        return (type(value).__name__, repr(value))
    if depth == 0 or id(value) in above:
        return "deeper"
    inner = lambda part: _plain(part, depth - 1, (*above, id(value)))  # noqa: E731
    if isinstance(value, list | tuple | collections.deque):
        return (type(value).__name__, *map(inner, value))
    if isinstance(value, Mapping):
        return ("dict", *((str(key), inner(part)) for key, part in value.items()))
    if isinstance(value, set | frozenset):
        return ("set", *sorted(map(repr, value)))
    if isinstance(value, np.random.Generator):
        return ("generator", inner(value.bit_generator.state))
    if isinstance(value, np.random.RandomState):
        return ("generator", inner(value.get_state()))
    if isinstance(value, random.Random):
        return ("generator", hash(value.getstate()))
    if isinstance(value, np.random.SeedSequence):
        return ("seeds", str(value))
    if isinstance(value, bytearray | array.array | fractions.Fraction | itertools.count):
        return (type(value).__name__, repr(value))
    if isinstance(value, ctypes._SimpleCData):
        return ("ctypes", value.value)
    if isinstance(value, SimpleNamespace) or (
        "capture_fuzz" in type(value).__module__ and not callable(value)
    ):
        slots = {name: getattr(value, name) for name in getattr(value, "__slots__", ())}
        return (type(value).__name__, inner({**slots, **getattr(value, "__dict__", {})}))
    if isinstance(value, Layer):
        return (type(value).__name__, inner({**value.params, **value.state}))
    return None


def _of_array(values: np.ndarray) -> Any:
    if values.dtype.kind not in "fciub":
        return ("array", values.dtype.str, values.shape)
    if values.dtype.kind in "fc" and np.isnan(values).any():
        values = np.where(np.isnan(values), np.asarray(np.nan, values.dtype), values)
    return ("array", values.dtype.str, values.shape, values.tobytes())


def _text(value: Any) -> str:
    if isinstance(value, tuple) and value[:1] == ("array",) and len(value) == 4:
        kind, shape, data = value[1:]
        numbers = np.frombuffer(data, kind).reshape(-1)
        shown = " ".join(f"{v!r}" for v in numbers[:4].tolist())
        return f"{np.dtype(kind)}{shape} [{shown}{' …' if numbers.size > 4 else ''}]"
    return str(value)[:80]
