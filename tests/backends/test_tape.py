"""The tape by itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from backends.tape import Call, Tape
from backends.traced import TracedArray

from .numpy.recording import backend


def test_a_tape_records_each_call() -> None:
    class Plain(Tape):
        def result_of(self, call: Call, given: Any) -> Any:
            self.record(call)
            return TracedArray(self, call.out)

    tape = Plain(backend)
    x = TracedArray(tape, np.ones(3))
    y = tape.namespace.exp(x) * 2.0
    y += x
    y[0] = 7.0
    tape.write_out(y[1:], tape.namespace.sqrt, x[1:])
    assert [call.name for call in tape.calls] == [
        "exp",
        "mul",
        "iadd",
        "assign",
        "getitem",
        "getitem",
        "sqrt",
    ]
    assert [call.writes for call in tape.calls] == [False, False, True, True, False, False, True]
    assert y.array.tolist() == [7.0, 1.0, 1.0]
    with pytest.raises(NotImplementedError, match="Tape keeps no results"):
        TracedArray(Tape(backend), np.ones(3)) + 1.0
