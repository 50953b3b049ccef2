"""Recorded against called training, on cases made at random: see `tests/training/capture_fuzz`.

`TEST_FUZZ` says how many; `nox -s faults` takes many more. A failure says how to run its case alone.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from backprop import Training

from .capture_fuzz.__main__ import summary
from .capture_fuzz.cases import ALONE, ORDER, STOCK_EVERY, Trial, make
from .capture_fuzz.habits import HABITS
from .capture_fuzz.judgement import (
    GIVEN_UP,
    RECORDED,
    SEEN,
    SILENT,
    TOLD,
    WRONG,
    Outcome,
    Run,
    examine,
    judge,
    run,
)

CASES = int(os.environ.get("TEST_FUZZ", "300"))
CHUNK = max(10, CASES // 100)

Train = Callable[..., Any]


def chunks(start: int, stop: int, size: int) -> list[range]:
    return [range(first, min(first + size, stop)) for first in range(start, stop, size)]


def named(seeds: range) -> str:
    return f"{seeds.start}-{seeds.stop - 1}"


@pytest.fixture(scope="module")
def counts(request: pytest.FixtureRequest) -> Iterator[Counter[str]]:
    """The outcomes so far, printed after the last test."""
    counted: Counter[str] = Counter()
    yield counted
    reporter = request.config.pluginmanager.get_plugin("terminalreporter")
    if reporter and counted:
        reporter.write_line(f"\n{summary(counted)}")


def check(seeds: range, counts: Counter[str]) -> None:
    failed = []
    for seed in seeds:
        outcome = examine(seed)
        counts[outcome.kind] += 1
        if outcome.failed:
            failed.append(told(seed, outcome))
    if failed:
        pytest.fail("\n\n".join(failed), pytrace=False)


def told(seed: int, outcome: Outcome) -> str:
    return f"{outcome.kind}: {outcome.difference}\n{make(seed)}\nalone: python -m tests.training.capture_fuzz {seed}"


@pytest.mark.parametrize("seeds", chunks(0, CASES, CHUNK), ids=named)
def test_recorded_training_equals_called_training(seeds: range, counts: Counter[str]) -> None:
    check(seeds, counts)


@pytest.mark.parametrize("seeds", chunks(ALONE, ALONE + len(HABITS), 20), ids=named)
def test_recorded_training_equals_called_training_with_each_habit(seeds: range, counts: Counter[str]) -> None:
    check(seeds, counts)


@pytest.mark.parametrize("seeds", chunks(0, 60 * STOCK_EVERY, 20 * STOCK_EVERY), ids=named)
def test_layers_that_keep_the_rules_are_recorded(seeds: range) -> None:
    plain = [seed for seed in seeds if make(seed).plain]
    given_up = [(seed, told) for seed in plain if (told := run(seed, capture=True).captured)]
    assert len(plain) >= 20
    assert not given_up


@pytest.mark.parametrize("seeds", chunks(0, 60, 20), ids=named)
def test_two_called_trainings_are_equal(seeds: range) -> None:
    """The comparison itself finds no difference between equal runs."""
    differing = [
        (seed, outcome.difference)
        for seed in seeds
        if not any(habit.unsteady for habit in make(seed).habits)
        and (outcome := examine(seed, control=True)).kind != RECORDED
    ]
    assert not differing


def test_every_habit_occurs() -> None:
    assert sorted(ORDER) == sorted(HABITS)
    assert {make(ALONE + i).habits[0].name for i in range(len(HABITS))} == set(HABITS)


def test_a_seed_determines_its_case() -> None:
    for seed in range(40):
        one, other = make(seed), make(seed)
        assert [trial.options["rng"] for trial in one.trials] == [t.options["rng"] for t in other.trials]
        for mine, its in zip(one.trials, other.trials, strict=True):
            assert mine.network is not its.network
            for name, value in mine.network.params.items():
                assert not np.shares_memory(value, its.network.params[name])
                np.testing.assert_array_equal(value, its.network.params[name])


# Recorders with one fault each, which the comparison must detect.


def bent(change: Callable[[Any], None], at: int) -> Train:
    """A `fit` that, when it should record, calls `change` on the training after `at` steps."""

    def train(
        *args: Any, capture: bool, hook: Any = None, hook_steps: int | None = None, **options: Any
    ) -> Any:
        if not capture:
            return Training(*args, capture=False, hook=hook, hook_steps=hook_steps, **options)

        def both(training: Any) -> None:
            if training.step == at:
                change(training)
            if hook_steps and training.step % hook_steps == 0:
                hook(training)

        return Training(*args, capture=False, hook=both, hook_steps=1, **options)

    return train


def nudge(values: np.ndarray) -> None:
    """Change the last bit of every entry."""
    values[...] = np.nextafter(values, np.inf)


def nudge_parameters(training: Any) -> None:
    nudge(training.network.flat_params["flat"])


def nudge_state(training: Any) -> None:
    for value in training.network.state.values():
        value[...] = value + 1


def nudge_slots(training: Any) -> None:
    for value in getattr(training.optimizer, "slots", {}).values():
        value *= 1.001


def change_nothing(training: Any) -> None:
    """A correct recorder."""


def stock(wanted: Callable[[Trial], Any]) -> list[int]:
    """The first cases without habits whose only training is as wanted and long enough."""
    seeds = (seed for seed in range(0, 1000, STOCK_EVERY) if make(seed).mode == "one")
    found = [seed for seed in seeds if make(seed).trials[0].total > 20 and wanted(make(seed).trials[0])]
    return found[:3]


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        (nudge_parameters, lambda trial: True),
        (nudge_state, lambda trial: trial.network.state),
        (nudge_slots, lambda trial: trial.optimizer.slot_names),
    ],
    ids=["parameters", "state", "slots"],
)
def test_a_wrong_replay_is_detected(change: Callable[[Any], None], wanted: Callable[[Trial], Any]) -> None:
    for seed in stock(wanted):
        assert examine(seed, train=bent(change_nothing, at=7)).kind == RECORDED
        assert examine(seed, train=bent(change, at=7)).kind == SILENT


def frozen(*args: Any, capture: bool, hook: Any = None, hook_steps: int | None = None, **options: Any) -> Any:
    """A recorder that freezes a layer's count after the third step, as tracing Python numbers would."""
    if not capture:
        return Training(*args, capture=False, hook=hook, hook_steps=hook_steps, **options)

    def freeze(training: Any) -> None:
        for layer in training.network.layers.values():
            if "calls" in vars(layer):
                layer.calls = min(layer.calls, 3)
        if hook_steps and training.step % hook_steps == 0:
            hook(training)

    return Training(*args, capture=False, hook=freeze, hook_steps=1, **options)


