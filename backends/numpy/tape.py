"""The tape of a function on NumPy's arrays, which gives each result its place for all replays."""

from __future__ import annotations

import operator
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from ..array import Array, HostArray
from ..base import Backend
from ..communicator import OrderedSum
from ..digest import digest
from ..errors import CaptureError
from ..tape import Call, Tape
from ..traced import TracedArray
from . import namespace as xp
from .memory import base_of, is_one_piece
from .write_out import Program, Workspace, arrays_in, copied, out_variant

CHANGED = "an array that is not in the state is written into within the step"


class NumpyTape(Tape):
    """The tape of a function on NumPy's arrays, and the program that repeats its calls.

    A call is repeated by its out variant if that has just given the same bytes as the call, else by the
    call itself with its result copied.
    """

    def __init__(self, backend: Backend, inputs: Sequence[HostArray]) -> None:
        super().__init__(backend)
        self.inputs = [x.copy() for x in inputs]
        self.program: Program = []
        self._workspace = Workspace(self.inputs)
        self._constants: dict[int, tuple[HostArray, bytes]] = {}
        self._errors, self._warnings = np.geterr(), _warning_settings()
        if "raise" in self._errors.values():
            self.invalidate("np.seterr makes floating-point errors exceptions, which a replay cannot catch")

    def check(self, args: Any, options: dict[str, Any]) -> list[TracedArray]:
        if np.geterr() != self._errors:
            self.invalidate("np.errstate is set within the step")
        if _warning_settings() != self._warnings:
            self.invalidate("warnings are caught or filtered within the step")
        for constant in arrays_in([*args, *options.values()]):
            if not isinstance(constant, TracedArray) and self._has_changed(constant):
                self.invalidate(CHANGED)
        return super().check(args, options)

    def _has_changed(self, constant: HostArray) -> bool:
        """Whether an array from outside the step has changed since its first use."""
        known = self._constants.get(id(constant))
        if known is None:
            self._constants[id(constant)] = constant, digest(constant)
            return False
        return known[1] != digest(constant)

    def close(self) -> None:
        super().close()
        if any(self._has_changed(constant) for constant, _ in list(self._constants.values())):
            self.error = self.error or CaptureError(CHANGED)
        self._constants.clear()

    def same_memory(self, x: Any, y: Any) -> bool:
        return bool(x.__array_interface__ == y.__array_interface__)

    def result_of(self, call: Call, given: list[TracedArray]) -> Any:
        result = call.out
        if isinstance(result, list | tuple):
            views = [self._view(item, given) for item in result]
            if any(view is None for view in views):
                self.invalidate(f"{call.name} gives several arrays")
            return type(result)(views)
        if not isinstance(result, np.ndarray | np.generic):
            self.invalidate(f"{call.name} gives a {type(result).__name__}, which depends on values")
        if isinstance(result, np.ndarray):
            view = self._view(result, given)
            if view is not None:
                return view
            if any(base_of(result) is base_of(x) for x in arrays_in(call.args)):
                return result  # a view of an array from outside the step
        elif call.name == "getitem" and self._is_input(given[0]):
            index = call.args[1] if isinstance(call.args[1], tuple) else (call.args[1],)
            # A view will do: nothing changes an input within the step.
            return TracedArray(self, given[0].array[(*index, ...)], is_scalar=True)
        is_scalar, result = isinstance(result, np.generic), np.asarray(result)
        place = self.place_like(call.name, result)
        call = replace(call, out=place.array)
        self._add(call, result)
        self.record(call)
        place.is_scalar = is_scalar
        return place

    def execute(self, call: Call, run: Callable[[], object]) -> None:
        others = call.args[1:] if call.in_place else call.args
        if any(np.may_share_memory(call.out, x) for x in arrays_in(others)):
            run()
            self.program.append(copied(self.backend, call))
        else:
            before = call.out.copy()
            run()
            expected = call.out.copy()
            call.out[...] = before
            self._add(call, expected)
        self.record(call)

    def ordered_sum(self, total: OrderedSum, vectors: Sequence[TracedArray], *, part: bool) -> TracedArray:
        self.check(vectors, {})
        for row, vector in zip(total.rows, vectors, strict=True):
            if not np.may_share_memory(row, vector.array):
                self.program.append(partial(operator.setitem, row, ..., vector.array))
        self._exchange("ordered_sum", total.add if part else total, vectors, total.total)
        return TracedArray(self, total.total)  # which has the values of the sum before

    def gather(self, total: OrderedSum, vector: TracedArray) -> None:
        self.check([vector], {})
        self._exchange("gather", partial(total.gather, vector.array), [vector], vector.array)

    def _exchange(
        self, name: str, run: Callable[[], object], vectors: Sequence[TracedArray], out: HostArray
    ) -> None:
        """Record a call in which all processes take part."""
        self.program.append(run)
        self.record(Call(name, run, tuple(map(self.operands, vectors)), {}, out, writes=True))

    def _add(self, call: Call, expected: HostArray) -> None:
        """Add what repeats a call to the program, and run it once: it must give the expected bytes."""
        if call.function is xp.empty:
            return
        before = call.out.copy() if call.writes else None
        for program in (out_variant(self._workspace, call), [copied(self.backend, call)]):
            if program is None:
                continue
            for step in program:
                step()
            if call.out.tobytes() == expected.tobytes():
                self.program += program
                return
            if before is not None:
                call.out[...] = before
        self.invalidate(f"{call.name} does not give the same twice")

    def place_like(self, name: str, result: HostArray) -> TracedArray:
        """An array of the tape's own memory for the result of a function, laid out like it."""
        if not is_one_piece(result):
            self.invalidate(f"{name} gives an array that is not laid out as one piece")
        array, block = self._workspace.memory.like(result)
        return TracedArray(self, array, block)

    def _view(self, result: Array, given: list[TracedArray]) -> TracedArray | None:
        """A result that is one of the given arrays, or a view of one."""
        for x in given:
            if result is x.array:
                return x
        for x in given:
            if isinstance(result, np.ndarray) and base_of(result) is base_of(x.array):
                return TracedArray(self, result, x.memory)
        return None

    def _is_input(self, x: TracedArray) -> bool:
        return any(base_of(x.array) is place for place in self.inputs)


def _warning_settings() -> tuple[int, int, int]:
    """Numbers that differ where warnings are treated differently."""
    return id(warnings.filters), len(warnings.filters), id(warnings.showwarning)
