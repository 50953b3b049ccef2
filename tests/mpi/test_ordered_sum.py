"""Sums whose bits do not depend on which process has which vector."""

from __future__ import annotations

import json

import pytest

from backends import Communicator

from .launched import run

SUMS = """
import json, sys
import numpy as np
from backends import world
from backends.communicator import Communicator
from backprop.training.shards import Shards

processes = world()
if processes.size > 1:
    processes.shared = sys.argv[1] == "shared"
shards = Shards(8, processes.size)
found = []
for dtype in ("float32", "float64"):
    for length, calls in ((0, 2), (1, 200), (3, 200), (1000, 200), (40_000, 20)):
        add = processes.ordered_sum(shards.counts, length, dtype)
        for call in range(calls):
            rng = np.random.default_rng(call)
            rows = (rng.standard_normal((8, length)) * 10.0 ** rng.integers(-6, 7, (8, 1))).astype(dtype)
            add.rows[...] = rows[shards.dealt(processes.rank)]
            total = add()
            add.rows[...] = np.nan  # while others may still add
            expected = rows[0].copy()
            for row in rows[1:]:
                expected += row
            assert total.dtype == dtype and (total == expected).all(), (dtype, length, call)
            found.append(total.tobytes().hex()[:32])
assert all(its == found for its in processes.gather(found))
assert processes.broadcast(processes.rank) == 0
processes.barrier()
if processes.rank == 0:
    print(json.dumps([processes.size, found]))
"""


PARTS = """
import sys
import numpy as np
from backends import world
from backprop.training.shards import Shards

processes = world()
if processes.size > 1:
    processes.shared = sys.argv[1] == "shared"
shards = Shards(5, processes.size)
for length, common in ((2, 2), (7, 2), (1000, 3), (40_000, 0)):
    exchange = processes.ordered_sum(shards.counts, length, "float32", common)
    for call in range(50):
        rng = np.random.default_rng(call)
        rows = rng.standard_normal((5, length)).astype("float32")
        exchange.rows[...] = rows[shards.dealt(processes.rank)]
        exchange.add()
        own, last = exchange.columns, slice(length - common, length)
        expected = rows[0].copy()
        for row in rows[1:]:
            expected += row
        for columns in (own, last):
            assert (exchange.total[columns] == expected[columns]).all(), (length, call, columns)
        for number in range(3):  # one right after another, while others may still read the one before
            vector = np.full(length - common, np.nan, "float32")
            vector[own] = expected[own] * (number + 1)
            exchange.gather(vector)
            assert (vector == expected[: length - common] * (number + 1)).all(), (length, call, number)
        exchange.own[own] = expected[own]
        exchange.gather(exchange.own[: length - common])
        assert (exchange.own[: length - common] == expected[: length - common]).all(), (length, call)
    dealt = processes.gather((exchange.columns.start, exchange.columns.stop))
    assert [start for start, _ in dealt[1:]] == [stop for _, stop in dealt[:-1]]
    assert (dealt[0][0], dealt[-1][1]) == (0, length - common)
"""


@pytest.mark.parametrize("way", ["shared", "sent"])
@pytest.mark.parametrize("processes", [1, 2, 3])
def test_each_process_adds_its_columns_and_gets_the_others(processes: int, way: str) -> None:
    ended = run(processes, PARTS, way)
    assert ended.status == 0, ended.err


def test_where_shared_memory_is_short_messages_are_sent() -> None:
    program = """
from collections import namedtuple
import backends.mpi
from backends import world
backends.mpi.shutil.disk_usage = lambda path: namedtuple("Usage", "free")(1000 if world().rank == 0 else 10**9)
made = [type(world().ordered_sum([1, 1], length, "float32")).__name__ for length in (10, 1000)]
assert made == ["SharedSum", "SentSum"], made
"""
    ended = run(2, program)
    assert ended.status == 0, ended.err


@pytest.mark.parametrize("way", ["shared", "sent"])
def test_the_bits_do_not_depend_on_the_number_of_processes(way: str) -> None:
    found = {}
    for processes in (1, 2, 3, 4):
        ended = run(processes, SUMS, way)
        assert ended.status == 0, ended.err
        size, found[processes] = json.loads(ended.out)
        assert size == processes
    assert all(its == found[1] for its in found.values())


def test_a_sum_of_one_vector_is_not_its_memory() -> None:
    add = Communicator().ordered_sum([1], 3, "float32")
    add.rows[...] = 1.0
    total = add()
    add.rows[...] = 2.0
    assert total.tolist() == [1.0, 1.0, 1.0]
