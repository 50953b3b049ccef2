"""What a method does with attributes, read from its code without running it."""

from __future__ import annotations

import dis
import inspect
from types import CodeType, FunctionType

import numpy

ALWAYS_JUMPS = ("JUMP_FORWARD", "JUMP_BACKWARD", "JUMP_BACKWARD_NO_INTERRUPT")
READS = ("LOAD_ATTR", "LOAD_METHOD", "LOAD_SUPER_ATTR")
RAISES = ("RAISE_VARARGS", "RERAISE")


class AttributeUse:
    """The attributes that a method, with the methods that it calls, reads and sets.

    >>> class Counter:
    ...     def forward(self, x):
    ...         self.x = x
    ...         return self.advance()
    ...     def advance(self):
    ...         self.count += self.x.size
    >>> use = AttributeUse(Counter, "forward")
    >>> sorted(use.sets), sorted(use.first_reads)
    (['count', 'x'], ['count', 'size'])
    """

    def __init__(self, kind: type, method: str) -> None:
        self.kind = kind
        self.sets: dict[str, None] = {}
        """Those that it sets, in order."""
        self.first_reads: set[str] = set()
        """Those that it may read before it has set them, or without setting them."""
        self._active: dict[str, int] = {}
        """How many versions of each method are being followed, from the class's own up to that of a base."""
        self._method(method, frozenset())

    def _method(self, name: str, known: frozenset[str]) -> frozenset[str]:
        """Follow a method, called when the attributes in `known` are set; return those set at its end.

        A call of a method by itself is taken for one of the method that it overrides, as by super().
        """
        versions, version = _functions(self.kind, name), self._active.get(name, 0)
        if version >= len(versions):
            return known
        self._active[name] = version + 1
        known = self._code(versions[version].__code__, known)
        self._active[name] = version
        return known

    def _code(self, code: CodeType, known: frozenset[str]) -> frozenset[str]:
        """Follow every path through the code, keeping what is set on all paths to an instruction."""
        steps = list(dis.get_instructions(code))
        places = {step.offset: i for i, step in enumerate(steps)}
        before, ends, pending = {0: known}, dict[int, frozenset[str]](), [0]
        while pending:
            i = pending.pop()
            step, after = steps[i], self._step(steps[i], before[i])
            following = []
            if step.opname.startswith("RETURN_") and step.opname != "RETURN_GENERATOR":
                ends[i] = after
            elif step.opname not in RAISES:
                following += [places[step.argval]] if step.opcode in (*dis.hasjrel, *dis.hasjabs) else []
                following += [i + 1] if step.opname not in ALWAYS_JUMPS else []
            for j in following:
                merged = before[j] & after if j in before else after
                if before.get(j) != merged:
                    before[j] = merged
                    pending.append(j)
        return frozenset.intersection(*ends.values()) if ends else known

    def _step(self, step: dis.Instruction, known: frozenset[str]) -> frozenset[str]:
        if step.opname == "STORE_ATTR":
            self.sets[step.argval] = None
            return known | {step.argval}
        if step.opname in READS:
            if _functions(self.kind, step.argval):
                return self._method(step.argval, known)
            if step.argval not in known:
                self.first_reads.add(step.argval)
        elif isinstance(step.argval, CodeType):  # a comprehension or a lambda
            self._code(step.argval, known)
        return known


def uses_numpy(kind: type) -> bool:
    """Whether a method of the class refers to NumPy, by whatever name its module has for it."""
    functions = [
        value for base in kind.__mro__ for value in vars(base).values() if isinstance(value, FunctionType)
    ]
    return any(f.__globals__.get(name) is numpy for f in functions for name in f.__code__.co_names)


def _functions(kind: type, name: str) -> list[FunctionType]:
    """The method of that name, and those that it overrides."""
    found = (inspect.unwrap(vars(base)[name]) for base in kind.__mro__ if name in vars(base))
    return [function for function in found if isinstance(function, FunctionType)]