@pytest.mark.parametrize("name", ["counter_in_an_attribute", "every_kth_call", "counter_of_backwards"])
def test_a_frozen_counter_is_detected(name: str) -> None:
    seed = ALONE + ORDER.index(f"layer.{name}")
    assert make(seed).trials[0].total > 20
    assert examine(seed, train=frozen).kind == SILENT


def seen(**values: Any) -> list[list[tuple[str, Any]]]:
    return [[("epoch 1", {name.replace("_", "."): value for name, value in values.items()})]]


HIDDEN = ALONE + ORDER.index("layer.clock")
OPEN = ALONE + ORDER.index("layer.keeps_x")


@pytest.mark.parametrize(
    ("seed", "captured", "kind"),
    [
        (OPEN, Run(seen(loss_loss=1.0), []), RECORDED),
        (OPEN, Run(seen(loss_loss=1.0), ["why"]), GIVEN_UP),
        (OPEN, Run(seen(loss_loss=2.0), []), SILENT),
        (OPEN, Run(seen(loss_loss=2.0), ["why"]), WRONG),
        (OPEN, Run(seen(loss_loss=1.0, attribute_x=2.0), []), SEEN),
        (OPEN, Run(seen(loss_loss=1.0, attribute_x=2.0), ["why"]), SEEN),
        (OPEN, Run(seen(loss_loss=1.0), [], {"RuntimeWarning: overflow"}), SEEN),
        (OPEN, Run([[]], []), SILENT),
        (OPEN, Run([[("ValueError", {})]], []), SILENT),
        (HIDDEN, Run(seen(loss_loss=2.0), ["why"]), TOLD),
        (HIDDEN, Run(seen(loss_loss=2.0), []), SILENT),
        (HIDDEN, Run(seen(loss_loss=1.0), []), RECORDED),
    ],
)
def test_judgement(seed: int, captured: Run, kind: str) -> None:
    outcome = judge(make(seed), captured, Run(seen(loss_loss=1.0)))
    assert outcome.kind == kind
    assert outcome.failed == (kind in (SEEN, WRONG, SILENT))
