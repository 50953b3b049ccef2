"""The order of the samples."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import backprop.training.loop
import backprop.training.step
from backends import Backend
from backprop import Training
from backprop.training.order import SampleOrder

from .small import blobs, net


def step_losses(backend: Backend | str, sampling: Any) -> list[float]:
    """The loss of each of 200 steps, with a ragged last batch every epoch."""
    losses: list[float] = []
    run = Training(
        net(backend, "float64"), *blobs(), iterations=200, batch_size=40, sampling=sampling, rng=1,
        progress=lambda p: losses.append(p.loss), progress_steps=1,
    )  # fmt: skip
    list(run)
    return losses


@pytest.mark.parametrize("sampling", ["without-replacement", "with-replacement"])
def test_same_seed_same_losses_on_every_backend(sampling: Any, backend: Backend) -> None:
    ours = step_losses(backend, sampling)
    assert len(ours) == 200
    np.testing.assert_allclose(ours, step_losses("cpu", sampling), rtol=1e-6)


def test_every_sample_once_an_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[np.ndarray] = []
    batch = backprop.training.step.TrainStep.batch

    def spy(self: Any, data: Any, chosen: np.ndarray) -> Any:
        x, t = batch(self, data, chosen)
        seen.append(x[:, 0])
        return x, t

    monkeypatch.setattr(backprop.training.step.TrainStep, "batch", spy)
    x, t = blobs(103)
    list(Training(net("cpu"), x, t, epochs=2, batch_size=10, rng=0, capture=False))
    assert [len(part) for part in seen] == [*[10] * 10, 3, *[10] * 10, 3]
    first, second = np.concatenate(seen[:11]), np.concatenate(seen[11:])
    assert sorted(first) == sorted(second) == sorted(x[:, 0])
    assert list(first) != list(second)
    seen.clear()
    list(
        Training(net("cpu"), x, t, epochs=1, batch_size=10, rng=0, sampling="with-replacement", capture=False)
    )
    assert [len(part) for part in seen] == [10] * 11
    assert len(set(np.concatenate(seen))) < 103


@pytest.mark.parametrize("kind", [np.random.PCG64, np.random.MT19937, np.random.Philox])
def test_an_order_drawn_ahead_is_the_same(kind: Any) -> None:
    """`draw_ahead` leaves the generator as it is, and is without effect if somebody draws in between."""

    def drawn(ahead: bool, between: bool) -> list[list[int]]:
        rng = np.random.Generator(kind(5))
        order = SampleOrder(20, 10, 2, 8, "without-replacement", rng)
        found = []
        for _ in range(3):
            found.append(order.draw().tolist())
            state = order.generator(redraw=False)
            if ahead:
                order.draw_ahead()
            assert order.generator(redraw=False) == state
            if between:
                rng.random()
        return [*found, order.generator(redraw=True), order.generator(redraw=False)]  # type: ignore[list-item]

    for between in (False, True):
        assert drawn(True, between) == drawn(False, between)


def test_a_generator_that_cannot_be_copied_is_drawn_from_itself() -> None:
    class Alone(np.random.PCG64):
        def __deepcopy__(self, memo: object) -> Any:
            raise TypeError("there is one")

    rng = np.random.Generator(Alone(5))
    order = SampleOrder(20, 10, 2, 8, "without-replacement", rng)
    order.draw_ahead()
    assert order.draw().tolist() == np.random.default_rng(5).permutation(20).tolist()


class Curriculum(np.random.Generator):
    """Draws the samples in their order, from another one on every time."""

    drawn = 0

    def permutation(self, samples: Any) -> Any:  # type: ignore[override]
        self.drawn += 1
        return np.roll(np.arange(samples), self.drawn)


def test_a_generator_that_draws_in_its_own_way_draws_every_epoch() -> None:
    order = SampleOrder(4, 2, 2, 6, "without-replacement", Curriculum(np.random.PCG64(0)))
    drawn = []
    for _ in range(3):
        drawn.append(order.draw().tolist())
        order.draw_ahead()
    assert drawn == [[3, 0, 1, 2], [2, 3, 0, 1], [1, 2, 3, 0]]


@pytest.mark.parametrize("iterations", [25, 70])
def test_every_epoch_but_the_last_draws_the_next_ones_order(
    iterations: int, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    ahead: list[int] = []
    draw_ahead = SampleOrder.draw_ahead
    monkeypatch.setattr(SampleOrder, "draw_ahead", lambda order: (ahead.append(run.step), draw_ahead(order)))
    run = Training(net(backend), *blobs(), iterations=iterations, batch_size=10, rng=0)
    list(run)
    assert ahead == [25, 50][: iterations // 26]
