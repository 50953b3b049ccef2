from __future__ import annotations

import dataclasses

import pytest

from benchmarks.scaling import model
from benchmarks.scaling.model import LARGE, LONG, Cluster, Computing, Job, Link, fit

NETWORK = Cluster("a network", Link(10.0, 0.5), own=0.25)
COMPUTING = Computing(fixed=2.0, per_sample=3.0, update=4.0)
JOB = Job("a network", COMPUTING, batch=10, length=3, small=(1, 2))


def test_an_exchange_by_hand() -> None:
    # Three sends and two doublings; a quarter of 80 bytes three times each way; 80 at home.
    assert NETWORK.exchange(80, 4) == 5 * 10.0 + 2 * 60 * 0.5 + 80 * 0.25
    assert NETWORK.exchange(90, 3) == 4 * 10.0 + 2 * 60 * 0.5 + 90 * 0.25  # two sends, two doublings


def test_a_long_vector_is_gathered_around_a_ring() -> None:
    short, long = (NETWORK.exchange(size, 8) for size in (LONG - 8, LONG))
    assert long - short == 4 * 10.0 + 8 * (2 * 0.5 * 7 / 8 + 0.25)


def test_an_exchange_within_nodes_and_between_them_by_hand() -> None:
    cluster = dataclasses.replace(NETWORK, node=4, within=Link(1.0, 0.25))
    # Three others in the node, and two doublings; twelve in other nodes, and two doublings.
    messages = (3 + 2) * 1.0 + 2 * 3 * 5 * 0.25 + (12 + 2) * 10.0 + 2 * 12 * 5 * 0.5
    assert cluster.exchange(80, 16) == messages + 80 * 0.25
    assert cluster.exchange(80, 4) == (3 + 2) * 1.0 + 2 * 60 * 0.25 + 80 * 0.25


def test_a_vector_that_is_mapped_takes_longer() -> None:
    cluster = Cluster("own", Link(0.0, 0.0), own=1.0, large=2.0)
    assert [cluster.exchange(size, 2) for size in (LARGE - 4, LARGE)] == [LARGE - 4, 2 * LARGE]


def test_one_process_exchanges_nothing() -> None:
    assert NETWORK.exchange(1_000_000, 1) == 0.0
    assert dataclasses.replace(NETWORK, node=8).exchange(1_000_000, 1) == 0.0
    assert JOB.speedup(NETWORK, 1) == JOB.speedup(NETWORK, 1, grown=True) == 1.0


@pytest.mark.parametrize("node", [1, 8])
def test_an_exchange_grows_with_the_vector_and_the_processes(node: int) -> None:
    cluster = dataclasses.replace(NETWORK, node=node, within=Link(1.0, 0.25))
    by_size = [cluster.exchange(size, 16) for size in (0, 4, 400, LONG - 1, LONG, 10 * LONG)]
    by_processes = [cluster.exchange(size, p) for size in (400, LONG) for p in (1, 2, 3, 8, 9, 64, 1024)]
    assert by_size == sorted(set(by_size))
    assert by_processes[:7] == sorted(set(by_processes[:7]))
    assert by_processes[7:] == sorted(set(by_processes[7:]))


def test_the_process_with_most_samples_is_waited_for() -> None:
    assert [COMPUTING.time(10, p) for p in (1, 3, 5, 10)] == pytest.approx(
        [2 + 30 + 4, 2 + 12 + 4 / 3, 2 + 6 + 4 / 5, 2 + 3 + 4 / 10]
    )


def test_an_update_that_is_not_divided(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model, "UPDATE_IS_DIVIDED", False)
    assert [COMPUTING.time(10, p) for p in (1, 5)] == [2 + 30 + 4, 2 + 6 + 4]


def test_a_step_by_hand() -> None:
    free = Cluster("free", Link(1.0, 0.0), own=0.0)
    assert JOB.step(free, 2) == 2 + 15 + 2 + 3 * 2  # three sums of two messages
    assert JOB.step(free, 2, samples=20) == 2 + 30 + 2 + 3 * 2
    assert JOB.step(Cluster("own", Link(0.0, 0.0), own=1.0), 2) == 2 + 15 + 2 + 4 * (3 + 1 + 2)
    assert JOB.speedup(free, 2) == 36 / 25
    assert JOB.speedup(free, 2, grown=True) == 2 * 36 / 40


def test_where_it_stops_paying() -> None:
    free, slow = (Cluster("", Link(latency, 0.0), own=0.0) for latency in (0.0, 0.25))
    assert (JOB.fastest(free), JOB.inefficient(free)) == (10, 9)  # two samples in one process, as with 5 to 8
    assert JOB.fastest(slow) == max(range(1, 11), key=lambda p: JOB.speedup(slow, p))
    assert JOB.inefficient(free, grown=True) is None
    assert JOB.inefficient(slow, grown=True) == 64


def test_only_a_shared_batch_bounds_the_processes() -> None:
    assert (JOB.most(), JOB.most(grown=True)) == (10, model.MOST)


def test_a_fit_finds_its_constants() -> None:
    rows = [[1.0, size] for size in (1e3, 1e5, 1e7)]
    assert fit(rows, [2e-6 + 3e-9 * size for _, size in rows]) == pytest.approx([2e-6, 3e-9])


def test_a_fit_weighs_relative_errors_and_has_no_negative_constant() -> None:
    # By absolute errors the large times would decide.
    assert fit([[1.0], [1.0]], [1.0, 3.0]) == pytest.approx([(1 + 1 / 3) / (1 + 1 / 9)])
    assert fit([[1.0, 1.0], [1.0, 2.0]], [1.0, 4.0]) == pytest.approx([0.0, 1.2])
